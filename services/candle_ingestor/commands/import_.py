"""The command import: candles from exchanges' history files."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from rich.console import Console

from candle_ingestor.archives.finding import archives_below
from candle_ingestor.commands.import_table import ending, print_files
from candle_ingestor.commands.parts import load_symbols, make_progress
from candle_ingestor.commands.recording import recorded
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import is_store_there, make_store, open_store
from candle_ingestor.commands.stored import SettlingParts, settle_dependents
from candle_ingestor.config import Config
from candle_ingestor.errors import (
    SOME_TICKERS_FAILED,
    CandleIngestorError,
    ConfigurationError,
    DependencyError,
)
from candle_ingestor.ingest.import_finding import FoundFiles, find_files
from candle_ingestor.ingest.import_report import (
    FileReport,
    bad_rows_json,
    differences_json,
    file_json,
    statuses_of,
)
from candle_ingestor.ingest.importing import Importer, ImportRules
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.imported_file import FileStatus, KnownFiles
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import counted, did_you_mean, some_of
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable_file, write_named_file
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store

log = logging.getLogger(__name__)


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


def import_files(config: Config, clock: Clock, console: Console) -> int:
    """Imports the files that are named, and settles the symbols that are merged from them.

    SIGTERM, Ctrl-C and the time limit end it between two pieces of a file.

    Returns:
        0, or 1 if a file could not be imported.

    Raises:
        ConfigurationError: if a path is not there, or nothing in it is a file of candles.
        RunLockHeldError: if another run holds the lock.
        RunLockLostError: if the lock was lost meanwhile.
        StoreError: if the store cannot be used.
    """
    _refuse_unwritable(config)
    config = replace(config, uses_redis=config.names_redis)
    run, found = _found(config, clock)
    if not is_store_there(config, clock):
        log.info("There is no store %s yet; import makes it", config.store.sqlite_path)
    stop = StopSignal(config.run.max_run_seconds)
    with (
        open_store(config, clock, stop) as opened,
        opened.stopped_without_lock(stop),
        make_progress(config.run.progress, stop) as progress,
    ):
        ledger = Ledger(opened.store)
        importer = _importer(config, clock, ledger, progress, stop, writes=True)
        parts = SettlingParts(clock.now_ms(), lambda: stop.is_urgent, progress)
        try:
            with _recorded(run, config, clock, opened.store, stop):
                for report in importer.import_all(found.files):
                    run.reports.append(report)
                if not stop.is_urgent:
                    run.outcomes |= settle_dependents(config, ledger, run.series, parts)
        except DependencyError as error:
            run.failure = error
    run.finished_ms = clock.now_ms()
    run.stop_reason = stop.reason
    run.failure = stop.failure or run.failure
    _publish(run, config, console)
    if run.failure is not None:
        with stop.named_in_errors():
            raise run.failure
    return SOME_TICKERS_FAILED if run.has_failed else 0


@contextmanager
def _recorded(
    run: ImportRun, config: Config, clock: Clock, store: Store, stop: StopSignal
) -> Iterator[None]:
    """Keeps in the store what the run does within."""
    with recorded("import", config, clock, store, stop) as record:
        try:
            yield
        finally:
            record.name_symbols(run.series)
            record.candles = sum(report.new for report in run.reports)
            record.outcomes = run.outcomes
            record.has_failed = run.has_failed


def plan_import(config: Config, clock: Clock, console: Console) -> int:
    """Reads the files, says what importing them would do, and writes nothing.

    Returns:
        0, or 1 if a file could not be imported.

    Raises:
        ConfigurationError: as `import_files`.
        StoreError: if the store cannot be read.
    """
    run, found = _found(config, clock)
    stop = StopSignal(config.run.max_run_seconds)
    with (
        closing(make_store(config, clock, may_create=False, stop=stop)) as store,
        make_progress(config.run.progress, stop) as progress,
    ):
        importer = _importer(config, clock, Ledger(store), progress, stop, writes=False)
        run.reports += importer.import_all(found.files)
    run.finished_ms = clock.now_ms()
    print_files(run.reports, console, is_full=True, is_plan=True)
    _say_left_out(run, console)
    say(console, "Nothing was written.")
    return SOME_TICKERS_FAILED if run.has_failed else 0


def _found(config: Config, clock: Clock) -> tuple[ImportRun, FoundFiles]:
    symbols = None
    if not config.symbols.are_in_redis:
        symbols = {request.symbol for request in load_symbols(config).requests}
    timeframe = None
    if config.is_given("candle_granularity_minutes"):
        timeframe = config.candles.timeframe
    paths = archives_below(config.archives.paths)
    found = find_files(paths, config.archives.naming, symbols, timeframe)
    places = ", ".join(map(str, config.archives.paths))
    if not found.files and not found.left_out:
        first = found.reports[0] if found.reports else None
        why = f": {first.path}: {first.error}" if first else ""
        raise ConfigurationError(f"no file of candles is in {places}{why}")
    lacking = _lacking(found, symbols, timeframe)
    if lacking is not None:
        said = f"no file in {places} has {lacking}"
        if not found.files:
            raise ConfigurationError(said)
        log.warning("%s", said)
    return ImportRun(clock.now_ms(), list(found.reports), found.left_out, {}), found


def _lacking(
    found: FoundFiles, symbols: Collection[Symbol] | None, timeframe: Timeframe | None
) -> str | None:
    """What is wanted and in no file, and what is there; None where all of it is."""
    there = {file.described.series.symbol for file in found.files}
    absent = sorted(set(symbols or ()) - there)
    if not absent and found.files:
        return None
    known = [str(series.symbol) for series in found.others]
    named = [_with_hint(each, known) for each in absent]
    what = some_of(named) if named else f"candles of {timeframe}"
    if named and timeframe is not None:
        what += f" in {timeframe}"
    if not found.others:
        return what
    return f"{what}; they are of {some_of(sorted(found.others))}"


def _with_hint(symbol: Symbol, known: Collection[str]) -> str:
    hint = "" if str(symbol) in known else did_you_mean(str(symbol), known)
    return f"{symbol} ({hint})" if hint else str(symbol)


def _importer(
    config: Config,
    clock: Clock,
    ledger: Ledger,
    progress: Progress,
    stop: StopSignal,
    *,
    writes: bool,
) -> Importer:
    archives = config.archives
    rules = ImportRules(
        config.candles.settle_seconds,
        config.candles.refetch_last_candles,
        archives.skips_bad_rows,
        archives.prefers_archive,
        writes,
    )
    known = KnownFiles(ledger.store.read_imported_files())
    return Importer(ledger, known, rules, clock.now_ms, progress, stop.is_set)


def _publish(run: ImportRun, config: Config, console: Console) -> None:
    # First the file: who reads the tables may close the pipe.
    if config.run.run_report_path is not None:
        text = json.dumps(_report_json(run), indent=2) + "\n"
        write_named_file("--run_report_path", config.run.run_report_path, text)
    if config.run.report != "none":
        print_files(run.reports, console, is_full=config.run.report == "full")
        _say_left_out(run, console)
        for outcome in run.outcomes.values():
            _say_outcome(outcome, config, console)
    if run.failure is None:
        seconds = (run.finished_ms - run.started_ms) / 1000
        say(console, ending(run.reports, seconds, run.stop_reason))
    if config.run.report != "none" and run.failure is None and run.stop_reason is None:
        _say_unmerged(run, config, console)


def _say_left_out(run: ImportRun, console: Console) -> None:
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


def _refuse_unwritable(config: Config) -> None:
    path = config.run.run_report_path
    if path is not None:
        require_writable_file("--run_report_path", path)
