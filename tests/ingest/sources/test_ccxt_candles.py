"""The candle source with the real ccxt over HTTP, against simulated exchanges."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
from exchange_facts import FACTS

from candle_ingestor.exchanges import session as session_module
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.model.gaps import GapReason, with_reason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import StopSignal
from exchange_simulator import (
    DIALECTS,
    FAULT_KINDS,
    ExchangeSimulator,
    Fault,
    SimulatorClock,
    SimulatorConfig,
)

# 2024-03-05T12:34:50Z: the newest closed candle is 50 s old, so that no exchange still revises it.
NOW_MS = 1_709_642_090_000
MINUTE_MS = 60_000
END_MS = NOW_MS // MINUTE_MS * MINUTE_MS
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
DAYS_OF_HISTORY = 60
REFUSALS = ("403", "418", "451")

Candle = tuple[int, float, float, float, float, float]


class Waitless(StopSignal):
    """A stop signal whose sleeps take no time but that of the clock that sessions look at."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def waitless(monkeypatch: pytest.MonkeyPatch) -> Waitless:
    stop = Waitless()
    monkeypatch.setattr(session_module, "time", stop)
    return stop


@dataclass
class Paged:
    candles: list[Candle] = field(default_factory=list)
    answered: IntervalSet = EMPTY
    provisional: IntervalSet = EMPTY
    reasons: dict[GapReason, IntervalSet] = field(default_factory=dict)
    failed: list[Page] = field(default_factory=list)
    listing: Listing | None = None
    counts: SourceCounts = field(default_factory=SourceCounts)

    @property
    def failed_span(self) -> IntervalSet:
        return self.reasons.get(GapReason.FETCH_FAILED, EMPTY)

    @property
    def settled(self) -> IntervalSet:
        settled = self.answered
        for intervals in self.reasons.values():
            settled = settled | intervals
        return settled


def symbol_of(exchange: str) -> str:
    return f"BTC/{FACTS[exchange].quote}"


def believed_from_ms(exchange: str, start_ms: int) -> int:
    """Where the exchange's minutes begin: its reach less a margin of two candles."""
    reach_rows = FACTS[exchange].reach_rows
    return max(start_ms, 0 if reach_rows is None else END_MS - (reach_rows - 3) * MINUTE_MS)


def series_of(exchange: str, minutes: int = 1) -> Series:
    return Series(exchange, Symbol.parse(symbol_of(exchange)), Timeframe(minutes))


@asynccontextmanager
async def simulated(
    *faults: Fault,
    seed: int = 0,
    exchanges: Iterable[str] = tuple(DIALECTS),
    listed_since_ms: Mapping[str, int] | None = None,
) -> AsyncIterator[ExchangeSimulator]:
    # The search for a listing reads the days since then, which are made of minutes.
    config = SimulatorConfig(
        seed=seed,
        faults=faults,
        exchanges=tuple(exchanges),
        synthetic_days=DAYS_OF_HISTORY,
        listed_since_ms=listed_since_ms or {},
    )
    clock = SimulatorClock(NOW_MS, frozen=True)
    async with ExchangeSimulator(config, clock=clock) as simulator:
        yield simulator


@asynccontextmanager
async def sessions_of(
    simulator: ExchangeSimulator, stop: StopSignal, timeout_seconds: float = 5.0
) -> AsyncIterator[dict[str, ExchangeSession]]:
    sessions = {}
    for exchange in simulator.config.exchanges:
        settings = ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0)
        client = CcxtClient(exchange, settings, timeout_seconds=timeout_seconds)
        policy = RetryPolicy(first_wait_seconds=0.01, longest_wait_seconds=0.02)
        sessions[exchange] = ExchangeSession(client, policy, stop)
    try:
        await asyncio.gather(*(s.fetch_markets(RequestCounts()) for s in sessions.values()))
        simulator.requests.reset()
        yield sessions
    finally:
        await close_all([session.client for session in sessions.values()])


