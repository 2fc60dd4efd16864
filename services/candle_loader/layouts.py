"""Where the formats of partitions keep the files of a series."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from candle_loader.errors import LoaderError


class Layout(NamedTuple):
    """Names of folders and files.

    Attributes:
        name: the format, as in `--export_format`.
        series_folder: below the data root, with the names of a series for its fields.
        series_folder_1m: the same for 1m candles.
        month_file: below the series' folder, with fields for a year, a month `2024-01` and its
            number.
        manifest_name: the name of the file that tells of a series' months.
    """

    name: str
    series_folder: str
    series_folder_1m: str
    month_file: str
    manifest_name: str

    def folder_of(self, root: Path, exchange: str, asset: str, timeframe: str) -> Path:
        """The folder of a series; `asset` is the symbol without its slash."""
        form = self.series_folder_1m if timeframe == "1m" else self.series_folder
        return root / form.format(exchange=exchange, asset=asset, timeframe=timeframe)

    def manifests_below(self, root: Path) -> list[Path]:
        """The manifests of all series below a data root."""
        folder = self.series_folder_1m.format(exchange="*", asset="*", timeframe="*")
        return sorted(root.glob(f"{folder}/{self.manifest_name}"))

    def file_of(self, month: str) -> str:
        """The file of a month such as `2024-01` below its series' folder, with `/`."""
        return self.month_file.format(year=month[:4], month=month, number=int(month[5:]))


_HIVE = "parquet/exchange={exchange}/symbol={asset}/timeframe={timeframe}"

CSV = Layout(
    name="csv",
    series_folder="{exchange}/{asset}_{timeframe}",
    series_folder_1m="{exchange}/{asset}",
    month_file="{year}/{month}.csv",
    manifest_name="manifest.json",
)
PARQUET = Layout(
    name="parquet",
    series_folder=_HIVE,
    series_folder_1m=_HIVE,
    month_file="year={year}/month={number:02}/candles.parquet",
    manifest_name="_manifest.json",
)
LAYOUTS = (CSV, PARQUET)


def layouts_named(name: str | None) -> tuple[Layout, ...]:
    """The layout of a format; all of them where none is named.

    Raises:
        LoaderError: if no format has that name.
    """
    chosen = tuple(layout for layout in LAYOUTS if name in (None, layout.name))
    if not chosen:
        names = " or ".join(layout.name for layout in LAYOUTS)
        raise LoaderError(f"{name!r} is no format of partitions; write {names}")
    return chosen
