"""What a run of the command import did, as a file and in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from shlex import quote
from typing import Any

from rich.console import Console

from candle_ingestor.commands.import_table import ending, print_files
from candle_ingestor.commands.saying import say
from candle_ingestor.config import Config
from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.ingest.import_report import (
    FileReport,
    bad_rows_json,
    differences_json,
    file_json,
    statuses_of,
)
from candle_ingestor.model.imported_file import FileStatus
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, some_of
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.writable import write_named_file
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker


@dataclass
class ImportRun:
    """What a run of the command did.

    Attributes:
        reports: a file each.
        left_out: how many files are of other symbols or lengths than those that are wanted.
        outcomes: of the symbols that are merged from what was imported.
        stop_reason: why it ended early, if it did.
        failure: what ended it half-way.
    """

    started_ms: int
    reports: list[FileReport]
    left_out: int
    outcomes: dict[Ticker, TickerOutcome]
    finished_ms: int = 0
    stop_reason: str | None = None
    failure: CandleIngestorError | None = None

    @property
    def series(self) -> set[Series]:
        """What may have changed, by this run or by one before that was cut short.

        A file that fails may have done so half-way, or after such a run.
        """
        return {each.series for each in self.reports if each.series is not None}

    @property
    def has_failed(self) -> bool:
        """Whether a file could not be imported, or a symbol not be brought in line."""
        statuses = statuses_of(self.reports)
        is_short = any(outcome.errors for outcome in self.outcomes.values())
        return bool(statuses[FileStatus.FAILED]) or is_short


def publish(run: ImportRun, config: Config, console: Console) -> None:
    """Writes the report that is wanted of it, and prints what it came to."""
    # First the file: who reads the tables may close the pipe.
    if config.run.run_report_path is not None:
        text = json.dumps(_report_json(run), indent=2) + "\n"
        write_named_file("--run_report_path", config.run.run_report_path, text)
    if config.run.report != "none":
        print_files(run.reports, console, is_full=config.run.report == "full")
        say_left_out(run, console)
        for outcome in run.outcomes.values():
            _say_outcome(outcome, config, console)
    if run.failure is None:
        seconds = (run.finished_ms - run.started_ms) / 1000
        say(console, ending(run.reports, seconds, run.stop_reason))
    if config.run.report != "none" and run.failure is None and run.stop_reason is None:
        _say_unmerged(run, config, console)


def say_left_out(run: ImportRun, console: Console) -> None:
    """Says how many files are not of what is wanted, if any are."""
    if run.left_out:
        say(
            console,
            f"{counted(run.left_out, 'file')} of other symbols or lengths of candles left out",
        )


def _say_unmerged(run: ImportRun, config: Config, console: Console) -> None:
    merged_from = {source for ticker in run.outcomes for source in ticker.sources}
    unmerged = sorted(run.series - merged_from)
    if not unmerged:
        return
    first = unmerged[0]
    which = f"--symbols={first.symbol} --candle_granularity_minutes={first.timeframe.minutes}"
    if config.is_given("sqlite_path"):
        which += f" --sqlite_path={quote(str(config.store.sqlite_path))}"
    say(
        console,
        f"No symbol is merged yet from {some_of(unmerged)}. A run with their --exchanges does "
        "that, and fetches what is missing. For CSV of the files alone: candle-ingestor merge "
        f"--exchanges={first.exchange} {which}, then candle-ingestor export {which}",
    )


def _say_outcome(outcome: TickerOutcome, config: Config, console: Console) -> None:
    written = ""
    if outcome.files_written:
        files = len(outcome.files_written)
        written = f", {files:,} CSV files written below {config.export.data_root}"
    say(console, f"{outcome.symbol}: {outcome.merged.candles:,} merged candles changed{written}")
    for error in outcome.errors:
        say(console, f"{outcome.symbol}: {error}", "red")


def _report_json(run: ImportRun) -> dict[str, Any]:
    status = "stopped" if run.stop_reason else "ok"
    if run.has_failed or run.failure is not None:
        status = "failed"
    return {
        "command": "import",
        "status": status,
        "started": iso_text(run.started_ms),
        "started_ms": run.started_ms,
        "finished_ms": run.finished_ms,
        "seconds": (run.finished_ms - run.started_ms) / 1000,
        "stop_reason": run.stop_reason,
        "error": None if run.failure is None else str(run.failure),
        "files": [file_json(report) for report in run.reports],
        "files_left_out": run.left_out,
        "bad_rows": bad_rows_json(run.reports),
        "differences": differences_json(run.reports),
        "tickers": [
            {
                "symbol": outcome.symbol,
                "timeframe": str(ticker.merged.timeframe),
                "merged_candles": outcome.merged.candles,
                "files_written": outcome.files_written,
                "errors": outcome.errors,
            }
            for ticker, outcome in run.outcomes.items()
        ],
    }
