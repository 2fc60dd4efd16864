"""What a format of partitions is to the writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from candle_ingestor.model.export_forms import Fill
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.formats.layout import Layout
from candle_ingestor.partitions.manifest import Digits, MonthEntry


@dataclass(frozen=True)
class FileSubject:
    """What all files of a series' folder share."""

    series: Series
    digits: Digits
    fill: Fill = Fill.NONE


@dataclass(frozen=True)
class MonthFile:
    """A month's file, and what its manifest says of it.

    Attributes:
        first_open_ms, last_open_ms: open times of the first and last row; None without rows.
    """

    content: bytes
    sha256: str
    rows: int
    first_open_ms: int | None
    last_open_ms: int | None


class MonthHead(Protocol):
    """The rows of a month's file that stay as they are."""

    def followed_by(self, candles: pl.DataFrame) -> MonthFile:
        """The file of these rows and of the candles, which open after them and ascend.

        The same rows always make the same bytes.

        Raises:
            PartitionError: if a value does not fit int64 with the digits.
        """


class Format(Layout, Protocol):
    """A format: its names, and the content of a month. It knows no disk.

    Attributes:
        grows: whether rows at the end of a file follow all bytes that it has.
    """

    grows: bool

    def no_rows(self, subject: FileSubject) -> MonthHead:
        """The head of a file that is made anew."""

    def head(
        self, subject: FileSubject, on_disk: bytes, described: MonthEntry, until_ms: int
    ) -> MonthHead | None:
        """The rows of a file that open before `until_ms`.

        None if there is nothing to keep, or if the file is not the one that is described.
        """
