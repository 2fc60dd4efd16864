"""What an export can be: a format of files, and what stands where there was no trade."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """A format of the files of partitions."""

    CSV = "csv"
    PARQUET = "parquet"


class Fill(StrEnum):
    """What stands for a covered minute without trade: no row, or a flat bar of volume 0."""

    NONE = "none"
    FLAT = "flat"


class Tool(StrEnum):
    """A tool that has files of its own, in place of partitions."""

    FREQTRADE = "freqtrade"
    NAUTILUS = "nautilus"
    LEAN = "lean"
