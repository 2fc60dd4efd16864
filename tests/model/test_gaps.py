"""Gaps and their reasons."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.gaps import Gap, GapReason, explain, with_reason, without
from candle_ingestor.model.intervals import Interval, IntervalSet

LAST = 30

interval_sets = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), max_size=5).map(
    IntervalSet
)
reasons_of_intervals = st.dictionaries(st.sampled_from(GapReason), interval_sets, max_size=4)


def reason_at(point: int, reasons: dict[GapReason, IntervalSet]) -> GapReason | None:
    return next((reason for reason, held in reasons.items() if held.contains(point)), None)


@given(interval_sets, reasons_of_intervals)
def test_every_missing_point_has_exactly_one_reason(
    missing: IntervalSet, reasons: dict[GapReason, IntervalSet]
) -> None:
    gaps = explain(missing, reasons)
    assert gaps == sorted(gaps)
    told = [(point, gap.reason) for gap in gaps for point in range(*gap.interval)]
    assert told == [
        (point, reason_at(point, reasons) or GapReason.NOT_FETCHED)
        for point in range(LAST)
        if missing.contains(point)
    ]


@given(interval_sets, reasons_of_intervals)
def test_gaps_of_one_reason_do_not_touch(
    missing: IntervalSet, reasons: dict[GapReason, IntervalSet]
) -> None:
    gaps = explain(missing, reasons)
    for reason in GapReason:
        of_reason = [gap.interval for gap in gaps if gap.reason is reason]
        assert tuple(of_reason) == IntervalSet(of_reason).intervals


@given(interval_sets, reasons_of_intervals)
def test_what_is_known_has_no_reason_to_be_missing(
    known: IntervalSet, reasons: dict[GapReason, IntervalSet]
) -> None:
    remaining = without(reasons, known)
    assert all(remaining.values())
    for point in range(LAST):
        expected = None if known.contains(point) else reason_at(point, reasons)
        assert reason_at(point, remaining) == expected


@given(interval_sets, reasons_of_intervals, st.sampled_from(GapReason))
def test_the_newest_reason_replaces_the_older_ones(
    intervals: IntervalSet, reasons: dict[GapReason, IntervalSet], newest: GapReason
) -> None:
    changed = with_reason(reasons, newest, intervals)
    assert all(changed.values())
    for point in range(LAST):
        holding = {reason for reason, held in changed.items() if held.contains(point)}
        before = {reason for reason, held in reasons.items() if held.contains(point)}
        assert holding == ({newest} if intervals.contains(point) else before)


def test_what_nothing_explains_was_not_fetched() -> None:
    assert explain(IntervalSet.of(0, 10), {GapReason.REJECTED: IntervalSet.of(4, 6)}) == [
        Gap(Interval(0, 4), GapReason.NOT_FETCHED),
        Gap(Interval(4, 6), GapReason.REJECTED),
        Gap(Interval(6, 10), GapReason.NOT_FETCHED),
    ]
