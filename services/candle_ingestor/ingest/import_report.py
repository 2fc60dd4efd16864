"""What importing did to each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from candle_ingestor.ingest.sources.archive_blocks import BadRow
from candle_ingestor.model.imported_file import FileStatus
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text_if

MOST_DIFFERENCES_TOLD = 3


@dataclass
class Differences:
    """Candles of a file that differ from what the exchange's endpoint answered, in words."""

    count: int = 0
    first: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FileReport:
    """One file.

    Attributes:
        sha256: of the file on disk; None where it was not read.
        series: None where nothing says whose candles it has.
        read_as: what its columns and its span were taken for.
        rows: how many candles it has; of an unchanged one, as its record says.
        new: how many of them the store did not have.
        revised: how many candles of the store it replaced or took away.
        first_ms, last_ms: open times of the first and the last one.
        differences: to what the store had from the endpoint; it stays, unless the archive is
            preferred.
        bad_rows: the first ones, `bad_row_count` of them all.
        error: why it failed, was passed over or is not done.
    """

    path: str
    size_bytes: int
    status: FileStatus
    sha256: str | None = None
    series: Series | None = None
    read_as: str = ""
    rows: int = 0
    new: int = 0
    revised: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    differences: Differences = field(default_factory=Differences)
    bad_rows: Sequence[BadRow] = ()
    bad_row_count: int = 0
    error: str | None = None


def file_json(report: FileReport) -> dict[str, Any]:
    """The file as JSON values, times as ISO text."""
    series = report.series
    return {
        "path": report.path,
        "sha256": report.sha256,
        "status": report.status.value,
        "exchange": None if series is None else series.exchange,
        "symbol": None if series is None else str(series.symbol),
        "timeframe": None if series is None else str(series.timeframe),
        "rows": report.rows,
        "new": report.new,
        "first": iso_text_if(report.first_ms),
        "last": iso_text_if(report.last_ms),
        "error": report.error,
    }


def differences_json(reports: Sequence[FileReport]) -> list[dict[str, Any]]:
    """The files that differ from what the endpoint answered, with the first differences."""
    return [
        {"path": each.path, "candles": each.differences.count, "first": each.differences.first}
        for each in reports
        if each.differences.count
    ]


def bad_rows_json(reports: Sequence[FileReport]) -> list[dict[str, Any]]:
    """The first bad rows of every file that has any."""
    return [
        {"path": each.path, "line": row.line, "why": row.why, "text": row.text}
        for each in reports
        for row in each.bad_rows
    ]


def statuses_of(reports: Sequence[FileReport]) -> Counter[FileStatus]:
    """How many files came to what."""
    return Counter(report.status for report in reports)
