"""CSV: rows of text, of which a month in progress keeps those that it has (rules E1 and E2)."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.partitions.formats.base import FileSubject, MonthFile
from candle_ingestor.partitions.manifest import MonthEntry
from candle_ingestor.partitions.scaled import scaled_columns
from candle_ingestor.partitions.timestamps import parse_timestamp, timestamp_texts

HEADER = b"Timestamp,Open,High,Low,Close,Volume\n"

_BARE_TIMEFRAME = Timeframe(1)
_MONTH_FILE = re.compile(r"([0-9]{4})/(\1-(?:0[1-9]|1[0-2]))\.csv")
_ROWS_AT_ONCE = 4096
_TIMESTAMP_LENGTH = len("2024-01-15T00:00:00Z")


class CsvFormat:
    """`{exchange}/{ASSET}/{YYYY}/{YYYY-MM}.csv` below the data root, a line a candle."""

    name = ExportFormat.CSV
    series_folders = "*/*"
    manifest_name = "manifest.json"
    grows = True

    def folder_of(self, data_root: Path, series: Series) -> Path:
        """`{exchange}/{ASSET}`, or `{exchange}/{ASSET}_{timeframe}` for others than 1m."""
        folder = series.symbol.folder_name
        if series.timeframe != _BARE_TIMEFRAME:
            folder += f"_{series.timeframe}"
        return data_root / series.exchange / folder

    def month_file(self, month: Month) -> str:
        """Such as `2024/2024-01.csv`."""
        return f"{month.year:04}/{month}.csv"

    def month_of(self, file: str) -> Month | None:
        """The month of `2024/2024-01.csv`; None for other files."""
        match = _MONTH_FILE.fullmatch(file)
        return None if match is None else Month.parse(match[2])

    def no_rows(self, subject: FileSubject) -> CsvHead:
        """The header alone."""
        return CsvHead(subject, HEADER, 0, hashlib.sha256(HEADER))

    def head(
        self, subject: FileSubject, on_disk: bytes, described: MonthEntry, until_ms: int
    ) -> CsvHead | None:
        """The lines before the time; None without any, or if the file is another."""
        position = _position_of(on_disk, until_ms)
        if position <= len(HEADER):
            return None
        kept = memoryview(on_disk)[:position]
        digest = hashlib.sha256(kept)
        whole = digest.copy()
        whole.update(memoryview(on_disk)[position:])
        if whole.hexdigest() != described.sha256:
            return None
        lost_rows = on_disk.count(b"\n", position)
        return CsvHead(subject, kept, described.rows - lost_rows, digest)


@dataclass(frozen=True)
class CsvHead:
    """The header and the lines that stay; the digest is of them."""

    subject: FileSubject
    content: bytes | memoryview
    rows: int
    digest: hashlib._Hash

    def followed_by(self, candles: pl.DataFrame) -> MonthFile:
        """Those lines, and one for each of the candles."""
        tail = _lines(self.subject, candles) if candles.height else b""
        content = b"".join((self.content, tail))
        rows = self.rows + candles.height
        digest = self.digest.copy()
        digest.update(tail)
        return MonthFile(
            content,
            digest.hexdigest(),
            rows,
            _open_time_at(content, len(HEADER)) if rows else None,
            _open_time_at(content, content.rfind(b"\n", 0, -1) + 1) if rows else None,
        )


def _lines(subject: FileSubject, candles: pl.DataFrame) -> bytes:
    columns = [
        timestamp_texts(candles["open_time_ms"]).alias("timestamp"),
        *scaled_columns(subject.series, subject.digits, candles),
    ]
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_csv(
        buffer, include_header=False, quote_style="never", batch_size=_ROWS_AT_ONCE
    )
    return buffer.getvalue()


def _position_of(content: bytes, time_ms: int) -> int:
    """Where the first row at or after `time_ms` begins in a partition; its end without one."""
    wanted = iso_text(time_ms).encode("ascii")
    # Rows ascend, and times of this form ascend as their texts do.
    low, high = len(HEADER), len(content)
    while low < high:
        middle = (low + high) // 2
        start = max(content.rfind(b"\n", low, middle) + 1, low)
        if content[start : start + len(wanted)] >= wanted:
            high = start
        else:
            end = content.find(b"\n", middle, high)
            low = high if end < 0 else end + 1
    return low


def _open_time_at(content: bytes, position: int) -> int:
    return parse_timestamp(content[position : position + _TIMESTAMP_LENGTH].decode("ascii"))
