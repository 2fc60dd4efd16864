"""The command prune: removes series, or candles before a date."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.console import Console

from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.prune_words import plan_words
from candle_ingestor.commands.reading import nothing_stored, reading, shown_series
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import open_store
from candle_ingestor.commands.stored import SettlingParts, settle_dependents
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED, ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.prune.plan import PrunePlan
from candle_ingestor.prune.plan import plan_prune as plan_of
from candle_ingestor.prune.removing import Pruner
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols.start_date import DayError

_CHOOSING = ("symbols", "symbols_file", "exchanges", "before")


def prune(config: Config, clock: Clock, console: Console) -> int:
    """Says what goes, asks, removes it, and brings in line what was made from it.

    Returns:
        0, also where the answer was no; 1 if something could not be brought in line.

    Raises:
        ConfigurationError: if nothing says what is to go, if a symbol is named that the store knows
            nothing of, if a folder cannot be written, or if nobody is there to be asked.
        RunLockHeldError: if another run holds the lock.
        StoreError: if the store cannot be used.
    """
    if not config.prune.is_confirmed and not sys.stdin.isatty():
        raise ConfigurationError(
            "prune asks before it removes anything, and there is no terminal to ask on; give "
            "--yes, or see with --run_mode=dry what would go"
        )
    before_ms = _before_ms(config, clock)
    if not _tell_plan(config, clock, console, before_ms):
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
    ):
        work = _Removal(config, clock, opened.store, stop, progress)
        pruner = work.remove(before_ms)
    if stop.failure is not None:
        raise stop.failure
    removed = (
        f"{counted(pruner.candles, 'candle')} and {counted(len(pruner.files), 'file')} removed"
    )
    if not pruner.is_done:
        say(console, f"Stopped by {stop.reason}: {removed} so far. The same command goes on.")
        return 0
    for outcome in work.outcomes:
        written = counted(len(outcome.files_written), "CSV file")
        changed = counted(outcome.merged.candles, "merged candle")
        say(console, f"{outcome.symbol}: {changed} changed, {written} written")
        for error in outcome.errors:
            say(console, f"{outcome.symbol}: {error}", "red")
    say(console, f"{removed[0].upper()}{removed[1:]}.")
    has_failed = any(outcome.errors for outcome in work.outcomes)
    return SOME_TICKERS_FAILED if has_failed else 0


def plan_prune(config: Config, clock: Clock, console: Console) -> int:
    """Says what would go, and writes nothing.

    Raises:
        ConfigurationError: as `prune`, but that nobody is asked.
        StoreError: if the store cannot be read.
    """
    if _tell_plan(config, clock, console, _before_ms(config, clock)):
        say(console, "Nothing was removed.")
    return 0


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


def _tell_plan(config: Config, clock: Clock, console: Console, before_ms: int | None) -> bool:
    """Says what goes, told without the lock; whether there is anything."""
    with reading(config, clock) as store:
        ledger = Ledger(store)
        if not ledger.records:
            say(console, nothing_stored(store))
            return False
        plan = _plan(config, ledger, before_ms)
        for line in plan_words(plan):
            say(console, line)
    return not plan.is_empty


def _is_wanted(console: Console) -> bool:
    try:
        answer = console.input("Remove this for good? [y/N] ", markup=False)
    except EOFError:
        return False
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
    outcomes: Iterable[TickerOutcome] = ()

    def remove(self, before_ms: int | None) -> Pruner:
        """Plans anew, since a job may have worked meanwhile, removes, and settles."""
        ledger = Ledger(self.store)
        plan = _plan(self.config, ledger, before_ms)
        identifier = self.config.store.service_identifier
        pruner = Pruner(ledger, identifier, self.progress, self.stop.is_set)
        try:
            pruner.remove(plan)
        except PartitionError as error:
            raise ConfigurationError(f"{error}; then run the same command again") from error
        if pruner.is_done:
            self._settle(plan)
        return pruner

    def _settle(self, plan: PrunePlan) -> None:
        changed: list[Series] = [cut.series for cut in plan.cuts if not cut.series.is_merged]
        export = self.config.export
        has_files = any(cut.files and not cut.series.is_merged for cut in plan.cuts)
        export = replace(
            export,
            csv=export.data_root.is_dir(),
            exchange_candles=export.exchange_candles or has_files,
        )
        parts = SettlingParts(self.clock.now_ms(), lambda: self.stop.is_urgent, self.progress)
        config = replace(self.config, export=export)
        # What is made from whole series that went is told by the records that are left.
        settled = settle_dependents(config, Ledger(self.store), changed, parts)
        self.outcomes = settled.values()
