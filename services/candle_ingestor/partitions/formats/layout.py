"""Where a format keeps the files of a series."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series


class Layout(Protocol):
    """Names of folders and files.

    Attributes:
        name: the format.
        series_folders: the pattern of the series' folders below a data root.
        manifest_name: of the file that tells of a series' months, in the series' folder.
    """

    name: ExportFormat
    series_folders: str
    manifest_name: str

    def folder_of(self, data_root: Path, series: Series) -> Path:
        """The folder of a series: its manifest, and below it its months."""

    def month_file(self, month: Month) -> str:
        """The path of a month's file within the series' folder, with `/`."""

    def month_of(self, file: str) -> Month | None:
        """The month whose file has this path within the series' folder; None for other files."""
