"""Planning and fetching with the real ccxt, simulated exchanges and the real SQLite store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from candle_ingestor.exchanges.client import CcxtClient
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.ingest.fetching import Fetcher, SeriesWork
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.listing import can_be_sought, first_day_ms
from candle_ingestor.ingest.pager import PageCounts, Pager
from candle_ingestor.ingest.plan import Phase, Window
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.sqlite import SqliteStore
from exchange_simulator import ExchangeSimulator, Fault, SimulatorClock, SimulatorConfig

# 2024-03-05T12:34:50Z
NOW_MS = 1_709_642_090_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
END_MS = NOW_MS // MINUTE_MS * MINUTE_MS
TODAY_MS = NOW_MS // DAY_MS * DAY_MS
BITCOIN = Symbol("BTC", "USD")


@dataclass
class Setting:
    simulator: ExchangeSimulator
    sessions: dict[str, ExchangeSession]
    ledger: Ledger
    store_thread: StoreThread
    failures: list[tuple[str, str]] = field(default_factory=list)
    tasks_done: list[str] = field(default_factory=list)
    works: dict[str, SeriesWork] = field(default_factory=dict)

    def fetcher(self) -> Fetcher:
        async def on_task_done(series: Series) -> None:
            self.tasks_done.append(series.exchange)

        return Fetcher(
            self.ledger,
            self.store_thread,
            NoProgress(),
            on_task_done=on_task_done,
            on_failure=lambda series, message: self.failures.append((series.exchange, message)),
        )

    async def run(self, start_ms: int, end_ms: int = END_MS) -> None:
        window = Window(start_ms, end_ms, False, DAY_MS // 4, 2 * MINUTE_MS)
        self.works = {
            exchange: SeriesWork(
                series_of(exchange),
                window,
                Pager(session, lambda: NOW_MS),
                SourceReport(exchange, "BTC/USD"),
            )
            for exchange, session in self.sessions.items()
        }
        fetcher = self.fetcher()
        for phase in Phase:
            await fetcher.fetch(self.works.values(), phase)

    def record(self, exchange: str) -> CoverageRecord:
        return self.ledger.record(series_of(exchange))

    def stored(self, exchange: str) -> list[tuple[float, ...]]:
        whole = Interval(0, 2**60)
        return list(self.ledger.store.read_candles(series_of(exchange), whole).iter_rows())

    def truth(self, exchange: str, span: IntervalSet) -> list[tuple[float, ...]]:
        return [
            (row.open_ms, *map(float, (row.open, row.high, row.low, row.close, row.volume)))
            for interval in span
            for row in self.simulator.true_candles(exchange, "BTC/USD", MINUTE_MS, *interval)
        ]


def series_of(exchange: str) -> Series:
    return Series(exchange, BITCOIN, Timeframe(1))


Arranged = Callable[..., AbstractAsyncContextManager[Setting]]


@pytest.fixture
def arranged(tmp_path: Path) -> Arranged:
    """`arranged(*exchanges, listed_ms=…)`: simulated exchanges and an empty store."""

    @asynccontextmanager
    async def arrange(*exchanges: str, listed_ms: int | None = None) -> AsyncIterator[Setting]:
        listed = {} if listed_ms is None else {"BTC": listed_ms}
        config = SimulatorConfig(exchanges=exchanges, listed_since_ms=listed)
        clock = SimulatorClock(NOW_MS, frozen=True)
        stop = StopSignal()
        store = SqliteStore(tmp_path / "candles.sqlite")
        store_thread = StoreThread()
        async with ExchangeSimulator(config, clock=clock) as simulator:
            sessions = {
                exchange: ExchangeSession(
                    CcxtClient(
                        exchange,
                        ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0),
                    ),
                    RetryPolicy(first_wait_seconds=0.001, longest_wait_seconds=0.002),
                    stop,
                )
                for exchange in exchanges
            }
            try:
                for session in sessions.values():
                    await session.fetch_markets(RequestCounts())
                simulator.requests.reset()
                ledger = Ledger(store, {series_of(exchange): () for exchange in exchanges})
                yield Setting(simulator, sessions, ledger, store_thread)
            finally:
                await close_all(list(sessions.values()))
                store_thread.close()
                store.close()

    return arrange


async def test_a_listing_is_found_to_the_day_and_not_sought_again(
    arranged: Arranged,
) -> None:
    listed_ms = TODAY_MS - 3 * DAY_MS + 5 * 60 * MINUTE_MS
    async with arranged("coinbaseexchange", "bitstamp", listed_ms=listed_ms) as setting:
        await setting.run(TODAY_MS - 40 * DAY_MS)

        day_ms = TODAY_MS - 3 * DAY_MS
        for exchange in setting.sessions:
            record = setting.record(exchange)
            assert record.listed_from_ms == day_ms
            assert record.covered == IntervalSet.of(day_ms, END_MS)
            assert record.reasons == {
                GapReason.NOT_LISTED_YET: IntervalSet.of(TODAY_MS - 40 * DAY_MS, day_ms)
            }
            assert setting.stored(exchange) == setting.truth(exchange, record.covered)
        setting.simulator.requests.reset()
        await setting.run(TODAY_MS - 40 * DAY_MS)
        assert setting.simulator.requests.candle_request_count("bitstamp") == 1


async def test_what_kraken_no_longer_reaches_is_beyond_reach_and_not_unlisted(
    arranged: Arranged,
) -> None:
    async with arranged("kraken") as setting:
        await setting.run(TODAY_MS - 40 * DAY_MS)

        record = setting.record("kraken")
        reach_ms = END_MS - 719 * MINUTE_MS
        assert record.covered == IntervalSet.of(reach_ms, END_MS)
        assert record.reasons == {
            GapReason.BEYOND_REACH: IntervalSet.of(TODAY_MS - 40 * DAY_MS, reach_ms)
        }
        assert record.listed_from_ms is None


async def test_a_market_that_is_older_than_the_window_gets_no_listing_date(
    arranged: Arranged,
) -> None:
    async with arranged("coinbaseexchange") as setting:
        await setting.run(TODAY_MS - DAY_MS + 7 * MINUTE_MS)

        record = setting.record("coinbaseexchange")
        assert record.listed_from_ms is None
        assert record.listing_sought_from_ms == TODAY_MS - DAY_MS + 7 * MINUTE_MS
        assert record.covered == IntervalSet.of(TODAY_MS - DAY_MS + 7 * MINUTE_MS, END_MS)


async def test_a_listing_found_from_an_earlier_start_replaces_none(
    arranged: Arranged,
) -> None:
    listed_ms = TODAY_MS - 10 * DAY_MS
    async with arranged("bitstamp", listed_ms=listed_ms) as setting:
        await setting.run(TODAY_MS - DAY_MS)
        assert setting.record("bitstamp").listed_from_ms is None

        await setting.run(TODAY_MS - 20 * DAY_MS)

        record = setting.record("bitstamp")
        assert record.listed_from_ms == listed_ms
        assert record.covered == IntervalSet.of(listed_ms, END_MS)


async def test_a_market_that_shows_no_candle_at_all_is_not_listed_yet(
    arranged: Arranged,
) -> None:
    async with arranged("bitstamp", listed_ms=TODAY_MS + DAY_MS) as setting:
        await setting.run(TODAY_MS - DAY_MS)

        record = setting.record("bitstamp")
        assert record.covered == EMPTY
        assert record.reasons == {
            GapReason.NOT_LISTED_YET: IntervalSet.of(TODAY_MS - DAY_MS, END_MS)
        }
        assert not setting.failures


async def test_a_listing_that_cannot_be_told_fails_the_series_for_this_run(
    arranged: Arranged,
) -> None:
    async with arranged("bitstamp") as setting:
        setting.simulator.set_faults([Fault("bitstamp", "html", 1.0)])
        await setting.run(TODAY_MS - DAY_MS)

        assert setting.record("bitstamp").covered == EMPTY
        assert setting.record("bitstamp").reasons == {
            GapReason.FETCH_FAILED: IntervalSet.of(TODAY_MS - DAY_MS, END_MS)
        }
        assert [exchange for exchange, _ in setting.failures] == ["bitstamp"]
        setting.simulator.set_faults([])
        await setting.run(TODAY_MS - DAY_MS)
        assert setting.record("bitstamp").covered == IntervalSet.of(TODAY_MS - DAY_MS, END_MS)
        assert setting.record("bitstamp").reasons == {}


async def test_an_exchange_that_refuses_halfway_leaves_all_it_owes_as_failed(
    arranged: Arranged,
) -> None:
    async with arranged("coinbaseexchange", "bitstamp") as setting:
        await setting.run(TODAY_MS)
        setting.simulator.requests.reset()
        setting.simulator.set_faults([Fault("coinbaseexchange", "403", 1.0)])
        await setting.run(TODAY_MS - 3 * DAY_MS)

        early = IntervalSet.of(TODAY_MS - 3 * DAY_MS, TODAY_MS)
        assert setting.record("coinbaseexchange").covered == IntervalSet.of(TODAY_MS, END_MS)
        assert setting.record("bitstamp").covered == early | IntervalSet.of(TODAY_MS, END_MS)
        assert setting.simulator.requests.candle_request_count("coinbaseexchange") <= 4
        assert {exchange for exchange, _ in setting.failures} == {"coinbaseexchange"}
        assert setting.works["coinbaseexchange"].remaining == EMPTY


async def test_all_of_a_run_that_is_stopped_is_fetched_by_the_next_one(
    arranged: Arranged,
) -> None:
    start_ms = TODAY_MS - 2 * DAY_MS
    async with arranged("coinbaseexchange") as setting:
        session = setting.sessions["coinbaseexchange"]
        log = setting.simulator.requests
        note = log.add_candle_request

        def stop_at_the_fourth(exchange: str, url: str, fault: str | None) -> None:
            note(exchange, url, fault)
            if log.candle_request_count(exchange) == 4:
                session.stop.request("SIGTERM", is_urgent=True)

        log.add_candle_request = stop_at_the_fourth
        await setting.run(start_ms)
        covered = setting.record("coinbaseexchange").covered
        assert EMPTY != covered != IntervalSet.of(start_ms, END_MS)
        assert setting.stored("coinbaseexchange") == setting.truth("coinbaseexchange", covered)
        assert not setting.failures

        session.stop = StopSignal()
        await setting.run(start_ms)
        covered = setting.record("coinbaseexchange").covered
        assert covered == IntervalSet.of(start_ms, END_MS)
        assert setting.stored("coinbaseexchange") == setting.truth("coinbaseexchange", covered)


@pytest.mark.parametrize("exchange", ["coinbaseexchange", "cryptocom"])
async def test_the_first_day_is_found_wherever_it_lies_in_a_page(
    arranged: Arranged, exchange: str
) -> None:
    listed_ms = TODAY_MS - 9 * DAY_MS
    async with arranged(exchange, listed_ms=listed_ms) as setting:
        pager = Pager(setting.sessions[exchange], lambda: NOW_MS)
        assert can_be_sought(pager)
        page_days = setting.sessions[exchange].client.habits.page_candles
        for back in (0, 1, page_days - 1, page_days, page_days + 1, 3 * page_days):
            window = Interval(listed_ms - back * DAY_MS, END_MS)
            found = await first_day_ms(pager, series_of(exchange), window, PageCounts())
            assert found == listed_ms


async def test_a_part_of_the_window_without_an_answer_tells_no_listing(
    arranged: Arranged,
) -> None:
    async with arranged("bitstamp") as setting:
        setting.simulator.set_faults([Fault("bitstamp", "cut_json", 1.0)])
        pager = Pager(setting.sessions["bitstamp"], lambda: NOW_MS)
        with pytest.raises(ExchangeError):
            await first_day_ms(
                pager, series_of("bitstamp"), Interval(TODAY_MS - DAY_MS, END_MS), PageCounts()
            )
