"""The command prune: removes series, or candles before a date."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from rich.console import Console

from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.prune_words import done_words, plan_words
from candle_ingestor.commands.reading import nothing_stored, print_json, reading, shown_series
from candle_ingestor.commands.recording import CommandRecord, recorded
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import open_store
from candle_ingestor.commands.stored import SettlingParts, settle_dependents
from candle_ingestor.config import Config, ExportConfig
from candle_ingestor.errors import SOME_TICKERS_FAILED, ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.signals import let_interrupts_end_waits
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.prune.folders import exported_formats
from candle_ingestor.prune.plan import PrunePlan
from candle_ingestor.prune.plan import plan_prune as plan_of
from candle_ingestor.prune.removing import Pruner
from candle_ingestor.prune.report_json import Pruned, prune_json
from candle_ingestor.settle.exporting import Exporter
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker, ticker_of_one
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols.start_date import DayError

_CHOOSING = ("symbols", "symbols_file", "exchanges", "before")


def prune(config: Config, clock: Clock, console: Console) -> int:
    """Says what goes, asks, removes it, and brings in line what was made from it.

    Returns:
        0, also where the answer was no; 1 if something could not be brought in line.

    Raises:
        ConfigurationError: if nothing says what is to go, if a symbol is named that the store knows
            nothing of, if a folder cannot be written, if nobody is there to be asked, or for
            another format than text and json.
        KeyboardInterrupt: where Ctrl-C answers; nothing is removed, and a note says so.
        RunLockHeldError: if another run holds the lock.
        StoreError: if the store cannot be used.
    """
    _refuse_format(config)
    if not config.prune.is_confirmed:
        _require_somebody_to_ask(config)
    before_ms = _before_ms(config, clock)
    told = _tell_plan(config, clock, console, before_ms, is_dry=False)
    if not told.is_something:
        return 0
    if not config.prune.is_confirmed and not _is_wanted(console):
        say(console, "Nothing was removed.")
        return 0
    require_writable("--data_root", config.export.data_root)
    config = replace(config, uses_redis=config.names_redis)
    stop = StopSignal(config.run.max_run_seconds)
    with (
        open_store(config, clock, stop) as opened,
        opened.stopped_without_lock(stop),
        make_progress(config.run.progress, stop) as progress,
        recorded("prune", config, clock, opened.store, stop) as record,
    ):
        work = _Removal(config, clock, opened.store, stop, progress, record)
        plan, done = work.remove(before_ms)
    if stop.failure is not None:
        raise stop.failure
    if config.run.format == "json":
        values = prune_json(plan, told.store, clock.now_ms(), is_dry=False, done=done)
        print_json(console, values)
    else:
        for words in done_words(done):
            say(console, words)
        for error in done.errors:
            say(console, error, "red")
    return SOME_TICKERS_FAILED if done.errors else 0


def plan_prune(config: Config, clock: Clock, console: Console) -> int:
    """Says what would go, and writes nothing.

    Raises:
        ConfigurationError: as `prune`, but that nobody is asked.
        StoreError: if the store cannot be read.
    """
    _refuse_format(config)
    told = _tell_plan(config, clock, console, _before_ms(config, clock), is_dry=True)
    if told.is_something and config.run.format == "text":
        say(console, "Nothing was removed.")
    return 0


def _refuse_format(config: Config) -> None:
    form = config.run.format
    if form not in ("text", "json"):
        raise ConfigurationError(f"--format={form}: prune prints text or json; give one of them")


def _require_somebody_to_ask(config: Config) -> None:
    if config.run.format == "json":
        raise ConfigurationError(
            "--format=json: with it nobody is asked; give --yes, or see with --run_mode=dry what "
            "would go"
        )
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "prune asks before it removes anything, and there is no terminal to ask on; give "
            "--yes, or see with --run_mode=dry what would go"
        )


def _before_ms(config: Config, clock: Clock) -> int | None:
    if not any(map(config.is_typed, _CHOOSING)):
        raise ConfigurationError(
            "nothing says what to remove: give --symbols, --exchanges or --before"
        )
    if config.prune.before is None:
        return None
    now_ms = clock.now_ms()
    try:
        before_ms = config.prune.before.start_ms(now_ms)
    except DayError as error:
        raise ConfigurationError(f"--before: {error}") from error
    if before_ms > now_ms:
        raise ConfigurationError(
            f"--before={config.prune.before} lies in the future; without --before whole series go"
        )
    return before_ms


@dataclass(frozen=True)
class _Told:
    """Whether the plan that was told removes anything, and what its store is called."""

    is_something: bool
    store: str


def _tell_plan(
    config: Config, clock: Clock, console: Console, before_ms: int | None, *, is_dry: bool
) -> _Told:
    """Says what goes, told without the lock. As JSON only where that is all there is to say."""
    is_text = config.run.format == "text"
    with reading(config, clock) as store:
        ledger = Ledger(store)
        plan = PrunePlan(before_ms, ())
        if ledger.records:
            plan = _plan(config, ledger, before_ms)
        elif is_text:
            say(console, nothing_stored(store))
            return _Told(False, store.description)
        if is_text:
            for line in plan_words(plan):
                say(console, line)
        elif is_dry or plan.is_empty:
            values = prune_json(plan, store.description, clock.now_ms(), is_dry=is_dry, done=None)
            print_json(console, values)
        return _Told(not plan.is_empty, store.description)


def _is_wanted(console: Console) -> bool:
    let_interrupts_end_waits()
    try:
        answer = console.input("Remove this for good? [y/N] ", markup=False)
    except EOFError:
        return False
    except KeyboardInterrupt as interrupt:
        console.print()
        interrupt.add_note("nothing was removed")
        raise
    return answer.strip().lower() in ("y", "yes")


def _plan(config: Config, ledger: Ledger, before_ms: int | None) -> PrunePlan:
    names_exchanges = config.is_typed("exchanges")
    chosen = shown_series(replace(config, run=replace(config.run, by_exchange=True)), ledger)
    if names_exchanges:
        names = config.exchanges.names
        chosen = [each for each in chosen if not each.is_merged and each.exchange in names]
    try:
        return plan_of(
            ledger,
            chosen,
            before_ms,
            config.export.data_root,
            keeps_serving=not names_exchanges,
            restates=config.export.restate,
        )
    except PartitionError as error:
        raise ConfigurationError(str(error)) from error


@dataclass
class _Removal:
    config: Config
    clock: Clock
    store: Store
    stop: StopSignal
    progress: Progress
    record: CommandRecord

    def remove(self, before_ms: int | None) -> tuple[PrunePlan, Pruned]:
        """Plans anew, since a job may have worked meanwhile, removes, and settles."""
        ledger = Ledger(self.store)
        plan = _plan(self.config, ledger, before_ms)
        self.record.name_symbols(cut.series for cut in plan.cuts if not cut.is_empty)
        identifier = self.config.store.service_identifier
        pruner = Pruner(ledger, identifier, self.progress, self.stop.is_set)
        try:
            pruner.remove(plan)
        except PartitionError as error:
            raise ConfigurationError(f"{error}; then run the same command again") from error
        finally:
            self.record.candles_removed = pruner.candles
            self.record.files_removed = len(pruner.files)
        is_in_line = False
        if pruner.is_removed:
            self.record.outcomes = self._settle(plan)
            has_failed = any(each.errors for each in self.record.outcomes.values())
            is_in_line = not has_failed and not self.stop.is_urgent
        if is_in_line:
            pruner.finish(plan)
        done = self._pruned(pruner, is_in_line=is_in_line)
        self.record.files_removed = len(done.files_removed)
        return plan, done

    def _settle(self, plan: PrunePlan) -> dict[Ticker, TickerOutcome]:
        # What is made from whole series that went is told by the records that are left.
        ledger = Ledger(self.store)
        changed: set[Series] = set()
        for cut in plan.cuts:
            changed.update(ledger.record(cut.series).sources or [cut.series])
        export = self.config.export
        merged = {each for one in changed for each in ledger.dependents(one)}
        formats = exported_formats(ledger, {*changed, *merged}, export.data_root)
        export = replace(
            export,
            csv=bool(formats) and export.data_root.is_dir(),
            formats=formats or export.formats,
        )
        now_ms = self.clock.now_ms()
        parts = SettlingParts(now_ms, lambda: self.stop.is_urgent, self.progress)
        settled = settle_dependents(replace(self.config, export=export), ledger, changed, parts)
        # The present rules of a merged series may not name every exchange that has files.
        for cut in plan.cuts:
            is_left = cut.until_ms is not None and not cut.series.is_merged
            if is_left and cut.folders and not self.stop.is_urgent:
                formats = tuple(folder.layout.name for folder in cut.folders)
                self._export_own(ledger, cut.series, replace(export, formats=formats), settled)
        return settled

    def _export_own(
        self,
        ledger: Ledger,
        series: Series,
        export: ExportConfig,
        settled: dict[Ticker, TickerOutcome],
    ) -> None:
        """Exports an exchange's own series; what comes of it is told with those of its symbol."""
        ticker = ticker_of_one(series)
        of_symbol = (each for one, each in settled.items() if series in one.sources)
        outcome = next(of_symbol, None)
        if outcome is None:
            outcome = settled.setdefault(ticker, TickerOutcome(str(series.symbol)))
        settle_seconds = self.config.candles.settle_seconds
        closed_end_ms = series.timeframe.closed_end_ms(self.clock.now_ms(), settle_seconds)
        exporter = Exporter(replace(export, exchange_candles=False), ledger, closed_end_ms)
        exporter.export(ticker, outcome)
        exporter.finish()

    def _pruned(self, pruner: Pruner, *, is_in_line: bool) -> Pruned:
        outcomes = self.record.outcomes.values()
        written = [path for outcome in outcomes for path in outcome.files_written]
        return Pruned(
            pruner.candles,
            [path for path in pruner.files if str(path) not in written],
            written,
            sum(outcome.merged.candles for outcome in outcomes),
            None if is_in_line else self.stop.reason,
            [f"{each.symbol}: {error}" for each in outcomes for error in each.errors],
        )
