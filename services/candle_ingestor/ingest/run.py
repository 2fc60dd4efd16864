"""One run of the job, from symbols to report."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from candle_ingestor.config import Config
from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.markets import MarketsCache
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, close_all
from candle_ingestor.ingest.accounting import account_for
from candle_ingestor.ingest.choosing import (
    choose_tickers,
    learn_all_markets,
    refuse_unoffered_timeframe,
)
from candle_ingestor.ingest.exporting import Exporter
from candle_ingestor.ingest.fetching import Fetcher, SeriesWork
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.merge_schedule import MergeSchedule
from candle_ingestor.ingest.merging import adopt_rules
from candle_ingestor.ingest.pager import Pager
from candle_ingestor.ingest.plan import Phase, Window
from candle_ingestor.ingest.report import RunReport, SourceReport, TickerReport
from candle_ingestor.ingest.state import honoured_catch_up_ms, state_of
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.ingest.window import window_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.progress import RunProgress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols.requests import SymbolList, SymbolRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunParts:
    """The real parts that `main` wires, or others that a test passes."""

    store: Store
    clients: Sequence[CandleClient]
    markets_cache: MarketsCache
    clock: Clock
    progress: RunProgress
    stop: StopSignal
    policy: RetryPolicy = field(default_factory=RetryPolicy)


async def run_ingest(
    config: Config,
    symbols: SymbolList,
    parts: RunParts,
    on_finished: Callable[[RunReport], None],
) -> None:
    """Fetches, merges, stores and exports what the configuration wants and the store lacks.

    The report is kept in the store and passed to `on_finished`, also when the run fails half-way.

    Raises:
        ConfigurationError: if no symbol can be served as configured.
        DependencyError: if the store, or every exchange, cannot be used.
    """
    run = _Run(config, symbols, parts)
    try:
        await run.execute()
    except BaseException as error:
        run.report.error = str(error) or type(error).__name__
        raise
    finally:
        await close_all(run.sessions)
        run.store_thread.close()
        try:
            run.finish()
        finally:
            on_finished(run.report)


class _Run:
    def __init__(self, config: Config, symbols: SymbolList, parts: RunParts) -> None:
        self.config = config
        self.symbols = symbols
        self.parts = parts
        self.started_ms = parts.clock.now_ms()
        self.sessions = [ExchangeSession(c, parts.policy, parts.stop) for c in parts.clients]
        self.store_thread = StoreThread()
        self.tickers: list[Ticker] = []
        self.works: dict[Series, SeriesWork] = {}
        self.reports: dict[Symbol, TickerReport] = {}
        self.report = RunReport(
            run_id=uuid.uuid4().hex,
            started_ms=self.started_ms,
            exchanges=config.exchanges,
            min_exchanges=config.rules.min_exchanges,
            timeframe=str(config.timeframe),
            duration_ms=config.timeframe.duration_ms,
            rejected_symbols=[f"{item.shown} {item.reason}" for item in symbols.rejected],
        )

    async def execute(self) -> None:
        await self._choose_tickers()
        if not self.tickers:
            return
        on_store = self.store_thread.run
        stored = set(await on_store(self.parts.store.list_series))
        aliases = self.config.rules.quote_aliases
        self.tickers = [
            ticker.with_stored(self.config.exchanges, aliases, stored) for ticker in self.tickers
        ]
        self.ledger = await on_store(Ledger, self.parts.store, self._merged_from())
        await on_store(self._adopt_rules)
        await self._make_works()
        merging = MergeSchedule(
            self.ledger,
            self.store_thread,
            self.config.rules,
            self.tickers,
            self.works,
            {symbol: report.merged for symbol, report in self.reports.items()},
            self.parts.stop,
        )
        fetcher = Fetcher(
            self.ledger,
            self.store_thread,
            self.parts.progress,
            on_task_done=merging.on_task_done,
            on_failure=self._note_failure,
        )
        try:
            for phase in Phase:
                await fetcher.fetch(self.works.values(), phase)
                await merging.finish(is_last=phase is Phase.BACKFILL)
                await on_store(self._write_state)
        finally:
            await merging.abandon()
            await on_store(self._account)
        if self.config.export_csv:
            await on_store(self._export)

    def finish(self) -> None:
        report = self.report
        report.finished_ms = self.parts.clock.now_ms()
        report.stop_reason = self.parts.stop.reason
        if not self.tickers and report.error is None:
            return
        try:
            self.parts.store.write_run(report.to_json())
        except DependencyError as error:
            if report.error is None:
                report.error = str(error)
                raise
            log.error("The run report could not be kept in the store: %s", error)

    async def _choose_tickers(self) -> None:
        markets = await learn_all_markets(
            self.config, self.sessions, self.parts.markets_cache, self.report
        )
        self.tickers = choose_tickers(self.config, self.symbols, markets, self.report)
        refuse_unoffered_timeframe(self.config, self.sessions, self.tickers)
        self.reports = {ticker.symbol: self._new_report(ticker) for ticker in self.tickers}
        self.report.tickers = [*self.reports.values(), *self.report.tickers]

    def _new_report(self, ticker: Ticker) -> TickerReport:
        return TickerReport(
            str(ticker.symbol),
            [SourceReport(s.exchange, str(s.symbol)) for s in ticker.sources],
            {exchange: str(symbol) for exchange, symbol in ticker.stand_ins.items()},
        )

    def _merged_from(self) -> dict[Series, tuple[Series, ...]]:
        merged: dict[Series, tuple[Series, ...]] = {}
        for ticker in self.tickers:
            for source in ticker.merge_sources:
                merged[source] = (*merged.get(source, ()), ticker.merged)
        return merged

    def _adopt_rules(self) -> None:
        for ticker in self.tickers:
            refetch_ms = self.config.refetch_ms
            changes = adopt_rules(self.ledger, ticker, self.config.rules, refetch_ms)
            if changes:
                self.reports[ticker.symbol].rule_changes = changes
                log.warning(
                    "%s is merged by other rules from here on (%s); run the command merge to "
                    "bring the past in line",
                    ticker.symbol,
                    "; ".join(changes),
                )

    async def _make_works(self) -> None:
        state = await self.store_thread.run(
            self.parts.store.read_state, self.config.service_identifier
        )
        pagers = {s.exchange: Pager(s, self.parts.clock.now_ms) for s in self.sessions}
        for ticker in self.tickers:
            window = self._window(ticker.request)
            for source, report in zip(
                ticker.sources, self.reports[ticker.symbol].sources, strict=True
            ):
                if source in self.works:
                    work = self.works[source]
                    work.window = work.window.reaching_back_to(window)
                    self._share_report(ticker, source, work.report)
                    continue
                self.works[source] = SeriesWork(
                    source,
                    window,
                    pagers[source.exchange],
                    report,
                    honoured_catch_up_ms(self.ledger, ticker, state),
                )

    def _share_report(self, ticker: Ticker, source: Series, report: SourceReport) -> None:
        reports = self.reports[ticker.symbol].sources
        reports[ticker.sources.index(source)] = report

    def _window(self, request: SymbolRequest) -> Window:
        return window_of(self.config, request, self.started_ms)

    def _note_failure(self, series: Series, message: str) -> None:
        for ticker in self.tickers:
            if series in ticker.sources:
                self.reports[ticker.symbol].fail(message)
        if self.config.fail_fast:
            self.parts.stop.request("--fail_fast")

    def _write_state(self) -> None:
        state: dict[str, int] = {}
        for ticker in self.tickers:
            window = self._window(ticker.request)
            state |= state_of(ticker, self.ledger.record(ticker.merged).covered, window)
        if state:
            self.parts.store.write_state(self.config.service_identifier, state)

    def _account(self) -> None:
        for ticker in self.tickers:
            report = self.reports[ticker.symbol]
            for exchange in ticker.unknown_exchanges:
                report.fail(self.report.unavailable_exchanges[exchange])
            account_for(ticker, self.ledger, self.works, self._window(ticker.request), report)

    def _export(self) -> None:
        exporter = Exporter(self.config, self.ledger, self.started_ms)
        for ticker in self.tickers:
            if self.parts.stop.is_urgent:
                log.warning("The export is left to the next run")
                return
            exporter.export(ticker, self.reports[ticker.symbol])
