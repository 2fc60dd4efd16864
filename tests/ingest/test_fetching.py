"""Fetching, keeping and merging beside it, with scripted sources and the real SQLite store."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from crashing_store import CrashingStore
from heard_progress import HeardProgress
from minutes import BITCOIN, BITSTAMP, KRAKEN, MERGED, MINUTE, ms, span, stored
from scripted_source import ScriptedSource
from settling import break_replacing, settling_of, ticker_of

from candle_ingestor.exchanges.errors import ExchangeRefusedError, ServerFaultError
from candle_ingestor.ingest.fetching import Fetcher
from candle_ingestor.ingest.keeping import LONGEST_HELD_SECONDS, PageKeeper
from candle_ingestor.ingest.merge_schedule import MergeSchedule
from candle_ingestor.ingest.plan import Window, plan_series
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval
from candle_ingestor.model.origins import Origin, Origins
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

BOTH = ticker_of(KRAKEN, BITSTAMP, minimum=2)
ETHER = Series("kraken", Symbol("ETH", "USD"), MINUTE)
OTHER = ticker_of(ETHER, merged=Series.merged(ETHER.symbol, MINUTE))


@dataclass
class Run:
    """One fetch of tickers from scripted sources into a store."""

    store: CrashingStore
    tickers: list[Ticker]
    window: Window
    sources: dict[str, ScriptedSource]
    store_thread: StoreThread
    seconds: Callable[[], float] = lambda: 0.0
    stop: StopSignal = field(default_factory=StopSignal)
    progress: HeardProgress = field(default_factory=HeardProgress)
    failures: list[tuple[Series, str]] = field(default_factory=list)
    works: dict[Series, SeriesWork] = field(default_factory=dict)
    further: dict[str, dict[Origin, ScriptedSource]] = field(default_factory=dict)
    reach_start: int | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.store)
        settling = settling_of(self.ledger, *self.tickers)
        settling.adopt({})
        self.store.batches.clear()
        for series in {source: None for each in self.tickers for source in each.sources}:
            source = self.sources[series.exchange]
            source.is_to_stop = self.stop.is_set
            further = self.further.get(series.exchange, {})
            offers = partial(_offers, further, series)
            reach_ms = None if self.reach_start is None else ms(self.reach_start)
            plan = plan_series(self.window, self.ledger.record(series), MINUTE, reach_ms, offers)
            report = SourceReport(series)
            self.works[series] = SeriesWork(series, source, plan, report, further)
        self.merging = MergeSchedule(
            self.ledger, self.store_thread, settling.outcomes, self.works, self.stop
        )
        self.keeper = PageKeeper(
            self.ledger, self.store_thread, self.merging.on_kept, self.note_failure, self.seconds
        )

    def note_failure(self, work: SeriesWork, error: Exception) -> None:
        self.failures.append((work.series, str(error)))

    async def fetch(self) -> None:
        fetcher = Fetcher(
            self.ledger,
            self.store_thread,
            self.keeper,
            self.progress,
            self.stop.is_set,
            self.note_failure,
        )
        try:
            await fetcher.fetch(self.works.values())
            await self.merging.finish()
        except BaseException:
            await self.keeper.abandon()
            await self.merging.abandon()
            raise


def _offers(further: dict[Origin, ScriptedSource], series: Series) -> Origins:
    return {origin: each.offers(series) for origin, each in further.items()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "candles.sqlite")
    yield store
    store.close()


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    thread = StoreThread()
    yield thread
    thread.close()


def window(start: int, end: int, initial: int = 20) -> Window:
    return Window(ms(start), ms(end), False, ms(initial) - ms(0))


def both_sources() -> dict[str, ScriptedSource]:
    return {"kraken": ScriptedSource("kraken"), "bitstamp": ScriptedSource("bitstamp", price=20.0)}


async def test_everything_planned_is_fetched_and_kept(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 500), both_sources(), thread)

    await run.fetch()

    for series, price in ((KRAKEN, 10.0), (BITSTAMP, 20.0)):
        assert stored(store, series) == dict.fromkeys(range(500), price)
        assert run.ledger.record(series).covered == span(0, 500)
        assert run.works[series].remaining == EMPTY
        assert run.works[series].report.candles == 500
    assert run.failures == []


async def test_what_the_endpoint_does_not_reach_is_read_where_it_is_offered(
    store: SqliteStore, thread: StoreThread
) -> None:
    archive = ScriptedSource(
        "kraken", price=11.0, origin=Origin.ARCHIVE, is_paced=False, offered=span(0, 200)
    )
    trades = ScriptedSource("kraken", price=12.0, origin=Origin.TRADES, offered=span(100, 500))
    run = Run(
        CrashingStore(store),
        [ticker_of(KRAKEN)],
        window(0, 500),
        {"kraken": ScriptedSource("kraken")},
        thread,
        further={"kraken": {Origin.ARCHIVE: archive, Origin.TRADES: trades}},
        reach_start=300,
    )

    await run.fetch()

    prices = dict.fromkeys(range(200), 11.0) | dict.fromkeys(range(200, 300), 12.0)
    assert stored(store, KRAKEN) == prices | dict.fromkeys(range(300, 500), 10.0)
    assert run.ledger.record(KRAKEN).coverage.origins == {
        Origin.ARCHIVE: span(0, 200),
        Origin.TRADES: span(200, 300),
    }
    assert store.read_records() == dict(run.ledger.records)
    assert run.works[KRAKEN].remaining == EMPTY
    assert run.progress["Fetching candles"].expected == {"kraken": 500}


async def test_the_whole_of_catch_up_and_backfill_is_expected_at_once_and_then_done(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH, OTHER], window(0, 500), both_sources(), thread)
    run.sources["bitstamp"].failing = lambda interval: ServerFaultError("down")
    assert all(work.plan.catch_up and work.plan.backfill for work in run.works.values())

    await run.fetch()

    [phase] = run.progress.phases
    assert phase.expected == {"kraken": 1000, "bitstamp": 500}
    assert phase.done == phase.worked == phase.expected


async def test_what_has_nothing_to_fetch_is_not_expected(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 0), both_sources(), thread)

    await run.fetch()

    assert run.progress["Fetching candles"].expected == {}


async def test_time_before_a_listing_is_done_without_any_work(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 500), both_sources(), thread)
    run.sources["kraken"].listed_from_ms = ms(300)

    await run.fetch()

    phase = run.progress["Fetching candles"]
    assert phase.done["kraken"] == 500
    assert phase.worked["kraken"] == 200


async def test_the_newest_minutes_of_many_series_are_a_handful_of_writes(
    store: SqliteStore, thread: StoreThread
) -> None:
    tickers = [
        ticker_of(Series("kraken", symbol, MINUTE), merged=Series.merged(symbol, MINUTE))
        for symbol in (Symbol(f"A{number}", "USD") for number in range(200))
    ]
    sources = {"kraken": ScriptedSource("kraken")}
    run = Run(CrashingStore(store), tickers, window(0, 5), sources, thread)

    await run.fetch()

    assert all(run.ledger.record(each.sources[0]).covered == span(0, 5) for each in tickers)
    assert len(run.store.batches) <= 4


async def test_a_page_is_not_held_for_long(store: SqliteStore, thread: StoreThread) -> None:
    now = [0.0]
    run = Run(CrashingStore(store), [BOTH], window(0, 500), both_sources(), thread, lambda: now[0])
    written: list[int] = []

    def wait(series: Series, interval: Interval) -> None:
        written.append(len(run.store.batches))
        if interval.start_ms == ms(200):
            now[0] += LONGEST_HELD_SECONDS

    run.sources["kraken"].before_page = wait
    await run.fetch()

    assert written[0] == 0
    assert len(run.store.batches) > 1
    assert run.ledger.record(KRAKEN).covered == span(0, 500)


async def test_the_newest_minutes_are_merged_before_the_history_is_there(
    store: SqliteStore, thread: StoreThread
) -> None:
    now = [0.0]
    run = Run(
        CrashingStore(store), [BOTH], window(-9_000, 20), both_sources(), thread, lambda: now[0]
    )
    merged: list[bool] = []

    def tick(series: Series, interval: Interval) -> None:
        now[0] += LONGEST_HELD_SECONDS
        merged.append(run.ledger.record(MERGED).covered.covers((ms(0), ms(20))))

    run.sources["kraken"].before_page = tick
    await run.fetch()

    assert merged[0] is False
    assert merged[-1] is True
    # No minute that was awaited is merged before all its exchanges are there.
    assert set(stored(store, MERGED).values()) == {15.0}


async def test_a_failed_page_is_told_and_the_next_is_fetched(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 500, 500), both_sources(), thread)
    run.sources["kraken"].failing = lambda piece: (
        ServerFaultError("kraken: 503") if piece.start_ms == ms(100) else None
    )

    await run.fetch()

    record = run.ledger.record(KRAKEN)
    assert record.covered == span(0, 500) - span(100, 200)
    assert record.coverage.reasons == {GapReason.FETCH_FAILED: span(100, 200)}
    assert run.works[KRAKEN].failed == span(100, 200)
    assert run.works[KRAKEN].report.failed_pages == 1
    assert run.failures == [(KRAKEN, "kraken: 503")]
    assert run.ledger.record(BITSTAMP).covered == span(0, 500)


async def test_an_exchange_that_refuses_owes_the_rest_and_is_asked_no_more(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 5_000, 5_000), both_sources(), thread)
    kraken = run.sources["kraken"]

    def refuse(series: Series, interval: Interval) -> None:
        if len(kraken.asked) == 2:
            kraken.refusal = ExchangeRefusedError("kraken: 403")

    kraken.before_page = refuse
    await run.fetch()

    work = run.works[KRAKEN]
    assert len(kraken.asked) <= 6
    assert work.remaining == EMPTY
    assert work.failed == span(0, 5_000) - run.ledger.record(KRAKEN).covered
    assert run.ledger.record(KRAKEN).coverage.reasons == {GapReason.FETCH_FAILED: work.failed}
    assert run.ledger.record(BITSTAMP).covered == span(0, 5_000)


async def test_what_nobody_foresaw_in_one_series_does_not_stop_the_others(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH, OTHER], window(0, 50), both_sources(), thread)

    def break_bitcoin(series: Series, interval: Interval) -> None:
        if series.symbol == BITCOIN:
            raise ZeroDivisionError("a bug")

    run.sources["kraken"].before_page = break_bitcoin
    await run.fetch()

    assert {series for series, _ in run.failures} == {KRAKEN}
    assert run.works[KRAKEN].failed == span(0, 50)
    assert run.ledger.record(ETHER).covered == span(0, 50)
    assert run.ledger.record(BITSTAMP).covered == span(0, 50)


@pytest.mark.parametrize("minutes", [50, 20_000], ids=["one batch", "many batches"])
async def test_what_nobody_foresaw_in_keeping_one_series_costs_no_other_a_page(
    store: SqliteStore, thread: StoreThread, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    run = Run(CrashingStore(store), [BOTH, OTHER], window(0, minutes), both_sources(), thread)
    break_replacing(run.ledger, ETHER, monkeypatch)

    await run.fetch()

    assert {series for series, _ in run.failures} == {ETHER}
    assert run.works[ETHER].failed == span(0, minutes)
    for series in (KRAKEN, BITSTAMP):
        assert run.ledger.record(series).covered == span(0, minutes)
        assert run.works[series].report.candles == minutes
    assert all(work.remaining == EMPTY for work in run.works.values())


async def test_what_nobody_foresaw_in_merging_one_ticker_is_left_to_settling(
    store: SqliteStore, thread: StoreThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    tickers = [OTHER, BOTH]
    run = Run(
        CrashingStore(store), tickers, window(-9_000, 20), both_sources(), thread, lambda: now[0]
    )
    break_replacing(run.ledger, OTHER.merged, monkeypatch)

    def tick(series: Series, interval: Interval) -> None:
        now[0] += LONGEST_HELD_SECONDS

    run.sources["kraken"].before_page = tick
    await run.fetch()

    assert run.failures == []
    assert run.ledger.record(MERGED).covered.covers((ms(0), ms(20)))
    assert run.ledger.record(OTHER.merged).covered == EMPTY
    assert run.ledger.record(ETHER).covered == span(-9_000, 20)


@pytest.mark.parametrize("fail_at", [1, 3, 9])
async def test_a_store_that_fails_ends_the_fetch_with_its_error(
    store: SqliteStore, thread: StoreThread, fail_at: int
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(-15_000, 20), both_sources(), thread)
    run.store.fail_from_now(fail_at)

    with pytest.raises(StoreUnavailableError, match="went away"):
        await run.fetch()


async def test_a_stop_ends_the_fetch_and_keeps_what_was_answered(
    store: SqliteStore, thread: StoreThread
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 5_000, 5_000), both_sources(), thread)
    kraken = run.sources["kraken"]

    def stop(series: Series, interval: Interval) -> None:
        if len(kraken.asked) == 5:
            run.stop.request("SIGTERM", is_urgent=True)

    kraken.before_page = stop
    await run.fetch()

    work = run.works[KRAKEN]
    assert run.failures == []
    assert work.failed == EMPTY
    assert len(kraken.asked) <= 9
    assert run.ledger.record(KRAKEN).covered.duration_ms == (
        sum(interval.duration_ms for _, interval in kraken.asked)
    )
    assert work.remaining == span(0, 5_000) - run.ledger.record(KRAKEN).covered

    again = Run(CrashingStore(store), [BOTH], window(0, 5_000), both_sources(), thread)
    await again.fetch()
    assert again.ledger.record(KRAKEN).covered == span(0, 5_000)


async def test_a_source_hears_what_is_known(store: SqliteStore, thread: StoreThread) -> None:
    await Run(CrashingStore(store), [BOTH], window(0, 50), both_sources(), thread).fetch()
    run = Run(CrashingStore(store), [BOTH], window(0, 60), both_sources(), thread)

    await run.fetch()

    (known,) = run.sources["kraken"].known
    assert known.last_open_ms == ms(49)
    assert known.provisional == EMPTY


async def test_the_ledger_is_asked_on_the_store_s_thread_only(
    store: SqliteStore, thread: StoreThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(CrashingStore(store), [BOTH], window(0, 500), both_sources(), thread)
    record = run.ledger.record
    threads: set[str] = set()

    def noting(series: Series) -> SeriesRecord:
        threads.add(threading.current_thread().name.partition("_")[0])
        return record(series)

    monkeypatch.setattr(run.ledger, "record", noting)
    await run.fetch()

    assert threads == {"store"}
