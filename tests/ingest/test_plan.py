"""Rules C5 and T2. Times are minutes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.ingest.plan import (
    Phase,
    SeriesPlan,
    Window,
    cut_to_tasks,
    estimated_requests,
    plan_series,
    wanted_interval,
)
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord

MINUTE_MS = 60_000
MINUTE = Timeframe(1)
NOTHING_KNOWN = CoverageRecord()


def ms(minute: int) -> int:
    return minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def window(
    start: int | None,
    end: int,
    *,
    is_bounded: bool = False,
    initial: int = 20,
    refetch: int = 2,
) -> Window:
    start_ms = None if start is None else ms(start)
    return Window(start_ms, ms(end), is_bounded, ms(initial), ms(refetch))


def known(*spans: tuple[int, int]) -> CoverageRecord:
    return CoverageRecord(covered=IntervalSet((ms(a), ms(b)) for a, b in spans))


def test_catch_up_takes_the_newest_and_backfill_the_rest_of_a_new_series() -> None:
    plan = plan_series(window(0, 100), NOTHING_KNOWN, MINUTE, None)

    assert plan.wanted == (0, ms(100))
    assert plan.of_phase(Phase.CATCH_UP) == span(80, 100)
    assert plan.of_phase(Phase.BACKFILL) == span(0, 80)
    assert plan.to_fetch == span(0, 100)


def test_catch_up_goes_on_from_the_last_candles_which_are_read_again() -> None:
    plan = plan_series(window(0, 100), known((0, 90)), MINUTE, None)

    assert plan.catch_up == span(88, 100)
    assert plan.backfill == EMPTY


def test_what_was_left_open_is_backfilled_after_catch_up() -> None:
    plan = plan_series(window(0, 100), known((10, 30), (40, 90)), MINUTE, None)

    assert plan.catch_up == span(88, 100)
    assert plan.backfill == span(0, 10) | span(30, 40)


def test_a_second_run_in_the_same_minute_reads_only_the_last_candles_again() -> None:
    plan = plan_series(window(0, 100), known((0, 100)), MINUTE, None)

    assert plan.to_fetch == span(98, 100)


def test_nothing_is_read_again_where_nothing_is_to_be() -> None:
    assert plan_series(window(0, 100, refetch=0), known((0, 100)), MINUTE, None).to_fetch == EMPTY


def test_candles_after_the_window_are_not_read_again() -> None:
    plan = plan_series(window(0, 50), known((0, 100)), MINUTE, None)

    assert plan.to_fetch == span(48, 50)


def test_without_backfill_only_the_first_days_are_caught_up() -> None:
    plan = plan_series(window(None, 100, initial=30), NOTHING_KNOWN, MINUTE, None)

    assert plan.wanted == (ms(70), ms(100))
    assert plan.catch_up == span(70, 100)
    assert plan.backfill == EMPTY


def test_without_backfill_everything_since_the_first_known_candle_is_accounted_for() -> None:
    plan = plan_series(window(None, 100), known((10, 30), (50, 60)), MINUTE, None)

    assert plan.wanted == (ms(10), ms(100))
    assert plan.catch_up == span(58, 100)
    assert plan.backfill == span(30, 50)


def test_the_state_of_an_older_service_says_where_catch_up_starts() -> None:
    plan = plan_series(window(None, 100), NOTHING_KNOWN, MINUTE, None, catch_up_from_ms=ms(5) + 1)

    assert plan.wanted == (ms(5), ms(100))


def test_a_bounded_download_has_no_catch_up() -> None:
    plan = plan_series(window(0, 100, is_bounded=True), known((0, 90)), MINUTE, None)

    assert plan.catch_up == EMPTY
    assert plan.backfill == span(88, 100)


def test_what_lies_beyond_the_reach_needs_no_request() -> None:
    plan = plan_series(window(0, 100), known((0, 5)), MINUTE, ms(60))

    assert plan.to_fetch == span(60, 100)
    assert plan.unreachable[GapReason.BEYOND_REACH] == span(5, 60)


def test_what_was_before_the_listing_needs_no_request() -> None:
    record = replace(NOTHING_KNOWN, listed_from_ms=ms(70))

    plan = plan_series(window(0, 100), record, MINUTE, ms(60))

    assert plan.to_fetch == span(70, 100)
    assert plan.unreachable[GapReason.NOT_LISTED_YET] == span(0, 70)
    assert plan.unreachable[GapReason.BEYOND_REACH] == EMPTY


def test_what_an_exchange_did_not_reach_before_its_first_candle_is_not_asked_for_again() -> None:
    beyond = {GapReason.BEYOND_REACH: span(0, 40) | span(50, 55)}
    record = replace(known((40, 50), (55, 90)), reasons=beyond)

    plan = plan_series(window(0, 100), record, MINUTE, None)

    assert plan.to_fetch == span(50, 55) | span(88, 100)
    assert plan.unreachable[GapReason.BEYOND_REACH] == span(0, 40)


def test_an_exchange_that_never_showed_a_candle_is_asked_for_everything_again() -> None:
    record = replace(NOTHING_KNOWN, reasons={GapReason.BEYOND_REACH: span(0, 100)})

    assert plan_series(window(0, 100), record, MINUTE, None).to_fetch == span(0, 100)


def test_an_earlier_start_backfills_what_lies_before() -> None:
    plan = plan_series(window(0, 100), known((50, 100)), MINUTE, None)

    assert plan.backfill == span(0, 50)


def test_a_start_in_the_middle_of_a_candle_begins_with_the_next_one() -> None:
    wanted = wanted_interval(replace(window(0, 100), start_ms=1), NOTHING_KNOWN, MINUTE)

    assert wanted == (ms(1), ms(100))


def test_more_days_than_there_were_since_1970_start_there() -> None:
    assert wanted_interval(window(None, 100, initial=500), NOTHING_KNOWN, MINUTE) == (0, ms(100))


@pytest.mark.parametrize(
    ("mine", "other", "start"), [(5, 3, 3), (3, 5, 3), (None, 5, 5), (5, None, 5)]
)
def test_a_series_of_two_symbols_reaches_back_to_the_earlier_start(
    mine: int | None, other: int | None, start: int
) -> None:
    assert window(mine, 100).reaching_back_to(window(other, 100)) == window(start, 100)


def test_two_windows_without_a_start_stay_without_one() -> None:
    assert window(None, 100).reaching_back_to(window(None, 100)) == window(None, 100)


def test_tasks_are_whole_candles_and_no_longer_than_asked() -> None:
    tasks = cut_to_tasks(span(0, 25) | span(30, 31), MINUTE, 10)

    assert tasks == [(0, ms(10)), (ms(10), ms(20)), (ms(20), ms(25)), (ms(30), ms(31))]


def test_requests_are_estimated_with_one_candle_of_overlap_a_page() -> None:
    assert estimated_requests(span(0, 99) | span(200, 201), MINUTE, 100) == 2
    assert estimated_requests(span(0, 100), MINUTE, 100) == 2
    assert estimated_requests(EMPTY, MINUTE, 100) == 0


SPANS = st.lists(
    st.tuples(st.integers(0, 130), st.integers(1, 40)).map(lambda pair: (pair[0], sum(pair))),
    max_size=5,
)
RECORDS = st.builds(
    lambda covered, beyond, listed: CoverageRecord(
        covered=known(*covered).covered,
        reasons={GapReason.BEYOND_REACH: known(*beyond).covered - known(*covered).covered},
        listed_from_ms=listed,
    ),
    SPANS,
    SPANS,
    st.none() | st.integers(0, 130).map(ms),
)
WINDOWS = st.builds(
    lambda start, end, is_bounded, initial, refetch: window(
        start, end, is_bounded=is_bounded and start is not None, initial=initial, refetch=refetch
    ),
    st.none() | st.integers(0, 120),
    st.integers(0, 130),
    st.booleans(),
    st.integers(0, 150),
    st.integers(0, 3),
)


def parts_of(plan: SeriesPlan) -> list[IntervalSet]:
    return [plan.catch_up, plan.backfill, *plan.unreachable.values()]


@settings(max_examples=400, deadline=None)
@given(WINDOWS, RECORDS, st.none() | st.integers(0, 150).map(ms))
def test_a_plan_accounts_for_everything_wanted_exactly_once(
    wished: Window, record: CoverageRecord, reach_ms: int | None
) -> None:
    plan = plan_series(wished, record, MINUTE, reach_ms)

    wanted = IntervalSet((plan.wanted,))
    parts = parts_of(plan)
    for index, part in enumerate(parts):
        for other in parts[index + 1 :]:
            assert not part & other
    union = EMPTY
    for part in parts:
        union = union | part
    again = plan.to_fetch & record.covered
    assert union - again == wanted - record.covered
    assert again.duration_ms <= wished.refetch_ms
    assert not plan.to_fetch - IntervalSet.of(0, wished.end_ms)
    if reach_ms is not None:
        assert not plan.to_fetch & IntervalSet.of(0, reach_ms)
    before_end = record.covered & IntervalSet.of(0, wished.end_ms)
    if before_end and reach_ms is None and record.listed_from_ms is None:
        last = IntervalSet.of(before_end.end_ms - wished.refetch_ms, before_end.end_ms)
        assert again == last & record.covered


@settings(max_examples=100, deadline=None)
@given(WINDOWS, SPANS)
def test_running_twice_fetches_nothing_new(wished: Window, covered: list[tuple[int, int]]) -> None:
    record = known(*covered)
    plan = plan_series(wished, record, MINUTE, None)

    done = replace(record, covered=record.covered | plan.to_fetch)

    second = plan_series(wished, done, MINUTE, None)
    assert not second.to_fetch - done.covered
