"""Run reports as points (rule F4). Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from candle_ingestor.stores.influxdb.lines import INGESTION_RUNS, point_line, tag_text
from candle_ingestor.stores.influxdb.parts import TextInParts, joined
from candle_ingestor.stores.run_json import encode_run, newest_first

_SOURCE_COUNTS = (
    "requests",
    "candles",
    "revised",
    "rejected",
    "excluded",
    "retries",
    "failed_pages",
)
_PART_COLUMN = "report_part_"


def run_time_ns(report: Mapping[str, Any]) -> int:
    """The run's start, with nanoseconds that tell apart runs that start in one millisecond."""
    return int(report["started_ms"]) * 1_000_000 + zlib.crc32(report["run_id"].encode()) % 1_000_000


def run_line(report: Mapping[str, Any]) -> str:
    """The line of a run report: figures for dashboards, and the report itself in parts.

    Raises:
        ValueError: if `run_id`, `started_ms` or `status` is missing, or a value is none of JSON's.
    """
    text = TextInParts.cut(encode_run(report))
    fields: dict[str, int | float | str] = {
        "run_id": str(report["run_id"]),
        # A report of an earlier version is of the one command that left one.
        "command": str(report.get("command") or "ingest"),
        **figures(report),
        "report_digest": text.digest,
        "report_parts": len(text.parts),
        **{f"{_PART_COLUMN}{number}": part for number, part in enumerate(text.parts)},
    }
    return point_line(INGESTION_RUNS, {"status": report["status"]}, fields, run_time_ns(report))


def run_reports(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The reports of the rows of a runs query, newest first, the later of one run only.

    Raises:
        IncompleteTextError: if a report is not whole.
    """
    reports: dict[str, dict[str, Any]] = {}
    for row in rows.iter_rows(named=True):
        parts = {
            int(name.removeprefix(_PART_COLUMN)): part
            for name, part in row.items()
            if name.startswith(_PART_COLUMN)
        }
        count, digest = row["report_parts"], row["report_digest"]
        report: dict[str, Any] = json.loads(joined(parts, int(count or 0), digest or ""))
        earlier = reports.get(report["run_id"])
        if earlier is None or _finished_ms(earlier) < _finished_ms(report):
            reports[report["run_id"]] = report
    return sorted(reports.values(), key=newest_first, reverse=True)


def other_statuses(rows: pl.DataFrame, report: Mapping[str, Any]) -> Iterator[str]:
    """The statuses, of the rows of a statuses query, that the run had before."""
    for row in rows.iter_rows(named=True):
        status = tag_text(row["status"])
        if row["run_id"] == report["run_id"] and status != report["status"]:
            yield status


def figures(report: Mapping[str, Any]) -> dict[str, int | float]:
    """The report's figures, summed over its tickers and their exchanges."""
    tickers: list[Mapping[str, Any]] = report.get("tickers") or []
    sources = [s for ticker in tickers for s in (ticker.get("exchanges") or {}).values()]
    counts = {name: sum(int(s.get(name) or 0) for s in sources) for name in _SOURCE_COUNTS}
    # Of other commands than ingest a report has the sum.
    counts["candles"] += int(report.get("candles") or 0)
    return {
        "seconds": float(report.get("seconds") or 0),
        "tickers": len(tickers),
        "failed_tickers": sum(bool(ticker.get("errors")) for ticker in tickers),
        "dropped_symbols": len(report.get("dropped_symbols") or ()),
        "unavailable_exchanges": len(report.get("unavailable_exchanges") or ()),
        **counts,
        "merged_candles": sum(int(ticker.get("merged_candles") or 0) for ticker in tickers),
        "gap_candles": sum(sum((ticker.get("gap_candles") or {}).values()) for ticker in tickers),
    }


def _finished_ms(report: Mapping[str, Any]) -> int:
    return int(report.get("finished_ms") or 0)
