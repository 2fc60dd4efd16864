"""Parquet: one hive-partitioned table of all series below the data root (rule E2)."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS
from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.formats.arrow_schema import SchemaWithMetadata
from candle_ingestor.partitions.formats.base import FileSubject, MonthFile
from candle_ingestor.partitions.manifest import FORMAT_VERSION, MonthEntry
from candle_ingestor.partitions.scaled import scaled_columns

TABLE = "parquet"
"""The folder of the table below the data root; of all that is in it, only data has a bare name."""

_COLUMNS: dict[str, pl.DataType] = {
    "timestamp": pl.Datetime("ms", "UTC"),
    **dict.fromkeys(VALUE_COLUMNS, pl.Int64()),
    "price_decimal_digits": pl.Int64(),
    "volume_decimal_digits": pl.Int64(),
}
_ROWS_A_GROUP = 10 * 1440
"""Ten days of minutes; whole days of every longer candle, too."""

_ZSTD_LEVEL = 3
_MONTH_FILE = re.compile(r"year=([0-9]{4})/month=(0[1-9]|1[0-2])/candles\.parquet")


class ParquetFormat:
    """`exchange=…/symbol=…/timeframe=…/year=…/month=…/candles.parquet` below `TABLE`.

    Readers of such tables take for data what begins with neither `_` nor `.`, as the manifest does.
    """

    name = ExportFormat.PARQUET
    series_folders = f"{TABLE}/exchange=*/symbol=*/timeframe=*"
    manifest_name = "_manifest.json"
    grows = False

    def folder_of(self, data_root: Path, series: Series) -> Path:
        """`parquet/exchange=aggregated/symbol=BTCUSD/timeframe=1m`."""
        return (
            data_root
            / TABLE
            / f"exchange={series.exchange}"
            / f"symbol={series.symbol.folder_name}"
            / f"timeframe={series.timeframe}"
        )

    def month_file(self, month: Month) -> str:
        """Such as `year=2024/month=01/candles.parquet`, which sorts by time as text does."""
        return f"year={month.year:04}/month={month.month:02}/candles.parquet"

    def month_of(self, file: str) -> Month | None:
        """The month of `year=2024/month=01/candles.parquet`; None for other files."""
        match = _MONTH_FILE.fullmatch(file)
        return None if match is None else Month(int(match[1]), int(match[2]))

    def no_rows(self, subject: FileSubject) -> ParquetHead:
        """A table of no rows."""
        return ParquetHead(subject, pl.DataFrame(schema=_COLUMNS))

    def head(
        self, subject: FileSubject, on_disk: bytes, described: MonthEntry, until_ms: int
    ) -> ParquetHead | None:
        """The rows before the time, maybe none; None if the file is another."""
        if hashlib.sha256(on_disk).hexdigest() != described.sha256:
            return None
        rows = pl.read_parquet(io.BytesIO(on_disk), hive_partitioning=False)
        kept = rows.filter(rows["timestamp"].cast(pl.Int64) < until_ms)
        return ParquetHead(subject, kept, rows, on_disk)


@dataclass(frozen=True)
class ParquetHead:
    """The rows that stay, and the file that they are from, where they are from one."""

    subject: FileSubject
    kept: pl.DataFrame
    on_disk_rows: pl.DataFrame | None = None
    on_disk: bytes | None = None

    def followed_by(self, candles: pl.DataFrame) -> MonthFile:
        """Those rows, and one for each of the candles.

        A file that holds just these stays: another release of the encoder may make other bytes.
        """
        rows = pl.concat([self.kept, _rows(self.subject, candles)]) if candles.height else self.kept
        is_on_disk = self.on_disk_rows is not None and rows.equals(self.on_disk_rows)
        content = self.on_disk if is_on_disk else None
        if content is None:
            content = _encoded(self.subject, rows)
        times = rows["timestamp"].cast(pl.Int64)
        return MonthFile(
            content,
            hashlib.sha256(content).hexdigest(),
            rows.height,
            times[0] if rows.height else None,
            times[-1] if rows.height else None,
        )


def _rows(subject: FileSubject, candles: pl.DataFrame) -> pl.DataFrame:
    price, volume = subject.digits
    columns = [
        candles["open_time_ms"].cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        *scaled_columns(subject.series, subject.digits, candles),
    ]
    return (
        pl.DataFrame(columns)
        .rename({"open_time_ms": "timestamp"})
        .with_columns(
            pl.lit(price, pl.Int64).alias("price_decimal_digits"),
            pl.lit(volume, pl.Int64).alias("volume_decimal_digits"),
        )
    )


def _encoded(subject: FileSubject, rows: pl.DataFrame) -> bytes:
    metadata = _metadata_of(subject)
    buffer = io.BytesIO()
    rows.rechunk().write_parquet(
        buffer,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        statistics=True,
        row_group_size=_ROWS_A_GROUP,
        metadata=metadata,
        arrow_schema=SchemaWithMetadata(rows.schema, metadata),
    )
    return buffer.getvalue()


def _metadata_of(subject: FileSubject) -> dict[str, str]:
    series = subject.series
    return {
        "format_version": str(FORMAT_VERSION),
        "exchange": series.exchange,
        "symbol": str(series.symbol),
        "timeframe": str(series.timeframe),
        "price_decimal_digits": str(subject.digits.price),
        "volume_decimal_digits": str(subject.digits.volume),
        "fill": subject.fill.value,
        # Gaps are told there, and whether this is the whole file.
        "manifest": f"../../{ParquetFormat.manifest_name}",
    }
