"""One run of the job, from symbols to report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from candle_ingestor.config import Config
from candle_ingestor.errors import CandleIngestorError, DependencyError
from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.errors import words_without
from candle_ingestor.exchanges.markets import Markets
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.announcing import tell_outlook, tell_rule_changes
from candle_ingestor.ingest.choosing import (
    choose_markets,
    learn_all_markets,
    refuse_unoffered_timeframe,
    undecided_choices,
)
from candle_ingestor.ingest.failures import can_do_without, fail_what_is_missing
from candle_ingestor.ingest.fetching import Fetcher
from candle_ingestor.ingest.keeping import PageKeeper
from candle_ingestor.ingest.merge_schedule import MergeSchedule
from candle_ingestor.ingest.mixing import refuse_mixed_history
from candle_ingestor.ingest.noting import note_open_gaps
from candle_ingestor.ingest.plan import kept_from_ms
from candle_ingestor.ingest.preparing import (
    RunTicker,
    learnt_records,
    make_tickers,
    newest_needed_ms,
    plan_works,
    series_of,
    wanted_span,
    with_unreachable,
    with_wanted,
)
from candle_ingestor.ingest.report import RunReport, TickerReport
from candle_ingestor.ingest.report_json import running_json
from candle_ingestor.ingest.reporting import begun_report, end_report
from candle_ingestor.ingest.run_parts import RunParts
from candle_ingestor.ingest.sources.factory import Sources, source_parts, sources_of
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.trades_estimate import (
    estimate_words,
    measured_trades,
    reads_trades,
)
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.settle.accounting import source_gaps
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.settling import SettleRules, Settling, Wanted, settle
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)


async def run_once(config: Config, symbols: SymbolList, parts: RunParts) -> RunReport:
    """Fetches, merges, stores and exports what the configuration wants and the store lacks.

    The report is kept in the store, also when the run fails half-way: `failure` then says why.
    Exchanges are asked by sessions of this run only; nothing that `parts` holds is closed.
    """
    run = _Run(config, symbols, parts)
    try:
        await run.execute()
    except CandleIngestorError as error:
        run.report.failure = error
        run.report.error = str(error)
    except BaseException as error:
        run.report.error = str(error) or type(error).__name__
        raise
    finally:
        try:
            # Beside the event loop, which hears of signals.
            await run.store_thread.run(run.finish)
        finally:
            run.store_thread.close()
    return run.report


class _Run:
    def __init__(self, config: Config, symbols: SymbolList, parts: RunParts) -> None:
        self.config = config
        self.symbols = symbols
        self.parts = parts
        self.started_ms = parts.clock.now_ms()
        self.sessions = [self._session(client) for client in parts.clients]
        self.sources = self._sources()
        self.store_thread = StoreThread(is_loop_busy=self._is_loop_busy())
        self.tickers: list[RunTicker] = []
        self.works: dict[Series, SeriesWork] = {}
        self.outcomes: dict[Ticker, TickerOutcome] = {}
        self.closed_end_ms = config.candles.timeframe.closed_end_ms(
            self.started_ms, config.candles.settle_seconds
        )
        self.report = begun_report(config, symbols, self.started_ms)

    async def execute(self) -> None:
        on_store = self.store_thread.run
        await on_store(self.parts.store.write_run, running_json(self.report))
        self.parts.progress.begin("Asking the exchanges which markets they have")
        try:
            markets = await learn_all_markets(
                self.config, self.sessions, self.parts.markets_cache, self.report
            )
            if self.parts.stop.is_set():
                return
            choices = choose_markets(self.config, self.symbols, markets, self.report)
        except DependencyError:
            await on_store(self._note_unasked)
            raise
        if not choices:
            return
        for exchange, sources in self.sources.items():
            if any(exchange in choice.markets for choice in choices):
                refuse_unoffered_timeframe(sources.endpoint, self.config.candles.timeframe)
        self.parts.progress.begin("Reading what is stored")
        self.ledger = await on_store(Ledger, self.parts.store)
        self.tickers = make_tickers(
            self.config, self.symbols, choices, self.ledger.records, self.started_ms
        )
        self.outcomes = {
            each.ticker: TickerOutcome(str(each.ticker.symbol)) for each in self.tickers
        }
        settling = self._settling()
        await on_store(self._prepare, settling, markets)
        merging = MergeSchedule(
            self.ledger, self.store_thread, self.outcomes, self.works, self.parts.stop
        )
        keeper = PageKeeper(self.ledger, self.store_thread, merging.on_kept, self._note_failure)
        fetcher = Fetcher(
            self.ledger,
            self.store_thread,
            keeper,
            self.parts.progress,
            self.parts.stop.is_set,
            self._note_failure,
        )
        wanted = {each.ticker: self._wanted(each) for each in self.tickers}
        try:
            await on_store(self.ledger.count_unknown, series_of(self.tickers))
            await on_store(self._take_newest)
            await self._measure_trades()
            await fetcher.fetch(self.works.values())
            await merging.finish()
            await asyncio.gather(on_store(settle, settling, wanted), self.parts.when_fetched())
        except BaseException:
            await keeper.abandon()
            await merging.abandon()
            await on_store(settling.account, wanted)
            raise
        finally:
            await on_store(self._report_source_gaps)
        await on_store(self._note_open_gaps, choices)
        await on_store(
            fail_what_is_missing,
            self.ledger,
            self.tickers,
            self.outcomes,
            self.works,
            self.report.troubles,
        )

    def finish(self) -> None:
        parts = self.parts
        self.report.asked = {session.exchange: session.totals for session in self.sessions}
        end_report(self.report, parts.stop, parts.store, parts.clock.now_ms())

    def _settling(self) -> Settling:
        export = self.config.export
        rules = SettleRules(
            self.closed_end_ms,
            self.config.store.service_identifier,
            exports=export if export.csv else None,
            now_ms=self.started_ms,
            derived=self.config.derived,
        )
        return Settling(
            self.ledger,
            rules,
            self.outcomes,
            lambda: self.parts.stop.is_urgent,
            self.parts.progress,
        )

    def _prepare(self, settling: Settling, markets: Markets) -> None:
        learnt = learnt_records(self.tickers, self.ledger.records, markets, self._older_state())
        records = {**self.ledger.records, **learnt}
        refuse_mixed_history(self.config, self.tickers, records)
        self.works = plan_works(self.tickers, records, self.sources)
        tell_outlook(self.tickers, self.works, records, markets, self._reach_candles())
        records |= with_unreachable(self.works, records)
        known = {series: records[series] for series in (*learnt, *self.works)}
        settling.adopt(known | with_wanted(self.tickers, self.works, records))
        tell_rule_changes(self.outcomes)
        self._report_tickers()

    def _take_newest(self) -> None:
        since_ms = newest_needed_ms(self.tickers, self.ledger.records, self.closed_end_ms)
        if since_ms is not None:
            self.ledger.take_newest(series_of(self.tickers), since_ms)

    async def _measure_trades(self) -> None:
        if reads_trades(self.works.values()):
            self.parts.progress.begin("Measuring how many trades there are")
            for words in estimate_words(await measured_trades(self.works.values())):
                log.info("%s", words)

    def _reach_candles(self) -> dict[str, int | None]:
        timeframe = self.config.candles.timeframe
        return {each.exchange: each.habits.reach_in(timeframe) for each in self.sessions}

    def _older_state(self) -> dict[str, int]:
        records = (self.ledger.record(s) for each in self.tickers for s in each.ticker.sources)
        if all(record.covered for record in records):
            return {}
        return self.parts.store.read_state(self.config.store.service_identifier)

    def _session(self, client: CandleClient) -> ExchangeSession:
        def note_search(market_symbol: str, timeframe: Timeframe) -> None:
            # Candles of another length than those wanted tell when a market was listed.
            if timeframe != self.config.candles.timeframe:
                words = f"looking for the first candle of {market_symbol}"
                self.parts.progress.note(client.exchange, words)

        return ExchangeSession(client, self.parts.policy, self.parts.stop, when_asked=note_search)

    def _is_loop_busy(self) -> bool:
        """Whether nothing is waited for: neither an exchange's pace nor a store elsewhere."""
        is_paced = any(session.seconds_per_request for session in self.sessions)
        return self.parts.store.is_local and not is_paced

    def _sources(self) -> dict[str, Sources]:
        return sources_of(source_parts(self.config, self.sessions, self.parts.clock.now_ms))

    def _report_tickers(self) -> None:
        reports = [
            TickerReport(
                self.outcomes[each.ticker],
                [self.works[series].report for series in each.asked],
                {exchange: str(symbol) for exchange, symbol in each.ticker.stand_ins.items()},
            )
            for each in self.tickers
        ]
        self.report.tickers = [*reports, *self.report.tickers]

    def _wanted(self, each: RunTicker) -> Wanted:
        window = each.window
        record = self.ledger.record(each.ticker.merged)
        span = wanted_span(each, self.works, record)
        start_ms = window.start_ms
        if start_ms is not None:
            start_ms = max(start_ms, kept_from_ms(window, record))
        return Wanted(span, start_ms, window.is_bounded)

    def _note_failure(self, work: SeriesWork, error: Exception) -> None:
        exchange = work.series.exchange
        self.report.note_trouble(exchange, words_without(exchange, error) or repr(error))
        if self.config.run.fail_fast and not can_do_without(
            work.series, self.tickers, self.report.troubles
        ):
            self.parts.stop.request("--fail_fast")

    def _note_unasked(self) -> None:
        try:
            self.ledger = Ledger(self.parts.store)
            self._note_open_gaps(())
        except CandleIngestorError as error:
            log.error("That nothing could be asked could not be noted in the store: %s", error)

    def _note_open_gaps(self, choices: Sequence[MarketChoice]) -> None:
        undecided = undecided_choices(self.symbols, choices, self.report)
        unasked = make_tickers(
            self.config, self.symbols, undecided, self.ledger.records, self.started_ms
        )
        note_open_gaps(
            self.ledger,
            [*self.tickers, *unasked],
            self.works,
            self.report,
            self.config.candles.settle_seconds,
        )

    def _report_source_gaps(self) -> None:
        for series, work in self.works.items():
            work.report.wanted_candles = work.candles_in((work.plan.wanted,))
            work.report.gaps = source_gaps(self.ledger, series, work.plan.wanted)
