"""Compares series with their exchanges, for the command verify; loads ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from candle_ingestor.commands.clients import make_clients
from candle_ingestor.config import Config
from candle_ingestor.config.exchange_flags import known_exchanges
from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.availability import learn_markets
from candle_ingestor.exchanges.errors import words_without
from candle_ingestor.exchanges.markets import (
    CachedMarkets,
    DiskMarketsCache,
    Markets,
    busiest_markets,
)
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, close_all
from candle_ingestor.ingest.sources.base import CandleSource
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import Progress
from candle_ingestor.operations.signals import stop_on_signals
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import Store
from candle_ingestor.verify.asking import (
    ExchangeCheck,
    ExchangeChecked,
    SeriesChecked,
    askable,
)
from candle_ingestor.verify.drawing import draw
from candle_ingestor.verify.report import VerifyReport


class _KeptMarkets:
    """The markets that a run kept on disk; nothing is written."""

    def __init__(self, cache: DiskMarketsCache) -> None:
        self._cache = cache

    def read(self, exchange: str, address: str) -> CachedMarkets | None:
        return self._cache.read(exchange, address)

    def write(self, exchange: str, address: str, cached: CachedMarkets) -> str | None:
        return None


@dataclass(frozen=True)
class VerifyParts:
    """What comparing with exchanges needs. `ledger` is of `store`."""

    config: Config
    clock: Clock
    store: Store
    ledger: Ledger
    stop: StopSignal
    progress: Progress


def compare_with_exchanges(
    parts: VerifyParts, series: Collection[Series], within: IntervalSet, report: VerifyReport
) -> set[Series]:
    """Asks for what is drawn of these series, or for all of them within the span.

    Every exchange that has candles of them is asked, whichever are configured.

    Returns:
        The series that were repaired.

    Raises:
        StoreError: if the store fails.
    """
    known = set(known_exchanges())
    for each in series:
        report.series[each] = SeriesChecked(each)
        if each.exchange not in report.exchanges:
            report.exchanges[each.exchange] = ExchangeChecked(each.exchange)
            if each.exchange not in known:
                report.exchanges[each.exchange].error = "is no exchange that can be asked any more"
    names = [name for name in report.exchanges if name in known]
    check = ExchangeCheck(
        parts.ledger,
        lambda: Ledger(parts.store),
        report.findings,
        parts.progress,
        parts.stop.is_set,
        repairs=report.repairs,
    )
    try:
        asyncio.run(_Asking(parts, within, report).ask(names, check))
    except* DependencyError as errors:
        raise _first(errors) from None
    report.candles_changed += check.candles_changed
    return check.repaired


@dataclass(frozen=True)
class _Asking:
    parts: VerifyParts
    within: IntervalSet
    report: VerifyReport

    async def ask(self, names: Sequence[str], check: ExchangeCheck) -> None:
        bases = sorted({series.symbol.base for series in self.report.series})
        clients = make_clients(
            self.parts.config.exchanges.of(names), bases, self.parts.clock.now_ms
        )
        try:
            with stop_on_signals(asyncio.get_running_loop(), self.parts.stop):
                sessions = [
                    ExchangeSession(each, RetryPolicy(), self.parts.stop) for each in clients
                ]
                sources = {each.exchange: self._source(each) for each in sessions}
                chosen = self._choose(sources)
                self.parts.progress.begin("Asking the exchanges which markets they have")
                asked = {series.exchange for series in chosen}
                markets = await self._learn([s for s in sessions if s.exchange in asked])
                self._note_not_askable(chosen, sources, markets)
                chosen = {
                    series: span
                    for series, span in chosen.items()
                    if not self.report.series[series].not_askable
                }
                await check.compare(chosen, sources, self.report.series, self.report.exchanges)
        finally:
            await close_all(clients)

    def _source(self, session: ExchangeSession) -> CandleSource:
        candles = self.parts.config.candles
        return CcxtCandles(
            session, self.parts.clock.now_ms, candles.settle_seconds, candles.refetch_last_candles
        )

    def _choose(self, sources: dict[str, CandleSource]) -> dict[Series, IntervalSet]:
        known = {
            series: askable(
                self.parts.ledger, series, self.within, sources[series.exchange], checked
            )
            for series, checked in self.report.series.items()
            if series.exchange in sources
        }
        known = {series: span for series, span in known.items() if span}
        if self.report.sample is None or self.report.seed is None:
            return known
        return draw(known, self.report.sample, self.report.seed)

    async def _learn(self, sessions: Sequence[ExchangeSession]) -> Markets:
        config = self.parts.config
        cache = _KeptMarkets(DiskMarketsCache(config.store.sqlite_path.parent / "markets_cache"))
        markets, errors = await learn_markets(
            sessions, cache, self.parts.clock.now_ms(), config.exchanges.markets_cache_hours
        )
        for session in sessions:
            session.witnesses = busiest_markets(markets[session.exchange] or ())
        for exchange, error in errors.items():
            self.report.exchanges[exchange].error = words_without(exchange, error)
        return markets

    def _note_not_askable(
        self,
        chosen: dict[Series, IntervalSet],
        sources: dict[str, CandleSource],
        markets: Markets,
    ) -> None:
        for series in chosen:
            listed = markets[series.exchange]
            checked = self.report.series[series]
            if listed is None:
                checked.not_askable = "the exchange did not tell its markets"
            elif series.symbol not in listed:
                checked.not_askable = "the exchange does not list it any more"
            elif str(series.timeframe) not in sources[series.exchange].timeframes:
                checked.not_askable = f"the exchange has no {series.timeframe} candles"


def _first(errors: BaseExceptionGroup[DependencyError]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