async def paged(
    session: ExchangeSession,
    start_ms: int,
    end_ms: int = END_MS,
    *,
    minutes: int = 1,
    known_ms: int | None = None,
    source: CcxtCandles | None = None,
) -> Paged:
    series = series_of(session.exchange, minutes)
    found = Paged()
    source = source or CcxtCandles(session, lambda: NOW_MS, 5, 2)
    known = Known(known_ms)
    done_ms = start_ms
    async for page in source.pages(series, Interval(start_ms, end_ms), known, found.counts):
        assert page.done.start_ms == done_ms
        done_ms = page.done.end_ms
        assert set(page.candles["open_time_ms"]) <= {
            time
            for interval in page.answered
            for time in range(interval.start_ms, interval.end_ms, MINUTE_MS)
        }
        if page.failure is not None:
            found.failed.append(page)
        found.candles = [row for row in found.candles if not page.answered.contains(row[0])]
        found.candles += page.candles.iter_rows()
        found.answered = found.answered | page.answered
        found.provisional = (found.provisional - page.answered) | page.provisional
        found.listing = page.listing or found.listing
        for reason, intervals in page.reasons.items():
            found.reasons = with_reason(found.reasons, reason, intervals)
    return found


async def all_paged(
    simulator: ExchangeSimulator, stop: StopSignal, start_ms: int, timeout_seconds: float = 5.0
) -> dict[str, Paged]:
    async with sessions_of(simulator, stop, timeout_seconds) as sessions:
        found = await asyncio.gather(*(paged(s, start_ms) for s in sessions.values()))
    return dict(zip(sessions, found, strict=True))


def truth(
    simulator: ExchangeSimulator, exchange: str, span: IntervalSet, minutes: int = 1
) -> list[Candle]:
    return [
        (
            row.open_ms,
            float(row.open),
            float(row.high),
            float(row.low),
            float(row.close),
            float(row.volume),
        )
        for interval in span
        for row in simulator.true_candles(
            exchange, symbol_of(exchange), minutes * MINUTE_MS, *interval
        )
    ]


async def test_every_dialect_is_paged_to_exactly_what_it_traded(waitless: Waitless) -> None:
    start_ms = END_MS - 3 * DAY_MS
    async with simulated() as simulator:
        found = await all_paged(simulator, waitless, start_ms)

        for exchange, page in found.items():
            reach_ms = believed_from_ms(exchange, start_ms)
            assert page.answered == IntervalSet.of(reach_ms, END_MS)
            assert page.candles == truth(simulator, exchange, page.answered), exchange
            beyond = page.reasons.get(GapReason.BEYOND_REACH, EMPTY)
            assert beyond == IntervalSet.of(start_ms, reach_ms)
            assert not page.failed
            assert page.counts.rejected == page.counts.retries == 0
            assert page.counts.requests == simulator.requests.candle_request_count(exchange)


