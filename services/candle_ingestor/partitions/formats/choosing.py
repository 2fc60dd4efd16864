"""The formats by their names, and which of them a data root has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.formats.base import Format
from candle_ingestor.partitions.formats.csv_format import CsvFormat
from candle_ingestor.partitions.formats.parquet_format import ParquetFormat

CSV = CsvFormat()

FORMATS: Mapping[ExportFormat, Format] = {each.name: each for each in (CSV, ParquetFormat())}


def formats_of(data_root: Path, series: Series) -> tuple[ExportFormat, ...]:
    """The formats in which a data root has a folder of the series."""
    return tuple(
        name for name, each in FORMATS.items() if each.folder_of(data_root, series).is_dir()
    )


def formats_below(data_root: Path) -> tuple[ExportFormat, ...]:
    """The formats in which a data root has any series."""
    return tuple(name for name, each in FORMATS.items() if _has_manifest(data_root, each))


def _has_manifest(data_root: Path, layout: Format) -> bool:
    return any(data_root.glob(f"{layout.series_folders}/{layout.manifest_name}"))
