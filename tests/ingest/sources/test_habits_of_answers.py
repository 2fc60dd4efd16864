"""Paging over exchanges of every habit: nothing is covered that the answers did not prove.

The exchanges answer honestly: every row they send is right, and each leaves rows out in its own
way. Times are minutes; the true series is a set of minutes that have a candle.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import Known, SourceCounts
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from candle_ingestor.operations.stopping import StopSignal

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
NOW = 120
"""The minute in progress."""
PAGE = 12

Answer = Callable[[Sequence[int], int, int], Sequence[int]]
"""From the true minutes up to now, the first minute asked for and a limit."""


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def oldest(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    return [minute for minute in true if minute >= since][:limit]


def within_range(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    return [minute for minute in true if since <= minute < since + limit]


def newest_of_range(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    return within_range(true, since, limit)[-PAGE:]


def all_of_reach(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    return [minute for minute in true if minute > NOW - 60]


def short(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    """Whatever it is asked, it sends a few rows less."""
    return oldest(true, since, limit)[
        : random.Random(since * 31 + limit).randint(min(3, limit), limit)
    ]


def forgetful(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
    """It has no row from before a minute that nobody knows."""
    return within_range(all_of_reach(true, 0, 0), since, limit)


KNOWN: dict[Answer, ExchangeHabits] = {
    oldest: ExchangeHabits("binance", PAGE),
    within_range: ExchangeHabits("coinbaseexchange", PAGE),
    newest_of_range: ExchangeHabits("cryptocom", PAGE),
    all_of_reach: ExchangeHabits("kraken", PAGE, reach_candles=60),
    short: ExchangeHabits("bitstamp", PAGE),
}


@dataclass
class HonestClient:
    """A CandleClient whose answers are those of a habit."""

    true: Sequence[int]
    answer: Answer
    habits: ExchangeHabits
    listed: int | None = None
    """The minute of the listing: what daily candles tell. None for the day of the first candle."""
    asked: int = 0
    asked_days: int = 0
    bad: frozenset[int] = frozenset()
    exchange: str = "kraken"
    timeframes: Sequence[str] = ("1m", "1d")
    address: str = "default"
    seconds_per_request: float = 0.0
    markets: list[dict[str, object]] = field(default_factory=list)

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        if timeframe.minutes == MINUTES_PER_DAY:
            self.asked_days += 1
            return self._days(since_ms)
        self.asked += 1
        assert self.asked < 500, "paging does not end"
        true = [minute for minute in self.true if minute <= NOW]
        minutes = self.answer(true, (since_ms - START_MS) // MINUTE_MS, limit)
        rows = [
            (ms(minute), 10.0, 8.0 if minute in self.bad else 12.0, 9.0, 11.0, 1.0 + minute)
            for minute in minutes
        ]
        return RawRows.from_rows(rows, rows)

    def _days(self, since_ms: int) -> RawRows:
        listed = min(self.true, default=None) if self.listed is None else self.listed
        rows = []
        if listed is not None:
            first_ms = max(since_ms, ms(listed)) // DAY_MS * DAY_MS
            rows = [(time, 1.0, 1.0, 1.0, 1.0, 1.0) for time in range(first_ms, ms(NOW), DAY_MS)]
        return RawRows.from_rows(rows, rows)

    async def fetch_markets(self) -> list[dict[str, object]]:
        return self.markets

    def use_markets(self, markets: list[dict[str, object]]) -> bool:
        self.markets = markets
        return True

    async def close(self) -> None:
        return None


@dataclass
class Paged:
    candles: set[int] = field(default_factory=set)
    answered: IntervalSet = EMPTY
    provisional: IntervalSet = EMPTY
    beyond_reach: IntervalSet = EMPTY
    rejected: IntervalSet = EMPTY
    not_listed: IntervalSet = EMPTY
    open: IntervalSet = EMPTY
    failed: IntervalSet = EMPTY
    counts: SourceCounts = field(default_factory=SourceCounts)


def paged(client: HonestClient, first: int, last: int, known: int | None = None) -> Paged:
    async def read() -> Paged:
        session = ExchangeSession(client, RetryPolicy(), StopSignal())
        # It shows other markets.
        session.has_shown_rows = True
        source = CcxtCandles(session, lambda: ms(NOW) + 20_000, 5, 2)
        series = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
        found = Paged()
        before = Known(None if known is None else ms(known))
        wanted = Interval(ms(first), ms(last))
        done_ms = wanted.start_ms
        async for page in source.pages(series, wanted, before, found.counts):
            assert page.done.start_ms == done_ms < page.done.end_ms
            done_ms = page.done.end_ms
            times = page.candles["open_time_ms"].to_list()
            assert all(page.answered.contains(time) for time in times)
            found.candles |= {(time - START_MS) // MINUTE_MS for time in times}
            found.answered = found.answered | page.answered
            found.provisional = (found.provisional - page.answered) | page.provisional
            reasons = page.reasons
            found.failed |= reasons.get(GapReason.FETCH_FAILED, EMPTY)
            found.beyond_reach |= reasons.get(GapReason.BEYOND_REACH, EMPTY)
            found.rejected |= reasons.get(GapReason.REJECTED, EMPTY)
            found.not_listed |= reasons.get(GapReason.NOT_LISTED_YET, EMPTY)
            found.open |= reasons.get(GapReason.NOT_FETCHED, EMPTY)
        assert done_ms == wanted.end_ms
        return found

    return asyncio.run(read())


def no_candle_is_missing(found: Paged, true: Sequence[int]) -> bool:
    """Of what is known for good: the next run asks for the rest once more."""
    final = found.answered - found.provisional
    return {minute for minute in true if final.contains(ms(minute))} <= found.candles


# Runs of trades between silences of all lengths, up to several pages.
TRUE_MINUTES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 25)), max_size=8).map(
    lambda runs: [
        minute
        for index, (silence, length) in enumerate(runs)
        for start in [sum(map(sum, runs[:index])) + silence]
        for minute in range(start, min(start + length, NOW + 1))
    ]
)
BOUNDS = st.tuples(st.integers(0, NOW - 1), st.integers(1, NOW)).map(
    lambda pair: (pair[0], min(NOW, pair[0] + pair[1]))
)


@settings(max_examples=250)
@given(TRUE_MINUTES, BOUNDS, st.sampled_from(list(KNOWN)), st.booleans())
# Its last answer, cut before minute 102, is silent from half a page before now on.
@example([*range(66, 77), *range(82, 103)], (55, 110), short, False)
def test_described_exchanges_are_covered_whole_and_without_a_hole(
    true: list[int], bounds: tuple[int, int], answer: Answer, has_known: bool
) -> None:
    first, last = bounds
    known = max((minute for minute in true if minute < first), default=None) if has_known else None
    habits = KNOWN[answer]
    client = HonestClient(true, answer, habits, listed=None if true else 0)

    found = paged(client, first, last, known)

    assert no_candle_is_missing(found, true)
    assert found.candles <= set(true)
    assert max(found.candles, default=-1) < last
    assert found.failed == found.not_listed == EMPTY
    assert not span(first, last) - (found.answered | found.beyond_reach | found.open)
    if habits.reach_candles is None:
        assert found.beyond_reach == found.open == EMPTY
    else:
        assert not found.beyond_reach & span(NOW - 57, NOW)
        believed = first if known is not None else min(found.candles, default=last)
        believed = max(believed, NOW - 57)
        assert not span(believed, last) - (found.answered)


@settings(max_examples=250)
@given(TRUE_MINUTES, BOUNDS, st.sampled_from([*KNOWN, forgetful]), st.booleans())
def test_undescribed_exchanges_never_cover_a_hole(
    true: list[int], bounds: tuple[int, int], answer: Answer, has_known: bool
) -> None:
    first, last = bounds
    known = max((minute for minute in true if minute < first), default=None) if has_known else None
    habits = ExchangeHabits("other", PAGE, is_reach_known=False)

    found = paged(HonestClient(true, answer, habits), first, last, known)

    assert no_candle_is_missing(found, true)
    assert found.candles <= set(true)
    assert found.not_listed == EMPTY
    assert not span(first, last) - (found.answered | found.beyond_reach | found.failed)


def test_an_undescribed_exchange_that_reaches_back_is_covered_from_its_first_candle_on() -> None:
    true = [*range(5, 20), *range(70, 100)]
    habits = ExchangeHabits("other", PAGE, is_reach_known=False)

    found = paged(HonestClient(true, within_range, habits), 0, 100)

    assert found.answered == span(5, 100)
    assert found.beyond_reach == span(0, 5)


def test_a_page_without_trades_is_believed_at_its_third_hearing_by_who_shows_a_candle() -> None:
    client = HonestClient([*range(12), *range(40, 50)], within_range, KNOWN[within_range])

    assert paged(client, 20, 32, known=11).answered == span(20, 32)
    assert client.asked == 4


def test_an_exchange_that_forgets_a_known_candle_for_good_is_believed() -> None:
    client = HonestClient(range(20, 40), within_range, KNOWN[within_range])

    found = paged(client, 18, 30, known=17)

    assert found.answered == span(17, 30)
    assert found.candles == set(range(20, 30))


def test_an_exchange_that_is_silent_about_everything_is_never_believed() -> None:
    found = paged(HonestClient([], within_range, KNOWN[within_range]), 18, 60, known=17)

    assert found.answered == EMPTY
    assert found.failed == span(18, 60)


def test_an_exchange_that_falls_silent_in_the_middle_is_not_believed_from_there_on() -> None:
    client = HonestClient(range(NOW), within_range, KNOWN[within_range])

    def falls_silent(true: Sequence[int], since: int, limit: int) -> Sequence[int]:
        return within_range(true, since, limit) if client.asked <= 3 else ()

    client.answer = falls_silent
    found = paged(client, 0, 100)

    assert found.answered == span(0, 3 * PAGE - 2)
    assert found.failed == span(3 * PAGE - 2, 100)


def test_a_long_time_without_trades_is_believed_of_an_exchange_that_shows_what_it_showed() -> None:
    client = HonestClient([*range(20), NOW], within_range, KNOWN[within_range])

    found = paged(client, 0, 100)

    assert found.answered == span(0, 100)
    assert found.failed == EMPTY


def test_a_dense_market_costs_one_request_a_page_and_its_listing_is_not_sought() -> None:
    client = HonestClient(range(NOW + 1), within_range, KNOWN[within_range])

    found = paged(client, 0, 1 + 9 * (PAGE - 1))

    assert found.answered == span(0, 1 + 9 * (PAGE - 1))
    assert (client.asked, client.asked_days) == (9, 0)


def test_rejected_rows_are_counted_once_and_logged_with_their_raw_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = HonestClient(
        range(NOW), within_range, KNOWN[within_range], bad=frozenset(range(3, 10))
    )

    with caplog.at_level(logging.WARNING):
        found = paged(client, 0, 30)

    assert found.rejected == span(3, 10)
    assert found.answered == span(0, 3) | span(10, 30)
    assert found.candles == {*range(3), *range(10, 30)}
    assert found.counts.rejected == 7
    assert [record.getMessage() for record in caplog.records] == [
        *(
            "kraken BTC/USD 1m: rejected a row, it breaks low <= open, close <= high: "
            f"[{ms(minute)}, 10.0, 8.0, 9.0, 11.0, {minute + 1}.0]"
            for minute in range(3, 8)
        ),
        "kraken BTC/USD 1m: rejected 2 more rows of the same answer",
    ]
