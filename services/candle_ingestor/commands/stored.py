"""Settling what the store holds, for commands that ask no exchange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from candle_ingestor.commands.parts import load_symbols, make_progress
from candle_ingestor.commands.recording import recorded
from candle_ingestor.commands.storage import open_store, require_store
from candle_ingestor.commands.stored_tickers import stored_tickers
from candle_ingestor.config import Config, DerivedConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.derived import merged_of
from candle_ingestor.settle.noting import note_gaps, wanted_gaps
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.settling import SettleRules, Settling, Wanted, settle
from candle_ingestor.settle.state import backfill_key, catch_up_key
from candle_ingestor.settle.ticker import Ticker, basis_of


@dataclass(frozen=True)
class StoredSettled:
    """What settling did to each ticker, in how many seconds, and why it ended early, if it did."""

    outcomes: Mapping[Ticker, TickerOutcome]
    seconds: float
    stop_reason: str | None


@dataclass(frozen=True)
class SettlingParts:
    """The time that it is, when what is left is for the next run, and what shows how far it is.

    With `exports_everything` every month is compared, whatever the backlog says.
    """

    now_ms: int
    is_urgent: Callable[[], bool]
    progress: Progress
    exports_everything: bool = False


def settle_stored(
    command: str,
    config: Config,
    clock: Clock,
    *,
    merges: bool = False,
    exports: bool = False,
    derives: bool = False,
) -> StoredSettled:
    """Settles the symbols of --symbols or --symbols_file, or else all that the store knows.

    The store keeps a record of it, under the name of the command.

    With `merges` everything is merged again: by the rules that are given, and for the rest by those
    that the series remembers. Without it only what is stale is merged, by the rules that the series
    remembers. With `derives` every coarser series is made again, the asked for ones among them.
    With `exports` every month is brought in line. SIGTERM, Ctrl-C and the time limit end it between
    two pieces.

    Raises:
        ConfigurationError: as `stored_tickers`, and where there is no store.
        RunLockHeldError: if another run holds the lock.
        RunLockLostError: if the lock was lost meanwhile.
        StoreError: if the store cannot be used.
    """
    symbols = None if config.symbols.are_in_redis else load_symbols(config)
    require_store(config, clock)
    config = replace(config, uses_redis=config.names_redis)
    stop = StopSignal(config.run.max_run_seconds)
    started_ms = clock.now_ms()
    candles = config.candles
    service = config.store.service_identifier
    rules = SettleRules(
        candles.timeframe.closed_end_ms(started_ms, candles.settle_seconds),
        service,
        merges_everything=merges,
        exports=config.export if exports else None,
        exports_everything=exports,
        now_ms=started_ms,
        derived=config.derived if derives else DerivedConfig(),
        derives_everything=derives,
    )
    with (
        open_store(config, clock, stop) as opened,
        opened.stopped_without_lock(stop),
        make_progress(config.run.progress, stop) as progress,
    ):
        progress.begin("Reading what is stored")
        ledger = Ledger(opened.store)
        tickers = stored_tickers(config, symbols, ledger, remembers=not merges)
        with recorded(command, config, clock, opened.store, stop) as record:
            record.name_symbols(ticker.merged for ticker in tickers)
            standing = opened.store.read_state(service)
            outcomes = {ticker: TickerOutcome(str(ticker.symbol)) for ticker in tickers}
            record.outcomes = outcomes
            settling = Settling(ledger, rules, outcomes, stop.is_set, progress)
            settling.adopt({})
            wanted = {
                each: _wanted_of(ledger, each, rules.closed_end_ms, standing) for each in tickers
            }
            settle(settling, wanted)
            if merges:
                merged = [ticker.merged for ticker in tickers]
                note_gaps(
                    ledger,
                    wanted_gaps(ledger, merged, started_ms, candles.settle_seconds),
                    started_ms,
                )
    if stop.failure is not None:
        raise stop.failure
    return StoredSettled(outcomes, (clock.now_ms() - started_ms) / 1000, stop.reason)


def settle_dependents(
    config: Config, ledger: Ledger, changed: Collection[Series], settling: SettlingParts
) -> dict[Ticker, TickerOutcome]:
    """Settles every symbol that is merged from one of these series, as its series remembers it.

    Exports what changed, unless that is not asked for.

    Raises:
        StoreError: if the store fails.
    """
    merged = {each for one in changed for each in merged_of(ledger, one)}
    by_timeframe: dict[Timeframe, list[Ticker]] = {}
    for series in sorted(merged):
        basis = basis_of(ledger.records, series)
        assert basis is not None
        by_timeframe.setdefault(series.timeframe, []).append(Ticker(series, basis))
    service = config.store.service_identifier
    standing = ledger.store.read_state(service) if merged else {}
    settled: dict[Ticker, TickerOutcome] = {}
    for timeframe, tickers in by_timeframe.items():
        closed_end_ms = timeframe.closed_end_ms(settling.now_ms, config.candles.settle_seconds)
        exports = config.export if config.export.csv else None
        rules = SettleRules(
            closed_end_ms,
            service,
            exports=exports,
            exports_everything=settling.exports_everything,
            now_ms=settling.now_ms,
        )
        outcomes = {ticker: TickerOutcome(str(ticker.symbol)) for ticker in tickers}
        settle(
            Settling(ledger, rules, outcomes, settling.is_urgent, settling.progress),
            {
                each: _with_state_kept(
                    each, _wanted_of(ledger, each, closed_end_ms, standing), standing
                )
                for each in tickers
            },
        )
        settled |= outcomes
    gaps = wanted_gaps(ledger, {*changed, *merged}, settling.now_ms, config.candles.settle_seconds)
    note_gaps(ledger, gaps, settling.now_ms)
    return settled


def last_words(settled: StoredSettled, done: str, result: str) -> str:
    """What was done and what came of it, or how far it came before it was stopped."""
    if settled.stop_reason is None:
        return f"{done} in {settled.seconds:.1f} s: {result}."
    return (
        f"Stopped by {settled.stop_reason} after {settled.seconds:.1f} s: {result} so far. "
        "The same command goes on from there."
    )


def _wanted_of(
    ledger: Ledger, ticker: Ticker, closed_end_ms: int, standing: Mapping[str, int]
) -> Wanted:
    """All that the store tells anything of; state that does not stand is not begun here."""
    merged = ticker.merged
    known = [_first_known_ms(ledger.record(series)) for series in (merged, *ticker.sources)]
    start_ms = min((time_ms for time_ms in known if time_ms is not None), default=closed_end_ms)
    processed_ms = standing.get(backfill_key(merged))
    if processed_ms is not None:
        # History may have been asked for from an earlier day on, of which nothing is known yet.
        start_ms = min(start_ms, processed_ms + merged.timeframe.duration_ms)
    start_ms = min(merged.timeframe.ceil_ms(max(start_ms, 0)), closed_end_ms)
    return Wanted(
        Interval(start_ms, closed_end_ms),
        None if processed_ms is None else start_ms,
        is_bounded=catch_up_key(merged) not in standing,
    )


def _with_state_kept(ticker: Ticker, wanted: Wanted, standing: Mapping[str, int]) -> Wanted:
    """The same, with a history that begins after what its state says was processed.

    History that was imported may lie long before the one that is asked for, and takes nothing back.
    """
    processed_ms = standing.get(backfill_key(ticker.merged))
    if processed_ms is None:
        return wanted
    following_ms = processed_ms + ticker.merged.timeframe.duration_ms
    return replace(wanted, backfill_start_ms=following_ms)


def _first_known_ms(record: SeriesRecord) -> int | None:
    known = [record.covered, *record.coverage.reasons.values()]
    return min((intervals.start_ms for intervals in known if intervals), default=None)
