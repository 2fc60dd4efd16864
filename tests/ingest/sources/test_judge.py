"""Rule C2: what an answer vouches for. Times are minutes after START_MS."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.ingest.sources.base import Page
from candle_ingestor.ingest.sources.heard import Heard, PageAsk, heard_from, joined
from candle_ingestor.ingest.sources.judge import (
    FEW_CANDLES,
    SAME_ANSWERS_NEEDED,
    Doubt,
    Findings,
    doubt_of,
    is_muddled,
    needs_no_proof,
    page_of,
    reach_start_ms,
    silent_tail,
    vouched_end_ms,
)
from candle_ingestor.ingest.sources.sift import sift
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
MINUTE = Timeframe(1)
PAGE = 10
GOOD = (10.0, 12.0, 9.0, 11.0, 1.0)
BAD = (10.0, 8.0, 9.0, 10.0, 1.0)


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def ask_for(first: int, last: int, overlap: int | None = None) -> PageAsk:
    start = first if overlap is None else overlap
    overlap_ms = None if overlap is None else ms(overlap)
    return PageAsk(ms(start), PAGE, Interval(ms(first), ms(last)), overlap_ms, MINUTE)


def heard(
    ask: PageAsk, good: Iterable[int], bad: Iterable[int] = (), *, off_grid: bool = False
) -> Heard:
    rows = [(ms(minute), *GOOD) for minute in good] + [(ms(minute), *BAD) for minute in bad]
    if off_grid:
        rows.append((ms(10_000) + 1, *GOOD))
    return heard_from(sift(RawRows.from_rows(rows, rows), MINUTE), ask.start_ms, MINUTE)


def page(ask: PageAsk, shown: Heard, now: int = 100_000) -> Page:
    muddled = is_muddled(ask, shown)
    found = Findings(shown, vouched_end_ms(ask, shown), is_muddled=muddled)
    return page_of(ask, found, ms(now), PAGE * MINUTE_MS, 2 * MINUTE_MS)


def minutes_of(frame_of: Page | Heard) -> list[int]:
    return [(time - START_MS) // MINUTE_MS for time in frame_of.candles["open_time_ms"]]


def test_an_answer_vouches_from_the_known_candle_to_its_last_one() -> None:
    ask = ask_for(1, 100, overlap=0)
    shown = heard(ask, [0, 1, 4, 7])

    assert doubt_of(ask, shown) is None
    got = page(ask, shown)
    assert minutes_of(got) == [0, 1, 4, 7]
    assert got.answered == span(0, 8)
    assert got.done == Interval(ms(1), ms(8))
    assert got.provisional == EMPTY


def test_without_a_known_candle_it_vouches_from_its_first_one() -> None:
    ask = ask_for(0, 100)

    assert page(ask, heard(ask, [3, 4, 6])).answered == span(3, 7)


def test_silence_after_the_last_candle_is_left_open() -> None:
    ask = ask_for(1, 10, overlap=0)
    shown = heard(ask, [0, 1, 2])

    assert page(ask, shown).answered == span(0, 3)
    assert silent_tail(ask, shown) == Interval(ms(3), ms(10))


def test_a_later_candle_even_beyond_what_is_wanted_settles_the_tail() -> None:
    ask = ask_for(1, 8, overlap=0)
    shown = heard(ask, [0, 1, 30])

    assert silent_tail(ask, shown).duration_ms == 0
    got = page(ask, shown)
    assert minutes_of(got) == [0, 1]
    assert got.answered == span(0, 8)


def test_candles_before_the_known_one_or_after_the_wanted_end_are_not_taken() -> None:
    ask = ask_for(1, 5, overlap=0)
    got = page(ask, heard(ask, [-3, 0, 1, 2, 3, 4, 5, 6]))

    assert minutes_of(got) == [0, 1, 2, 3, 4]
    assert got.answered == span(0, 5)


def test_more_rows_than_were_asked_for_are_as_good() -> None:
    ask = ask_for(0, 100)

    assert page(ask, heard(ask, range(30))).answered == span(0, 30)


@pytest.mark.parametrize(
    ("overlap", "good", "doubt"),
    [
        (None, [], Doubt.EMPTY),
        (0, [], Doubt.EMPTY_BUT_HAD_CANDLE),
        (0, [0], Doubt.NOTHING_NEW),
        (0, [0, 1], None),
        (0, [3], None),
        (None, [3], None),
    ],
)
def test_answers_without_anything_new_are_doubted(
    overlap: int | None, good: list[int], doubt: Doubt | None
) -> None:
    ask = ask_for(1, 100, overlap)

    assert doubt_of(ask, heard(ask, good)) is doubt


def test_a_bad_row_before_what_is_wanted_is_nothing_new() -> None:
    ask = ask_for(3, 100, overlap=0)

    assert doubt_of(ask, heard(ask, [0], bad=[1])) is Doubt.NOTHING_NEW


def test_how_often_each_doubt_is_to_be_heard() -> None:
    assert SAME_ANSWERS_NEEDED == {
        Doubt.EMPTY: 3,
        Doubt.EMPTY_BUT_HAD_CANDLE: None,
        Doubt.NOTHING_NEW: 2,
    }


def test_rejected_minutes_stay_open_and_the_rest_is_answered() -> None:
    ask = ask_for(1, 100, overlap=0)
    got = page(ask, heard(ask, [0, 1, 3, 5], bad=[2, 7]))

    assert got.reasons == {GapReason.REJECTED: span(2, 3) | span(7, 8)}
    assert got.answered == span(0, 2) | span(3, 7)
    assert got.done == Interval(ms(1), ms(8))


def test_a_bad_row_outside_of_what_is_asked_changes_nothing() -> None:
    ask = ask_for(1, 5, overlap=0)
    got = page(ask, heard(ask, [0, 1, 2, 3, 4], bad=[-7, 5]))

    assert got.answered == span(0, 5)
    assert got.reasons == {}


def test_a_row_that_may_stand_for_any_minute_leaves_only_candles_answered() -> None:
    ask = ask_for(1, 100, overlap=0)
    got = page(ask, heard(ask, [0, 1, 4, 5], off_grid=True))

    assert got.answered == span(0, 2) | span(4, 6)
    assert got.reasons[GapReason.REJECTED] == span(2, 4) | span(6, 100)


def test_bad_rows_in_place_of_the_known_candle_say_nothing_about_silence() -> None:
    ask = ask_for(1, 100, overlap=0)
    got = page(ask, heard(ask, [3, 5], bad=[7]))

    assert got.answered == span(3, 4) | span(5, 6)
    assert got.reasons == {GapReason.REJECTED: span(1, 3) | span(4, 5) | span(6, 8)}


def test_a_known_candle_that_is_now_a_bad_row_was_shown_all_the_same() -> None:
    ask = ask_for(1, 100, overlap=0)
    got = page(ask, heard(ask, [3, 5], bad=[0]))

    assert got.answered == span(1, 6)
    assert got.reasons == {}


@pytest.mark.parametrize(
    ("tail", "wanted_end", "closed_end", "silent_before", "asked_again", "needs_none"),
    [
        ((90, 100), 100, 100, EMPTY, 10, True),
        ((89, 100), 100, 100, EMPTY, 10, False),
        ((20, 100), 100, 100, span(10, 90), 10, True),
        ((20, 100), 100, 100, span(10, 89), 10, False),
        ((90, 100), 200, 200, EMPTY, 10, False),
        ((95, 100), 100, 100 + FEW_CANDLES, EMPTY, 10, True),
        ((95, 100), 100, 101 + FEW_CANDLES, EMPTY, 10, False),
        ((90, 100), 100, 100, EMPTY, 90, True),
        ((90, 100), 100, 100, EMPTY, 91, False),
        ((20, 100), 100, 100, span(10, 90), 90, True),
        ((20, 100), 100, 100, span(30, 100), 21, False),
    ],
)
def test_few_silent_candles_at_the_present_end_need_no_proof(
    tail: tuple[int, int],
    wanted_end: int,
    closed_end: int,
    silent_before: IntervalSet,
    asked_again: int,
    needs_none: bool,
) -> None:
    interval = Interval(ms(tail[0]), ms(tail[1]))
    ask = ask_for(tail[0], wanted_end)

    answer = needs_no_proof(interval, ask, silent_before, ms(closed_end), ms(asked_again))
    assert answer is needs_none


def test_candles_are_provisional_until_they_closed_long_enough_ago() -> None:
    ask = ask_for(1, 10, overlap=0)
    shown = heard(ask, range(11))
    found = Findings(shown, ms(10))

    for seconds, first in ((0, 8), (30, 8), (59, 8), (60, 9), (120, 10)):
        got = page_of(ask, found, ms(10) + seconds * 1000, PAGE * MINUTE_MS, 2 * MINUTE_MS)
        assert got.provisional == span(first, 10)
    assert page_of(ask, found, ms(10), PAGE * MINUTE_MS, 0).provisional == EMPTY


def test_unconfirmed_silence_is_provisional_for_a_page() -> None:
    ask = ask_for(1, 40, overlap=0)
    silence = span(1, 40)
    found = Findings(heard(ask, [0]), ms(40), silence, silence)

    got = page_of(ask, found, ms(42), PAGE * MINUTE_MS, 0)

    assert got.answered == span(0, 40)
    assert got.provisional == span(42 - PAGE // 2, 40)


def test_reach_begins_a_margin_later_than_it_seems() -> None:
    now_ms = ms(1000) + 30_000
    ask = ask_for(0, 1000)

    assert reach_start_ms(None, MINUTE, now_ms) is None
    assert reach_start_ms(60, MINUTE, now_ms) == ms(1000 - 59 + 2)
    ahead = heard(ask, range(990, 1003))
    assert reach_start_ms(60, MINUTE, now_ms, ahead) == ms(1002 - 59 + 2)


def test_a_head_and_the_rest_are_one_answer() -> None:
    ask = ask_for(0, 100)
    rest = heard(ask, [6, 8], bad=[7])
    head = heard(ask, [2, 6], bad=[3])

    whole = joined(head, rest)

    assert minutes_of(whole) == [2, 6, 8]
    assert (whole.first_ms, whole.last_ms) == (ms(2), ms(8))
    assert whole.rejected == span(3, 4) | span(7, 8)
    assert len(whole.rejected_rows) == 2


MINUTE_SETS = st.sets(st.integers(-5, 40), max_size=20)


@settings(max_examples=300)
@given(
    good=MINUTE_SETS,
    bad=st.sets(st.integers(-5, 40), max_size=3),
    off_grid=st.booleans(),
    first=st.integers(0, 20),
    length=st.integers(1, 30),
    overlap_back=st.none() | st.integers(1, 5),
)
def test_a_page_claims_nothing_twice_and_nothing_that_was_not_asked_for(
    good: set[int],
    bad: set[int],
    off_grid: bool,
    first: int,
    length: int,
    overlap_back: int | None,
) -> None:
    overlap = None if overlap_back is None else first - overlap_back
    ask = ask_for(first, first + length, overlap)
    shown = heard(ask, good, bad - good, off_grid=off_grid)

    got = page(ask, shown)

    rejected = got.reasons.get(GapReason.REJECTED, EMPTY)
    assert not got.answered & rejected
    assert not rejected - IntervalSet((got.done,))
    assert not got.answered - IntervalSet.of(ask.start_ms, ask.wanted.end_ms)
    # Every candle that was shown where the answer is believed is handed on, and no other.
    handed_on = set(minutes_of(got))
    assert handed_on == {m for m in good if got.answered.contains(ms(m))}
    if not is_muddled(ask, shown) and shown.first_ms is not None and got.done.duration_ms:
        vouched = IntervalSet.of(shown.first_ms, got.done.end_ms)
        assert got.answered | shown.rejected == vouched | (shown.rejected - vouched)
