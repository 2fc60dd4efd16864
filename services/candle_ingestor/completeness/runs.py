"""Past and present runs, told from their reports. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from candle_ingestor.model.csv_text import csv_text
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.times import iso_text, iso_text_if

Report = Mapping[str, Any]

FORMAT_VERSION = 1
RUNNING = "running"
INGEST = "ingest"
_FILLING = (INGEST, "import", "merge")
INTERRUPTED = "interrupted"
"""Of a run that began and neither ended nor is there any more."""


def running_by_lock(runs: Sequence[Report], lock_of: Callable[[Report], str]) -> dict[str, Report]:
    """By lock, the run that may be working, of reports that come newest first.

    A lock lets one run work at a time (rule C6), so that it can only be the newest.
    """
    newest: dict[str, Report] = {}
    for run in runs:
        newest.setdefault(lock_of(run), run)
    return {lock: run for lock, run in newest.items() if run["status"] == RUNNING}


def with_interrupted(runs: Sequence[Report], alive: Collection[str]) -> list[dict[str, Any]]:
    """The reports, of which those of runs that died say so; `alive` are the ids of others."""
    return [
        {**run, "status": INTERRUPTED}
        if run["status"] == RUNNING and run["run_id"] not in alive
        else dict(run)
        for run in runs
    ]


def command_of(run: Report) -> str:
    """The command whose record it is; a report of an earlier version is of ingest."""
    return str(run.get("command") or INGEST)


def may_fill_gaps(run: Report) -> bool:
    """Whether it works, and may leave fewer gaps."""
    return run["status"] == RUNNING and command_of(run) in _FILLING


def filled_by(runs: Sequence[Report], records: Mapping[Series, SeriesRecord]) -> frozenset[Series]:
    """The series of which a run that works may leave fewer gaps."""
    found: set[Series] = set()
    for run in filter(may_fill_gaps, runs):
        symbols, timeframe = run.get("symbols"), run.get("timeframe")
        for series, record in records.items():
            is_of_symbol = not symbols or str(series.symbol) in symbols
            if is_of_symbol and timeframe in (None, str(series.timeframe)):
                found |= {series, *record.sources}
    return frozenset(found)


def runs_json(runs: Sequence[Report], store: str) -> dict[str, Any]:
    """A line of figures for each run; docs/looking.md describes every field."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "runs": [figures_of(run) for run in runs],
    }


def runs_csv(runs: Sequence[Report]) -> str:
    """The same as a table with a header; what is not known is empty."""
    found = map(figures_of, runs)
    return csv_text(
        COLUMNS, ({**figures, "exchanges": " ".join(figures["exchanges"])} for figures in found)
    )


COLUMNS = (
    *("run_id", "service_identifier", "status", "started", "finished", "seconds", "stop_reason"),
    *("error", "exchanges"),
    *("timeframe", "symbols_wanted", "symbols_complete", "requests", "candles", "merged_candles"),
    *("gap_candles", "command", "candles_removed", "files_removed", "files_written"),
)
"""The fields of a run, in their order."""


def figures_of(run: Report) -> dict[str, Any]:
    """The figures of one run, summed over its symbols and exchanges."""
    finished_ms = run.get("finished_ms") or None
    totals = run.get("exchange_totals", {}).values()
    tickers = run.get("tickers", ())
    return {
        "run_id": run["run_id"],
        "service_identifier": run.get("service_identifier"),
        "status": run["status"],
        "started": iso_text(run["started_ms"]),
        "finished": iso_text_if(finished_ms),
        "seconds": None if finished_ms is None else (finished_ms - run["started_ms"]) / 1000,
        "stop_reason": run.get("stop_reason"),
        "error": run.get("error"),
        "exchanges": list(run.get("exchanges", ())),
        "timeframe": run.get("timeframe"),
        "symbols_wanted": run.get("symbols_wanted", 0),
        "symbols_complete": run.get("symbols_complete", 0),
        "requests": sum(total["requests"] for total in totals),
        "candles": run.get("candles", 0) + sum(total["candles"] for total in totals),
        "merged_candles": sum(ticker["merged_candles"] for ticker in tickers),
        "gap_candles": sum(sum(each.get("gap_candles", {}).values()) for each in tickers),
        "command": command_of(run),
        "candles_removed": run.get("candles_removed", 0),
        "files_removed": run.get("files_removed", 0),
        "files_written": sum(len(ticker.get("files_written", ())) for ticker in tickers),
    }
