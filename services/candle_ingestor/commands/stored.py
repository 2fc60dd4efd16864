"""Settling what the store holds, for commands that ask no exchange."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from candle_ingestor.commands.parts import load_symbols
from candle_ingestor.commands.storage import LOCK_LOST, open_store
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ingest.window import window_of
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.run_lock import RunLockLostError
from candle_ingestor.operations.signals import stop_on_signals
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.settling import SettleRules, Settling, Wanted, settle
from candle_ingestor.settle.ticker import Ticker, basis_of, choose_basis
from candle_ingestor.symbols.requests import SymbolList, SymbolRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredSettled:
    """What settling did to each ticker, and why it ended early, if it did."""

    outcomes: Mapping[Ticker, TickerOutcome]
    stop_reason: str | None


def settle_stored(config: Config, clock: Clock, *, merges: bool, exports: bool) -> StoredSettled:
    """Settles the configured symbols, as far as the store holds anything of them.

    With `merges` everything is merged again by the configured rules; else what is stale, by the
    rules that the series remembers. With `exports` every month is brought in line. SIGTERM, Ctrl-C
    and the time limit end it between two pieces.

    Raises:
        ConfigurationError: if the store holds nothing of any symbol, or of too few exchanges.
        RunLockHeldError: if another run holds the lock.
        RunLockLostError: if the lock was lost meanwhile.
        StoreError: if the store cannot be used.
    """
    symbols = load_symbols(config)
    stop = StopSignal(config.run.max_run_seconds)
    now_ms = clock.now_ms()
    candles = config.candles
    rules = SettleRules(
        candles.timeframe.closed_end_ms(now_ms, candles.settle_seconds),
        config.store.service_identifier,
        merges_everything=merges,
        exports=config.export if exports else None,
        exports_everything=exports,
    )
    with (
        stop_on_signals(None, stop),
        open_store(config, clock, stop) as opened,
        opened.when_lock_lost(partial(_stop_without_lock, stop)),
    ):
        ledger = Ledger(opened.store)
        tickers = _stored_tickers(config, symbols, ledger, remembers=not merges)
        outcomes = {ticker: TickerOutcome(str(ticker.symbol)) for ticker in tickers}
        settling = Settling(ledger, rules, outcomes, stop.is_set)
        settling.adopt({})
        settle(settling, _wanted_of(config, symbols, tickers, ledger, now_ms))
    if stop.failure is not None:
        raise stop.failure
    return StoredSettled(outcomes, stop.reason)


def _stop_without_lock(stop: StopSignal, loss: RunLockLostError) -> None:
    stop.request(LOCK_LOST, is_urgent=True, failure=loss)


def _stored_tickers(
    config: Config, symbols: SymbolList, ledger: Ledger, *, remembers: bool
) -> list[Ticker]:
    tickers = []
    for request in symbols.requests:
        ticker = _stored_ticker(config, request, ledger, remembers=remembers)
        if ticker is not None:
            tickers.append(ticker)
    names = ", ".join(config.exchanges.names)
    timeframe = config.candles.timeframe
    if not tickers:
        raise ConfigurationError(
            f"{ledger.store.description} holds no {timeframe} candles of these symbols on "
            f"{names}; run the command ingest first"
        )
    found = {ticker.symbol for ticker in tickers}
    for request in symbols.requests:
        if request.symbol not in found:
            log.warning(
                "%s is left out: the store holds no %s candles of it on %s",
                request.symbol,
                timeframe,
                names,
            )
    return tickers


def _stored_ticker(
    config: Config, request: SymbolRequest, ledger: Ledger, *, remembers: bool
) -> Ticker | None:
    timeframe = config.candles.timeframe
    merged = Series.merged(request.symbol, timeframe)
    remembered = basis_of(ledger.records, merged)
    digits = request.price_decimal_digits, request.volume_decimal_digits
    if remembered is not None and remembers:
        return Ticker(merged, remembered, *digits)
    # No exchange is asked, so that those that went in before may still be there.
    unknown = {source.exchange for source in remembered.sources} if remembered else set()
    basis = choose_basis(
        request.symbol, timeframe, config.rules, {}, remembered, ledger.records.keys(), unknown
    )
    if not any(source in ledger.records for source in basis.sources):
        return None
    if len(basis.sources) < config.rules.min_exchanges:
        held = {source.exchange for source in basis.sources}
        lacking = [name for name in config.exchanges.names if name not in held]
        raise ConfigurationError(
            f"{request.symbol} cannot be merged from {config.rules.min_exchanges} exchanges: the "
            f"store holds nothing of it on {', '.join(lacking)}; lower --min_exchanges_required, "
            "or name other --exchanges"
        )
    return Ticker(merged, basis, *digits)


def _wanted_of(
    config: Config, symbols: SymbolList, tickers: Iterable[Ticker], ledger: Ledger, now_ms: int
) -> dict[Ticker, Wanted]:
    requests = {request.symbol: request for request in symbols.requests}
    wanted = {}
    for ticker in tickers:
        window = window_of(config.candles, requests[ticker.symbol], now_ms)
        start_ms = window.start_ms
        if start_ms is None:
            begun = [ledger.record(source).catch_up_from_ms for source in ticker.sources]
            start_ms = min((time for time in begun if time is not None), default=window.end_ms)
        start_ms = min(ticker.merged.timeframe.ceil_ms(max(start_ms, 0)), window.end_ms)
        span = Interval(start_ms, window.end_ms)
        wanted[ticker] = Wanted(span, window.start_ms, window.is_bounded)
    return wanted
