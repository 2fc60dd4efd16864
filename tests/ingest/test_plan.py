"""Rules C5 and T2. Times are minutes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import MINUTE, ms, span, spans

from candle_ingestor.ingest.plan import (
    SeriesPlan,
    Window,
    catch_up_start_ms,
    cut_to_tasks,
    estimated_requests,
    plan_series,
    with_full_page,
)
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin, Origins
from candle_ingestor.model.series_record import NOTHING_KNOWN, Coverage, Listing, SeriesRecord
from candle_ingestor.model.timeframe import Timeframe


def window(start: int | None, end: int, *, is_bounded: bool = False, initial: int = 20) -> Window:
    return Window(None if start is None else ms(start), ms(end), is_bounded, ms(initial) - ms(0))


def known(*pairs: tuple[int, int], provisional: IntervalSet = EMPTY) -> SeriesRecord:
    return SeriesRecord(Coverage(spans(*pairs), provisional))


def plan(wished: Window, record: SeriesRecord, reach: int | None = None) -> SeriesPlan:
    return plan_series(wished, record, MINUTE, None if reach is None else ms(reach))


def test_catch_up_takes_the_newest_and_backfill_the_rest_of_a_new_series() -> None:
    made = plan(window(0, 100), NOTHING_KNOWN)

    assert made.wanted == (ms(0), ms(100))
    assert made.catch_up == span(80, 100)
    assert made.backfill == span(0, 80)


def test_what_was_left_open_is_backfilled_after_catch_up() -> None:
    made = plan(window(0, 100), known((10, 30), (40, 90)))

    assert made.catch_up == span(90, 100)
    assert made.backfill == spans((0, 10), (30, 40))


def test_a_second_run_in_the_same_minute_reads_only_what_is_provisional() -> None:
    assert plan(window(0, 100), known((0, 100))).to_fetch == EMPTY
    provisional = known((0, 100), provisional=span(98, 100))
    assert plan(window(0, 100), provisional).to_fetch == span(98, 100)


@pytest.mark.parametrize("start", [0, 50, None])
def test_provisional_minutes_are_read_again_wherever_they_lie(start: int | None) -> None:
    record = replace(
        known((0, 100), provisional=spans((3, 5), (40, 41), (98, 100))), catch_up_from_ms=ms(60)
    )

    made = plan(window(start, 100), record)

    assert made.to_fetch == spans((3, 5), (40, 41), (98, 100))
    assert made.catch_up == span(98, 100)


def test_candles_after_the_window_are_not_read_again() -> None:
    bounded = window(0, 50, is_bounded=True)

    assert plan(bounded, known((0, 100), provisional=span(98, 100))).to_fetch == EMPTY


def test_what_was_pruned_is_wanted_again_only_where_it_is_explicitly_read_again() -> None:
    record = replace(known((40, 100)), pruned_until_ms=ms(40))

    def wanted_from(refetch: int | None) -> int:
        refetch_ms = None if refetch is None else ms(refetch)
        made = plan(replace(window(10, 100), refetch_from_ms=refetch_ms), record)
        assert made.wanted.end_ms == ms(100)
        return made.wanted.start_ms

    assert plan(window(10, 100), record).to_fetch == EMPTY
    assert wanted_from(None) == ms(40)
    assert wanted_from(70) == ms(40)
    assert wanted_from(25) == ms(25)
    assert wanted_from(0) == ms(10)
    assert plan(window(50, 100), record).wanted == (ms(50), ms(100))
    assert plan(window(10, 30, is_bounded=True), record).to_fetch == EMPTY


def test_a_longer_absence_than_catch_up_reaches_back_is_backfill() -> None:
    made = plan(window(0, 500), known((0, 100)))

    assert made.catch_up == span(480, 500)
    assert made.backfill == span(100, 480)


def test_an_old_bounded_download_does_not_hold_the_newest_days_back() -> None:
    for start in (0, None):
        record = replace(known((0, 50)), catch_up_from_ms=ms(200))
        made = plan(window(start, 500), record)

        assert made.catch_up == span(480, 500)


def test_without_backfill_only_the_first_days_are_caught_up() -> None:
    made = plan(window(None, 100, initial=30), NOTHING_KNOWN)

    assert made.wanted == (ms(70), ms(100))
    assert made.catch_up == span(70, 100)
    assert made.backfill == EMPTY


def test_without_backfill_everything_since_catch_up_began_is_accounted_for() -> None:
    record = replace(known((10, 30), (50, 60)), catch_up_from_ms=ms(20))

    made = plan(window(None, 100), record)

    assert made.wanted == (ms(20), ms(100))
    assert made.catch_up == span(80, 100)
    assert made.backfill == spans((30, 50), (60, 80))


def test_an_unfinished_backfill_of_another_run_does_not_widen_a_run_without_one() -> None:
    record = replace(known((0, 10), (80, 90)), catch_up_from_ms=ms(80))

    made = plan(window(None, 100), record)

    assert made.wanted == (ms(80), ms(100))
    assert made.to_fetch == span(90, 100)


def test_catch_up_begins_so_many_days_back_or_where_an_older_service_stood() -> None:
    assert catch_up_start_ms(window(None, 100), MINUTE) == ms(80)
    assert catch_up_start_ms(window(None, 100), MINUTE, ms(5) + 1) == ms(5)
    assert catch_up_start_ms(Window(None, 10, False, 20), MINUTE) == 0


def test_a_bounded_download_has_no_catch_up() -> None:
    made = plan(window(0, 100, is_bounded=True), known((0, 90)))

    assert made.catch_up == EMPTY
    assert made.backfill == span(90, 100)


def test_what_lies_beyond_the_reach_needs_no_request() -> None:
    made = plan(window(0, 100), known((0, 5)), reach=60)

    assert made.to_fetch == span(60, 100)
    assert made.unreachable[GapReason.BEYOND_REACH] == span(5, 60)


def test_what_was_found_beyond_reach_before_the_first_known_candle_is_not_asked_again() -> None:
    coverage = Coverage(spans((50, 60), (70, 90))).with_reasons(
        {GapReason.BEYOND_REACH: spans((0, 50), (60, 70))}
    )

    made = plan(window(0, 100), SeriesRecord(coverage))

    assert made.to_fetch == spans((60, 70), (90, 100))
    assert made.unreachable[GapReason.BEYOND_REACH] == span(0, 50)


def test_a_series_of_which_nothing_is_known_is_asked_whatever_was_beyond_reach() -> None:
    coverage = Coverage().with_reasons({GapReason.BEYOND_REACH: span(0, 50)})

    assert plan(window(0, 100), SeriesRecord(coverage)).to_fetch == span(0, 100)


def test_what_lies_before_the_listing_needs_no_request_and_what_is_silent_does() -> None:
    listed = replace(known((60, 90)), listing=Listing(first_day_ms=ms(50)))
    silent = replace(known((60, 90)), listing=Listing(silent_until_ms=ms(50)))

    made = plan(window(0, 100), listed, reach=10)
    assert made.to_fetch == spans((50, 60), (90, 100))
    assert made.unreachable == {
        GapReason.NOT_LISTED_YET: span(0, 50),
        GapReason.BEYOND_REACH: EMPTY,
    }
    assert plan(window(0, 100), silent).to_fetch == spans((0, 60), (90, 100))


def test_a_window_that_begins_after_its_end_wants_nothing() -> None:
    made = plan(window(200, 100), NOTHING_KNOWN)

    assert made.wanted == (ms(200), ms(200))
    assert made.to_fetch == EMPTY


def test_a_start_within_a_candle_counts_from_the_next() -> None:
    hour = Timeframe(60)
    made = plan_series(Window(1, 5 * hour.duration_ms, True, 0), NOTHING_KNOWN, hour, None)

    assert made.wanted == (hour.duration_ms, 5 * hour.duration_ms)


def test_of_two_windows_the_earlier_start_counts() -> None:
    assert window(50, 100).reaching_back_to(window(20, 100)) == window(20, 100)
    assert window(None, 100).reaching_back_to(window(20, 100)) == window(20, 100)
    assert window(50, 100).reaching_back_to(window(None, 100)) == window(50, 100)
    assert window(None, 100).reaching_back_to(window(None, 100)) == window(None, 100)


def test_intervals_are_cut_to_ascending_tasks_of_bounded_length() -> None:
    assert cut_to_tasks(spans((0, 25), (30, 31)), MINUTE, 10) == [
        Interval(ms(first), ms(last)) for first, last in ((0, 10), (10, 20), (20, 25), (30, 31))
    ]


@pytest.mark.parametrize(("candles", "page", "requests"), [(99, 100, 1), (100, 100, 2), (3, 1, 3)])
def test_requests_are_estimated_with_one_repeated_candle_each(
    candles: int, page: int, requests: int
) -> None:
    assert estimated_requests(span(0, candles), MINUTE, page) == requests


SPANS = st.lists(
    st.tuples(st.integers(0, 120), st.integers(1, 40)).map(lambda p: (p[0], sum(p))), max_size=4
).map(lambda pairs: spans(*pairs))
MINUTES = st.integers(0, 150).map(ms)


OFFERS = st.dictionaries(st.sampled_from([Origin.ARCHIVE, Origin.TRADES]), SPANS)


def test_what_the_endpoint_does_not_reach_goes_to_the_first_source_that_offers_it() -> None:
    offers = {Origin.ARCHIVE: span(10, 30), Origin.TRADES: span(20, 70)}

    made = plan_series(window(0, 100), NOTHING_KNOWN, MINUTE, ms(60), lambda: offers)

    assert made.elsewhere == {Origin.ARCHIVE: span(10, 30), Origin.TRADES: span(30, 60)}
    assert made.to_ask == span(60, 100)
    assert made.to_fetch == span(10, 100)
    assert made.unreachable[GapReason.BEYOND_REACH] == span(0, 10)


def test_provisional_minutes_that_left_the_reach_are_asked_of_who_offers_them() -> None:
    record = known((0, 60), provisional=span(58, 60))

    made = plan_series(
        window(0, 100), record, MINUTE, ms(80), lambda: {Origin.ARCHIVE: span(50, 70)}
    )

    assert made.elsewhere == {Origin.ARCHIVE: span(58, 70)}
    assert made.unreachable[GapReason.BEYOND_REACH] == span(70, 80)
    assert made.to_ask == span(80, 100)


def test_candles_from_elsewhere_bring_nothing_within_the_reach_of_the_endpoint() -> None:
    coverage = (
        Coverage()
        .with_reasons({GapReason.BEYOND_REACH: span(0, 60)})
        .replaced(span(60, 90), span(60, 90))
        .replaced(span(10, 30), span(10, 30), origin=Origin.ARCHIVE)
    )

    made = plan(window(0, 100), SeriesRecord(coverage))

    assert made.to_fetch == span(90, 100)
    assert made.unreachable[GapReason.BEYOND_REACH] == spans((0, 10), (30, 60))


@st.composite
def records(draw: st.DrawFn) -> SeriesRecord:
    covered = draw(SPANS)
    coverage = Coverage(covered, covered & draw(SPANS)).with_reasons(
        draw(st.dictionaries(st.sampled_from(list(GapReason)[:5]), SPANS, max_size=3))
    )
    listing = Listing(draw(st.none() | MINUTES))
    return SeriesRecord(coverage, listing, draw(st.none() | MINUTES))


WINDOWS = st.builds(
    window,
    st.none() | st.integers(0, 120),
    st.integers(0, 150),
    is_bounded=st.booleans(),
    initial=st.integers(0, 150),
)


@settings(max_examples=300)
@given(WINDOWS, records(), st.none() | MINUTES, OFFERS)
def test_a_plan_accounts_for_everything_wanted_exactly_once(
    wished: Window, record: SeriesRecord, reach_ms: int | None, offers: Origins
) -> None:
    made = plan_series(wished, record, MINUTE, reach_ms, lambda: offers)

    wanted = IntervalSet((made.wanted,)) - record.covered
    again = record.provisional & IntervalSet.of(0, wished.end_ms)
    parts = [
        made.catch_up,
        made.backfill,
        *made.elsewhere.values(),
        *made.unreachable.values(),
    ]
    union = EMPTY
    for part in parts:
        assert not union & part
        union = union | part
    assert union - record.covered == wanted
    assert not (made.to_fetch & record.covered) - again
    assert not made.to_fetch - IntervalSet.of(0, wished.end_ms)
    for unreachable in made.unreachable.values():
        assert not unreachable & record.covered
    first_ms = max(reach_ms or 0, record.listing.first_day_ms or 0)
    assert not (made.to_ask - record.covered) & IntervalSet.of(0, first_ms)
    if reach_ms is None:
        assert not again - made.to_fetch
    for origin, intervals in made.elsewhere.items():
        assert not intervals - offers[origin]
        assert not intervals & made.unreachable[GapReason.BEYOND_REACH]
        assert not intervals & (record.covered - record.provisional)
    newest = IntervalSet.of(wished.end_ms - wished.catch_up_initial_ms, wished.end_ms)
    assert made.catch_up == (EMPTY if wished.is_bounded else made.to_ask & newest)


@settings(max_examples=200)
@given(WINDOWS, records(), st.none() | MINUTES)
def test_a_run_that_got_everything_leaves_only_what_its_first_candle_brings_within_reach(
    wished: Window, record: SeriesRecord, reach_ms: int | None
) -> None:
    beyond = record.coverage.reasons.get(GapReason.BEYOND_REACH, EMPTY)

    first = plan_series(wished, record, MINUTE, reach_ms)
    record = with_answered(record, first.to_fetch)
    second = plan_series(wished, record, MINUTE, reach_ms)
    record = with_answered(record, second.to_fetch)
    third = plan_series(wished, record, MINUTE, reach_ms)

    assert not second.to_fetch - beyond
    assert third.to_fetch == EMPTY


def with_answered(record: SeriesRecord, span: IntervalSet) -> SeriesRecord:
    return replace(record, coverage=record.coverage.replaced(span, span))


def test_what_is_known_is_read_again_from_the_time_given_on_and_stays_known() -> None:
    record = known((0, 40), (50, 100))

    made = plan(replace(window(20, 100), refetch_from_ms=ms(70)), record)
    assert made.to_fetch == spans((40, 50), (70, 100))
    assert made.catch_up == span(80, 100)
    assert made.unreachable[GapReason.BEYOND_REACH] == EMPTY

    everything = plan(replace(window(20, 100), refetch_from_ms=0), record, reach=60)
    assert everything.to_fetch == span(60, 100)
    assert everything.unreachable[GapReason.BEYOND_REACH] == span(40, 50)


def test_what_was_beyond_reach_once_is_asked_for_again_where_all_is_to_be_read_again() -> None:
    found = {GapReason.BEYOND_REACH: span(0, 30)}
    record = SeriesRecord(Coverage(span(30, 100), reasons=found))

    assert plan(window(0, 100), record).to_fetch == EMPTY
    again = replace(window(0, 100), refetch_from_ms=ms(10))
    assert plan(again, record).to_fetch == span(10, 100)


@pytest.mark.parametrize(
    ("catch_up", "backfill", "filled", "left"),
    [
        (span(93, 100), span(0, 93), span(90, 100), span(0, 90)),
        (span(80, 100), span(0, 80), span(80, 100), span(0, 80)),
        (span(93, 100), span(0, 90), span(93, 100), span(0, 90)),
        (span(93, 100), spans((0, 91), (92, 93)), span(92, 100), span(0, 91)),
        (spans((92, 94), (97, 100)), span(80, 92), spans((84, 94), (97, 100)), span(80, 84)),
        (EMPTY, span(0, 93), EMPTY, span(0, 93)),
        (span(93, 100), EMPTY, span(93, 100), EMPTY),
    ],
)
def test_the_oldest_request_of_catch_up_takes_the_backfill_that_it_has_room_for(
    catch_up: IntervalSet, backfill: IntervalSet, filled: IntervalSet, left: IntervalSet
) -> None:
    assert with_full_page(catch_up, backfill, ms(10) - ms(0)) == (filled, left)
