"""Runs over exchanges that cut their answers or stand still."""

import pytest
from cutting_exchange import (
    DAY,
    DESCRIBED,
    PAGE,
    RUNS_OF_TRADES,
    UNDESCRIBED,
    Cut,
    Endless,
    Exchange,
    Job,
    ms,
    span,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.errors import ServerFaultError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.ingest.sources.judge import FEW_CANDLES
from candle_ingestor.model.gaps import GapReason


def whole(minutes: list[int]) -> list[int]:
    return minutes


def empty(minutes: list[int]) -> list[int]:
    return []


def only_first(minutes: list[int]) -> list[int]:
    return minutes[:1]


def without_head(minutes: list[int]) -> list[int]:
    return minutes[len(minutes) * 2 // 3 :]


def without_tail(minutes: list[int]) -> list[int]:
    return minutes[: len(minutes) // 3 + 1]


# Defect M


def test_an_answer_cut_to_the_known_candle_is_asked_again() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 140
    exchange.cuts = [only_first]

    job.run(0)

    assert job.wrong() == []
    assert job.candles == set(range(140))


@pytest.mark.parametrize("cut", [only_first, without_tail, without_head, empty])
def test_a_cut_at_the_present_end_heals_by_the_next_run(cut: Cut) -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 105
    exchange.cuts = [cut]

    job.run(0)
    assert job.wrong() == []
    exchange.now = 110
    job.run(0)

    assert job.candles == set(range(110))
    assert not span(0, 108) - (job.coverage.covered - job.coverage.provisional)


# Defect P


@pytest.mark.parametrize("still", [5, 10, 17])
def test_a_feed_that_stands_still_for_nearly_a_page_heals_when_it_fills_in(still: int) -> None:
    exchange = Exchange(set(range(100)), 100)
    job = Job(exchange).run(0)
    for now in range(100, 100 + still, 3):
        exchange.now = now
        job.run(0)
        assert not span(0, now) - job.coverage.covered
    exchange.true |= set(range(100, 100 + still + 2))
    exchange.now = 100 + still
    job.run(0)

    assert job.candles == set(range(100 + still))


def test_silence_older_than_nearly_a_page_is_final() -> None:
    exchange = Exchange(set(range(100)), 200)
    job = Job(exchange).run(0)

    assert job.coverage.covered == span(0, 200)
    assert job.coverage.provisional == span(200 - PAGE + FEW_CANDLES + 1, 200)


def test_silence_that_a_later_candle_confirms_is_final() -> None:
    exchange = Exchange({*range(100), 120}, 120.5)
    job = Job(exchange).run(0)

    assert job.coverage.provisional == span(118, 120)


# Defect R


@pytest.mark.parametrize("real_page", [7, 10, 13, 20, 29])
@pytest.mark.parametrize("habits", [DESCRIBED, UNDESCRIBED])
def test_a_page_limit_below_the_assumed_one_loses_nothing(
    real_page: int, habits: ExchangeHabits
) -> None:
    exchange = Exchange(set(range(-50, 300)), 300, habits, real_page=real_page)

    job = Job(exchange).run(0)

    assert job.candles == set(range(300))
    assert job.coverage.covered == span(0, 300)
    assert len(exchange.requests) <= 300 // (real_page - 1) + 8


# Defect X


def test_what_the_end_of_the_run_cuts_short_is_no_failure() -> None:
    class Over(Endless):
        def seconds_left(self) -> float | None:
            return 0.0

    exchange = Exchange(set(range(100)), 100, failing=lambda since: ServerFaultError("503"))

    job = Job(exchange).run(0, stop=Over())

    assert job.pages == []
    assert len(exchange.requests) == 1


# What a run costs


def test_an_ordinary_run_makes_one_request() -> None:
    exchange = Exchange(set(range(400)), 100.5)
    job = Job(exchange).run(0)
    for now in (105.5, 110.2, 111.0, 118.0):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 1
        assert job.candles == set(range(int(now)))


def test_a_run_over_an_idle_market_makes_one_request() -> None:
    exchange = Exchange(set(range(100)), 100)
    job = Job(exchange).run(0)
    for now in range(104, 125, 5):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 1
        assert not span(0, now) - job.coverage.covered


def test_a_market_long_idle_costs_one_more_request_for_its_last_candle() -> None:
    exchange = Exchange(set(range(100)), 300)
    job = Job(exchange).run(0)
    for now in range(303, 320, 5):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 2
        assert not span(0, now) - job.coverage.covered


# Candles that go away


def test_a_withdrawn_candle_is_gone_when_answers_on_its_own_lack_it_twice() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.true.remove(97)  # the one that the next run begins at
    exchange.now = 105

    job.run(0)

    assert 97 not in job.candles
    assert job.wrong() == []
    assert len(exchange.requests) == 3


def test_one_answer_that_lacks_a_known_candle_removes_nothing() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 105
    exchange.cuts = [lambda minutes: minutes[1:]]

    job.run(0)

    assert job.candles == set(range(105))


# No cut comes twice in a row, and no more than two empty answers do.
CUTS = st.lists(
    st.sampled_from([[only_first], [without_head], [without_tail], [empty], [empty, empty], []]),
    max_size=12,
).map(lambda faults: [cut for fault in faults for cut in (*fault, whole, whole, whole, whole)])


@settings(max_examples=300)
@given(
    true=RUNS_OF_TRADES,
    older=st.booleans(),
    habits=st.sampled_from(
        [
            DESCRIBED,
            UNDESCRIBED,
            ExchangeHabits("coinbaseexchange", PAGE, reach_candles=60),
        ]
    ),
    real_page=st.sampled_from([10_000, 10_000, 12]),
    is_by_range=st.booleans(),
    steps=st.lists(st.tuples(st.integers(1, 90), CUTS), min_size=1, max_size=4),
    first=st.integers(0, 60),
)
def test_after_a_quiet_run_nothing_that_is_final_contradicts_the_truth(
    true: set[int],
    older: bool,
    habits: ExchangeHabits,
    real_page: int,
    is_by_range: bool,
    steps: list[tuple[int, list[Cut]]],
    first: int,
) -> None:
    true = true | ({-3 * DAY} if older else set())
    exchange = Exchange(set(true), first + 10, habits, real_page, is_by_range)
    job = Job(exchange)
    for sleep, cuts in steps:
        exchange.now += sleep
        exchange.cuts = list(cuts)
        job.run(first)
        assert job.wrong() == []
    exchange.cuts = []
    exchange.now += 5
    job.run(first)

    assert job.wrong() == []
    assert job.failures == []
    settled = job.coverage.covered
    for reason in (GapReason.BEYOND_REACH, GapReason.NOT_LISTED_YET):
        settled = settled | job.reason(reason)
    if habits.reach_candles is not None:
        # Before the first candle that is known, its reach does not tell whether it was listed.
        head = span(0, min(job.candles, default=int(exchange.now)))
        open_head = job.reason(GapReason.NOT_FETCHED) & head
        assert not {minute for minute in true if open_head.contains(ms(minute))}
        settled = settled | open_head
    unlisted_today = span(int(exchange.now) // DAY * DAY, int(exchange.now))
    missing = span(first, int(exchange.now)) - settled
    assert (
        not missing
        or (not exchange.true and not missing - unlisted_today)
        or not {minute for minute in true if minute <= exchange.now}
    )
