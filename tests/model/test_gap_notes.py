"""What is remembered of gaps, over runs that fill them, try them and find others."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.gap_notes import (
    MOST_FILLED,
    MOST_OPEN,
    NO_NOTES,
    Attempt,
    GapNote,
    GapNotes,
)
from candle_ingestor.model.gaps import Gap, GapReason, explain
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet

LENGTH = 40
REASONS = (GapReason.FETCH_FAILED, GapReason.NOT_FETCHED, GapReason.BEYOND_REACH)
FAILED, NOT_FETCHED = GapReason.FETCH_FAILED, GapReason.NOT_FETCHED

spans = st.lists(
    st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 12)).map(
        lambda pair: (pair[0], min(pair[0] + pair[1], LENGTH))
    ),
    max_size=4,
).map(IntervalSet)
runs = st.lists(
    st.tuples(spans, spans, spans, st.sampled_from(REASONS), spans, st.sampled_from(["x", None])),
    min_size=1,
    max_size=6,
)


def points(intervals: IntervalSet) -> set[int]:
    return {point for start, end in intervals for point in range(start, end)}


def by_point(notes: tuple[GapNote, ...]) -> dict[int, GapNote]:
    found: dict[int, GapNote] = {}
    for note in notes:
        for point in points(note.intervals):
            assert point not in found
            found[point] = note
    return found


@given(runs)
def test_every_point_has_the_past_that_the_runs_gave_it(
    history: list[tuple[IntervalSet, IntervalSet, IntervalSet, GapReason, IntervalSet, str | None]],
) -> None:
    notes = NO_NOTES
    seen: dict[int, tuple[GapReason, int, int, str | None]] = {}
    filled: dict[int, tuple[GapReason, int, int, str | None, int]] = {}
    for started, (covered, wanted, with_reason, reason, asked, error) in enumerate(history):
        gaps = explain(wanted - covered, {reason: with_reason})
        reason_of = {p: gap.reason for gap in gaps for p in points(IntervalSet((gap.interval,)))}

        notes = notes.after_run(gaps, covered, started, [Attempt(asked, error)])

        for point in points(covered) & seen.keys():
            filled[point] = (*seen.pop(point), started)
        for point in filled.keys() - points(covered):
            del filled[point]
        for point, its_reason in reason_of.items():
            _, first_seen, attempts, last_error = seen.get(point, (None, started, 0, None))
            if point in points(asked):
                attempts, last_error = attempts + 1, error
            seen[point] = (its_reason, first_seen, attempts, last_error)
        told = by_point(notes.open)
        assert seen == {
            p: (n.reason, n.first_seen_ms, n.attempts, n.last_error) for p, n in told.items()
        }
        assert all(note.filled_ms is None for note in notes.open)
        told_filled = by_point(notes.filled)
        assert filled == {
            p: (n.reason, n.first_seen_ms, n.attempts, n.last_error, n.filled_ms)
            for p, n in told_filled.items()
        }


@given(runs)
def test_notes_are_by_time_and_a_run_that_changes_nothing_changes_no_note(
    history: list[tuple[IntervalSet, IntervalSet, IntervalSet, GapReason, IntervalSet, str | None]],
) -> None:
    notes = NO_NOTES
    for started, (covered, wanted, with_reason, reason, asked, error) in enumerate(history):
        gaps = explain(wanted - covered, {reason: with_reason})
        notes = notes.after_run(gaps, covered, started, [Attempt(asked, error)])

        assert notes.after_run(gaps, covered, started + 1) == notes
        for kept in (notes.open, notes.filled):
            pasts = {replace(note, intervals=EMPTY) for note in kept}
            assert len(pasts) == len(kept)
            assert all(a.intervals.start_ms < b.intervals.start_ms for a, b in pairwise(kept))


def test_of_more_open_gaps_than_are_remembered_the_longest_are() -> None:
    short = [Gap(Interval(10 * n, 10 * n + 1), FAILED) for n in range(MOST_OPEN)]
    long = [Gap(Interval(10 * n + 2, 10 * n + 5), FAILED) for n in range(MOST_OPEN - 1)]

    notes = NO_NOTES.after_run(sorted(short + long), EMPTY, 1)

    (note,) = notes.open
    assert note.intervals == IntervalSet(gap.interval for gap in [*long, short[0]])
    assert notes.after_run(sorted(short + long), EMPTY, 2) == notes


def test_of_more_filled_gaps_than_are_remembered_those_filled_last_are() -> None:
    gaps = [Gap(Interval(10 * n, 10 * n + 5), FAILED) for n in range(2 * MOST_FILLED)]
    early = IntervalSet(gap.interval for gap in gaps[MOST_FILLED // 2 :])
    notes = NO_NOTES.after_run(gaps, EMPTY, 1)
    notes = notes.after_run(gaps[: MOST_FILLED // 2], early, 2)

    notes = notes.after_run([], IntervalSet.of(0, 1 << 40), 3)

    assert notes.open == ()
    assert sum(len(note.intervals) for note in notes.filled) == MOST_FILLED
    last = next(note for note in notes.filled if note.filled_ms == 3)
    assert last.intervals == IntervalSet(gap.interval for gap in gaps[: MOST_FILLED // 2])


def test_a_gap_that_is_filled_in_its_middle_keeps_its_past_at_both_ends() -> None:
    gap = Gap(Interval(0, 30), FAILED)
    notes = NO_NOTES.after_run([gap], EMPTY, 5, [Attempt(IntervalSet.of(0, 30), "time-out")])

    ends = [Gap(Interval(0, 10), FAILED), Gap(Interval(20, 30), FAILED)]
    notes = notes.after_run(ends, IntervalSet.of(10, 20), 7)

    assert notes == GapNotes(
        (GapNote(IntervalSet([(0, 10), (20, 30)]), FAILED, 5, 1, "time-out"),),
        (GapNote(IntervalSet.of(10, 20), FAILED, 5, 1, "time-out", 7),),
    )


def test_what_is_not_wanted_for_a_while_keeps_its_past() -> None:
    gap = Gap(Interval(0, 30), NOT_FETCHED)
    notes = NO_NOTES.after_run([gap], EMPTY, 5)

    assert notes.after_run([], EMPTY, 6) == notes
    assert notes.after_run([gap], EMPTY, 7) == notes


def test_notes_within_a_span_are_those_on_what_lies_in_it() -> None:
    notes = GapNotes(
        (GapNote(IntervalSet([(0, 10), (20, 30)]), FAILED, 1),),
        (GapNote(IntervalSet.of(10, 20), FAILED, 1, filled_ms=2),),
    )

    assert notes.within(IntervalSet.of(25, 99)) == GapNotes(
        (GapNote(IntervalSet.of(25, 30), FAILED, 1),)
    )