async def test_what_lies_before_the_day_of_a_listing_is_told_of_every_dialect(
    waitless: Waitless,
) -> None:
    today_ms = END_MS // DAY_MS * DAY_MS
    listed_ms = today_ms - DAY_MS + 5 * HOUR_MS
    start_ms = today_ms - 3 * DAY_MS
    async with (
        simulated(listed_since_ms={"BTC": listed_ms}) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        for exchange, session in sessions.items():
            page = await paged(session, start_ms)

            assert page.candles == truth(simulator, exchange, page.answered), exchange
            assert page.settled == IntervalSet.of(start_ms, END_MS)
            assert not page.failed
            reach_ms = believed_from_ms(exchange, start_ms)
            shown_ms = max(listed_ms + 10 * MINUTE_MS, reach_ms + 10 * MINUTE_MS)
            assert page.answered.covers((shown_ms, END_MS)), exchange
            unlisted = page.reasons.get(GapReason.NOT_LISTED_YET, EMPTY)
            if session.habits.is_reach_known and FACTS[exchange].reach_rows is None:
                # The day that its first daily candle opens in.
                shift_ms = FACTS[exchange].day_opens_at_ms
                first_day_ms = (listed_ms - shift_ms) // DAY_MS * DAY_MS + shift_ms
                first_day_ms = first_day_ms // DAY_MS * DAY_MS
                assert unlisted == IntervalSet.of(start_ms, first_day_ms), exchange
            else:
                assert not unlisted & IntervalSet.of(listed_ms, END_MS), exchange


@pytest.mark.parametrize("minutes", [60, 1440])
async def test_longer_candles_are_paged_like_minutes(waitless: Waitless, minutes: int) -> None:
    length_ms = minutes * MINUTE_MS
    end_ms = END_MS // length_ms * length_ms
    start_ms = end_ms - 24_000 // minutes * length_ms
    async with (
        simulated(exchanges=("coinbaseexchange", "cryptocom")) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        for exchange, session in sessions.items():
            page = await paged(session, start_ms, end_ms, minutes=minutes)

            assert page.answered == IntervalSet.of(start_ms, end_ms)
            assert page.candles == truth(simulator, exchange, page.answered, minutes)


async def test_the_candle_in_progress_is_never_handed_on(waitless: Waitless) -> None:
    async with simulated() as simulator, sessions_of(simulator, waitless) as sessions:
        for session in sessions.values():
            page = await paged(session, END_MS - 5 * MINUTE_MS)

            assert page.answered == IntervalSet.of(END_MS - 5 * MINUTE_MS, END_MS)
            assert page.candles[-1][0] < END_MS
            assert page.counts.requests == 1


async def test_a_known_candle_is_asked_for_again(waitless: Waitless) -> None:
    async with simulated() as simulator, sessions_of(simulator, waitless) as sessions:
        for exchange, session in sessions.items():
            start_ms = END_MS - 30 * MINUTE_MS
            before = truth(simulator, exchange, IntervalSet.of(start_ms - DAY_MS // 8, start_ms))

            page = await paged(session, start_ms, known_ms=before[-1][0])

            assert page.candles == truth(simulator, exchange, page.answered)
            assert page.candles[0] == before[-1]
            assert page.answered == IntervalSet.of(before[-1][0], END_MS)


async def test_a_silent_head_is_asked_for_on_its_own(waitless: Waitless) -> None:
    exchanges = ("kraken", "coinbaseexchange", "bitstamp")
    async with (
        simulated(exchanges=exchanges) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        for exchange, session in sessions.items():
            recent = IntervalSet.of(END_MS - 700 * MINUTE_MS, END_MS - 30 * MINUTE_MS)
            traded = {row[0] for row in truth(simulator, exchange, recent)}
            idle_ms = next(t for t in range(*recent.intervals[0], MINUTE_MS) if t not in traded)

            end_ms = idle_ms + 20 * MINUTE_MS
            page = await paged(session, idle_ms, end_ms, known_ms=idle_ms - DAY_MS)

            assert page.answered == IntervalSet.of(idle_ms, end_ms)
            assert page.candles == truth(simulator, exchange, page.answered)
            # The page, and its head twice on its own.
            assert page.counts.requests == 3


async def test_a_machine_whose_clock_is_behind_knows_nothing_of_the_edge_of_the_reach(
    waitless: Waitless,
) -> None:
    async with (
        simulated(exchanges=("kraken",)) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        for behind_ms in (0, 500, 50_500, 61_000):
            source = CcxtCandles(sessions["kraken"], partial(int, NOW_MS - behind_ms), 5, 2)
            start_ms = END_MS - DAY_MS

            page = await paged(sessions["kraken"], start_ms, known_ms=start_ms, source=source)

            assert page.candles == truth(simulator, "kraken", page.answered)
            beyond = page.reasons[GapReason.BEYOND_REACH]
            assert beyond.covers((start_ms, END_MS - 719 * MINUTE_MS))


FAULTS_AND_SEEDS = [
    *((kind, 1) for kind in FAULT_KINDS),
    *((kind, 2) for kind in ("empty_page", "null_fields", "off_grid")),
]


@pytest.mark.parametrize(("kind", "seed"), FAULTS_AND_SEEDS)
async def test_no_fault_makes_a_hole_or_a_wrong_candle(
    waitless: Waitless, kind: str, seed: int
) -> None:
    start_ms = END_MS - DAY_MS
    async with simulated(Fault("all", kind, 0.2), seed=seed) as simulator:
        timeout_seconds = 0.25 if kind == "stall" else 60.0
        found = await all_paged(simulator, waitless, start_ms, timeout_seconds)

        struck = sum(sum(simulator.requests.fault_counts(e).values()) for e in found)
        assert struck > 0
        for exchange, page in found.items():
            assert page.candles == truth(simulator, exchange, page.answered), exchange
            assert page.settled == IntervalSet.of(start_ms, END_MS)
            if kind in ("429", "429_retry_after"):
                assert not page.failed
                assert page.counts.retries == simulator.requests.fault_counts(exchange).get(kind, 0)


@pytest.mark.parametrize("kind", REFUSALS)
async def test_an_exchange_that_refuses_is_asked_nothing_more(
    waitless: Waitless, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        simulated(Fault("all", kind, 1.0)) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        for exchange, session in sessions.items():
            with caplog.at_level(logging.CRITICAL):
                found = [await paged(session, END_MS - DAY_MS) for _ in range(3)]

            assert simulator.requests.candle_request_count(exchange) == 1
            assert session.refusal is not None
            assert all(page.answered == EMPTY for page in found)
            assert all(kind in str(page.failed[0].failure) for page in found)
            assert all(page.failed_span.end_ms == END_MS for page in found)
            criticals = [r.getMessage() for r in caplog.records if exchange in r.getMessage()]
            assert len(criticals) == 1
            assert "left alone for this run" in criticals[0]


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        ("500", 3),
        ("503", 3),
        ("dropped_connection", 5),
        ("cut_json", 1),
        ("html", 1),
        ("null_fields", None),
    ],
)
async def test_a_fault_that_stays_fails_every_page_after_its_tries(
    waitless: Waitless, kind: str, requests: int | None
) -> None:
    start_ms = END_MS - 600 * MINUTE_MS
    async with simulated(Fault("all", kind, 1.0)) as simulator:
        found = await all_paged(simulator, waitless, start_ms)

        for exchange, page in found.items():
            assert page.settled == IntervalSet.of(start_ms, END_MS)
            assert page.candles == truth(simulator, exchange, page.answered)
            if requests is not None:
                beyond = page.reasons.get(GapReason.BEYOND_REACH, EMPTY)
                assert page.failed_span == page.settled - beyond
                assert page.counts.requests == requests * len(page.failed)
                assert all(isinstance(failed.failure, ExchangeError) for failed in page.failed)
                assert all(exchange in str(failed.failure) for failed in page.failed)


async def test_an_exchange_that_answers_nothing_but_empty_pages_is_not_believed(
    waitless: Waitless,
) -> None:
    async with simulated() as simulator, sessions_of(simulator, waitless) as sessions:
        for exchange, session in sessions.items():
            start_ms = END_MS - 600 * MINUTE_MS
            simulator.set_faults([Fault("all", "empty_page", 1.0)])
            before = truth(simulator, exchange, IntervalSet.of(start_ms - DAY_MS // 8, start_ms))

            page = await paged(session, start_ms, known_ms=before[-1][0])

            assert page.answered == EMPTY
            assert page.failed_span == IntervalSet.of(start_ms, END_MS)


async def test_a_run_that_is_to_stop_asks_no_further_page(waitless: Waitless) -> None:
    async with (
        simulated(exchanges=("coinbaseexchange",)) as simulator,
        sessions_of(simulator, waitless) as sessions,
    ):
        source = CcxtCandles(sessions["coinbaseexchange"], lambda: NOW_MS, 5, 2)
        series = series_of("coinbaseexchange")
        pages = []
        wanted = Interval(END_MS - DAY_MS, END_MS)
        async for page in source.pages(series, wanted, Known(), SourceCounts()):
            pages.append(page)
            waitless.request("signal SIGTERM")

        assert len(pages) == 1
        assert simulator.requests.candle_request_count("coinbaseexchange") == 1
