"""The command import: candles from exchanges' history files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from rich.console import Console

from candle_ingestor.archives.finding import archives_below
from candle_ingestor.commands.import_outcome import ImportRun, publish, say_left_out
from candle_ingestor.commands.import_table import print_files
from candle_ingestor.commands.parts import load_symbols, make_progress
from candle_ingestor.commands.recording import recorded
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import is_store_there, make_store, open_store
from candle_ingestor.commands.stored import SettlingParts, settle_dependents
from candle_ingestor.config import Config
from candle_ingestor.errors import (
    SOME_TICKERS_FAILED,
    ConfigurationError,
    DependencyError,
)
from candle_ingestor.ingest.import_finding import FoundFiles, find_files
from candle_ingestor.ingest.importing import Importer, ImportRules
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.imported_file import KnownFiles
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import did_you_mean, some_of
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable_file
from candle_ingestor.stores.base import Store

log = logging.getLogger(__name__)


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
    if config.run.run_report_path is not None:
        require_writable_file("--run_report_path", config.run.run_report_path)
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
    publish(run, config, console)
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
            record.candles = sum(report.new + report.revised for report in run.reports)
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
    say_left_out(run, console)
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
