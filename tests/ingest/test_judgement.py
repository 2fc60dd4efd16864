"""Rule C2: what an answer vouches for. Times are minutes after START_MS."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.ingest.judgement import (
    MOST_ASKS,
    SAME_ANSWERS_NEEDED,
    Doubt,
    Judgement,
    PageAsk,
    Reach,
    judge,
)
from candle_ingestor.ingest.sift import sift
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
PAGE = 10
WHOLE_HISTORY = Reach(None, is_known=True)
UNDESCRIBED = Reach(None, is_known=False)
BAD = (10.0, 8.0, 9.0, 10.0, 1.0)


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def ask_for(first: int, last: int, overlap: int | None = None) -> PageAsk:
    start = first if overlap is None else overlap
    return PageAsk(
        ms(start),
        ms(start + PAGE),
        Interval(ms(first), ms(last)),
        None if overlap is None else ms(overlap),
    )


def judged(
    ask: PageAsk,
    good: Iterable[int],
    *,
    bad: Iterable[int] = (),
    off_grid: bool = False,
    reach: Reach = WHOLE_HISTORY,
) -> Judgement:
    rows = [(ms(minute), 10.0, 12.0, 9.0, 11.0, 1.0) for minute in good]
    rows += [(ms(minute), *BAD) for minute in bad]
    if off_grid:
        rows.append((ms(10_000) + 1, 10.0, 12.0, 9.0, 11.0, 1.0))
    return judge(ask, sift(RawRows.from_rows(rows, rows), Timeframe(1)), Timeframe(1), reach)


def minutes_of(page: Judgement) -> list[int]:
    return [(time - START_MS) // MINUTE_MS for time in page.candles["open_time_ms"]]


def test_a_page_with_the_known_candle_is_believed_up_to_its_last_candle() -> None:
    page = judged(ask_for(1, 100, overlap=0), [0, 1, 4, 7])

    assert page.doubt is None
    assert minutes_of(page) == [0, 1, 4, 7]
    assert page.answered == span(0, 8)
    assert page.next_ms == ms(8)


def test_silence_after_the_last_candle_is_left_to_the_next_page() -> None:
    assert judged(ask_for(1, 10, overlap=0), [0, 1, 2]).answered == span(0, 3)


def test_a_later_candle_settles_the_tail() -> None:
    page = judged(ask_for(1, 8, overlap=0), [0, 1, 9])

    assert minutes_of(page) == [0, 1]
    assert page.answered == span(0, 8)


def test_the_known_candle_alone_says_that_nothing_followed() -> None:
    page = judged(ask_for(1, 100, overlap=0), [0])

    assert page.doubt is None
    assert page.answered == span(0, PAGE)
    assert page.next_ms == ms(PAGE)


def test_candles_before_the_known_one_or_after_the_wanted_end_are_not_taken() -> None:
    page = judged(ask_for(1, 5, overlap=0), [-3, 0, 1, 2, 3, 4, 5, 6])

    assert minutes_of(page) == [0, 1, 2, 3, 4]
    assert page.answered == span(0, 5)


def test_more_than_was_asked_for_settles_no_more_than_a_page() -> None:
    page = judged(ask_for(0, 100), range(30))

    assert page.answered == span(0, PAGE)
    assert minutes_of(page) == list(range(PAGE))


def test_a_missing_known_candle_is_a_doubt() -> None:
    page = judged(ask_for(1, 100, overlap=0), [2, 3])

    assert page.doubt is Doubt.LACKS_OVERLAP
    assert SAME_ANSWERS_NEEDED[Doubt.LACKS_OVERLAP] == 2


def test_a_full_page_without_the_known_candle_was_cut_at_its_head() -> None:
    page = judged(ask_for(1, 100, overlap=0), range(3, 3 + PAGE))

    assert page.doubt is Doubt.LACKS_OVERLAP
    assert page.answered == span(3, PAGE)
    assert page.beyond_reach == span(1, 3)


def test_an_undescribed_exchange_without_the_known_candle_was_cut_at_its_head() -> None:
    page = judged(ask_for(1, 100, overlap=0), [4, 5], reach=UNDESCRIBED)

    assert page.answered == span(4, 6)
    assert page.beyond_reach == span(1, 4)


def test_an_empty_answer_needs_three_of_a_kind_and_then_says_that_nothing_was_traded() -> None:
    page = judged(ask_for(0, 100), [])

    assert page.doubt is Doubt.EMPTY
    assert SAME_ANSWERS_NEEDED[Doubt.EMPTY] == 3
    assert page.answered == span(0, PAGE)
    assert page.next_ms == ms(PAGE)


def test_no_number_of_empty_answers_is_believed_where_a_candle_was_shown() -> None:
    assert judged(ask_for(1, 100, overlap=0), []).doubt is Doubt.EMPTY_BUT_HAD_CANDLE
    assert SAME_ANSWERS_NEEDED[Doubt.EMPTY_BUT_HAD_CANDLE] is None


def test_an_empty_answer_of_an_undescribed_exchange_is_no_proof_that_nothing_was_traded() -> None:
    page = judged(ask_for(0, 100), [], reach=UNDESCRIBED)

    assert page.answered == EMPTY
    assert page.beyond_reach == span(0, PAGE)
    assert page.next_ms == ms(PAGE)


def test_silence_before_the_first_candle_of_an_undescribed_exchange_is_no_proof() -> None:
    page = judged(ask_for(0, 100), [4, 5, 6], reach=UNDESCRIBED)

    assert page.answered == span(4, 7)
    assert page.beyond_reach == span(0, 4)


@pytest.mark.parametrize(("good", "end"), [([], PAGE), ([4, 5], 6)])
def test_an_undescribed_exchange_is_believed_after_a_candle_it_has_shown(
    good: list[int], end: int
) -> None:
    page = judged(ask_for(0, 100), good, reach=Reach(None, False, shown_from_ms=ms(-20)))

    assert page.answered == span(0, end)
    assert page.beyond_reach == EMPTY


def test_an_answer_that_starts_a_page_later_is_a_doubt() -> None:
    page = judged(ask_for(0, 100), [40, 41, 42])

    assert page.doubt is Doubt.STARTS_LATE
    assert page.answered == span(0, 40)
    assert page.next_ms == ms(40)


def test_an_undescribed_exchange_that_starts_a_page_later_does_not_reach_further_back() -> None:
    page = judged(ask_for(0, 100), [40, 41, 42], reach=UNDESCRIBED)

    assert page.answered == EMPTY
    assert page.beyond_reach == span(0, 40)


def test_what_left_the_reach_while_the_answer_was_on_its_way_is_beyond_it() -> None:
    page = judged(ask_for(0, 100), [3, 4], reach=Reach(ms(2), is_known=True))

    assert page.answered == span(2, 5)
    assert page.beyond_reach == span(0, 2)


def test_a_reach_past_everything_wanted_leaves_nothing_answered() -> None:
    page = judged(ask_for(0, 5), [40], reach=Reach(ms(20), is_known=True))

    assert page.answered == EMPTY
    assert page.beyond_reach == span(0, 5)


def test_rejected_minutes_stay_open_and_the_rest_is_answered() -> None:
    page = judged(ask_for(1, 100, overlap=0), [0, 1, 3, 5], bad=[2])

    assert page.doubt is Doubt.HAS_REJECTED_ROWS
    assert SAME_ANSWERS_NEEDED[Doubt.HAS_REJECTED_ROWS] == MOST_ASKS
    assert page.rejected == span(2, 3)
    assert page.answered == span(0, 2) | span(3, 6)


def test_a_bad_row_outside_of_what_is_asked_casts_no_doubt() -> None:
    page = judged(ask_for(1, 5, overlap=0), [0, 1, 2, 3, 4], bad=[-7, 5])

    assert page.doubt is None
    assert page.answered == span(0, 5)


def test_a_row_that_may_stand_for_any_minute_leaves_only_candles_answered() -> None:
    page = judged(ask_for(1, 100, overlap=0), [0, 1, 4, 5], off_grid=True)

    assert page.answered == span(0, 2) | span(4, 6)
    assert page.rejected == span(2, 4)


def test_an_answer_of_bad_rows_only_says_nothing_about_silence() -> None:
    page = judged(ask_for(0, 100), [], bad=[3])

    assert page.answered == EMPTY
    assert page.rejected == span(0, PAGE)


def test_bad_rows_in_place_of_the_known_candle_say_nothing_about_silence() -> None:
    page = judged(ask_for(1, 100, overlap=0), [3, 5], bad=[7])

    assert page.answered == span(3, 4) | span(5, 6)
    assert page.rejected == span(1, 3) | span(4, 5)


def test_a_known_candle_that_is_now_a_bad_row_was_shown_all_the_same() -> None:
    page = judged(ask_for(1, 100, overlap=0), [3, 5], bad=[0])

    assert page.answered == span(1, 6)
    assert page.rejected == EMPTY


def test_a_short_answer_between_known_candle_and_wanted_start_skips_nothing() -> None:
    page = judged(ask_for(2, 100, overlap=0), [0, 1])

    assert page.answered == span(0, 2)
    assert page.next_ms == ms(2)


MINUTE_SETS = st.sets(st.integers(-5, 40), max_size=20)


@settings(max_examples=300, deadline=None)
@given(
    good=MINUTE_SETS,
    bad=st.sets(st.integers(-5, 40), max_size=3),
    off_grid=st.booleans(),
    first=st.integers(0, 20),
    length=st.integers(1, 30),
    overlap_back=st.none() | st.integers(1, 5),
    reach=st.builds(
        Reach,
        st.none() | st.integers(-5, 60).map(ms),
        st.booleans(),
        st.none() | st.integers(-5, 40).map(ms),
    ),
)
def test_a_page_always_advances_and_claims_nothing_twice(
    good: set[int],
    bad: set[int],
    off_grid: bool,
    first: int,
    length: int,
    overlap_back: int | None,
    reach: Reach,
) -> None:
    overlap = None if overlap_back is None else first - overlap_back
    ask = ask_for(first, first + length, overlap)

    page = judged(ask, good, bad=bad - good, off_grid=off_grid, reach=reach)

    wanted = IntervalSet((ask.wanted,))
    times = IntervalSet((time, time + MINUTE_MS) for time in page.candles["open_time_ms"])
    last_ms = page.candles["open_time_ms"].max()
    assert ask.wanted.start_ms < page.next_ms or (
        ask.overlap_ms is not None and isinstance(last_ms, int) and last_ms > ask.overlap_ms
    )
    settled = page.answered | page.rejected | page.beyond_reach
    assert settled.covers((ask.wanted.start_ms, min(page.next_ms, ask.wanted.end_ms)))
    assert not (page.answered & page.rejected)
    assert not (page.answered & page.beyond_reach)
    assert not ((page.rejected | page.beyond_reach) - wanted)
    assert (
        not (page.answered | times) - span(-5, 0) - IntervalSet.of(ask.start_ms, ask.wanted.end_ms)
    )
    # Every candle that was shown where the answer is believed is handed on.
    shown = IntervalSet((ms(minute), ms(minute + 1)) for minute in good - bad)
    assert not (shown & page.answered) - times
