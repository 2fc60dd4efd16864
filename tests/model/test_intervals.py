"""Interval sets against plain sets of points."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least

LAST = 30

spans = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), max_size=8)
interval_sets = spans.map(IntervalSet)

WIDE = 400
"""Room for many intervals, which meet few in another way than as many."""

many_intervals = st.sets(st.integers(0, WIDE), min_size=100, max_size=200).map(
    lambda chosen: IntervalSet((point, point + 1) for point in chosen)
)
wide_spans = st.lists(st.tuples(st.integers(0, WIDE), st.integers(0, WIDE)), max_size=4)
narrow_spans = st.lists(
    st.integers(0, WIDE).flatmap(lambda start: st.tuples(st.just(start), st.just(start + 2))),
    max_size=4,
)
few_intervals = st.one_of(wide_spans, narrow_spans).map(IntervalSet)


def points(intervals: Iterable[tuple[int, int]]) -> set[int]:
    return {point for start, end in intervals for point in range(start, end)}


@given(spans)
def test_a_set_holds_the_points_of_its_intervals_once_and_ascending(
    given_spans: list[tuple[int, int]],
) -> None:
    made = IntervalSet(given_spans)
    assert points(made) == points(given_spans)
    assert made.duration_ms == len(points(given_spans))
    assert all(start < end for start, end in made)
    ends = [end for _, end in made]
    following_starts = [start for start, _ in made][1:]
    assert all(end < start for end, start in zip(ends, following_starts, strict=False))


@given(interval_sets, interval_sets)
def test_the_operators_are_those_of_sets(left: IntervalSet, right: IntervalSet) -> None:
    assert points(left | right) == points(left) | points(right)
    assert points(left & right) == points(left) & points(right)
    assert points(left - right) == points(left) - points(right)


@given(interval_sets, interval_sets)
def test_what_the_operators_make_equals_a_set_made_anew(
    left: IntervalSet, right: IntervalSet
) -> None:
    for made in (left | right, left & right, left - right):
        assert made == IntervalSet(reversed(made.intervals))
        assert hash(made) == hash(IntervalSet(made.intervals))


@given(few_intervals, many_intervals)
def test_the_operators_are_those_of_sets_for_few_intervals_and_many(
    few: IntervalSet, many: IntervalSet
) -> None:
    expected = [
        (few | many, points(few) | points(many)),
        (many | few, points(few) | points(many)),
        (few & many, points(few) & points(many)),
        (many & few, points(few) & points(many)),
        (few - many, points(few) - points(many)),
        (many - few, points(many) - points(few)),
    ]
    for made, its_points in expected:
        assert points(made) == its_points
        assert made == IntervalSet((point, point + 1) for point in its_points)
    for span in few:
        assert many.covers(span) == (points([span]) <= points(many))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(many_intervals, many_intervals)
def test_the_operators_are_those_of_sets_for_many_intervals_each(
    left: IntervalSet, right: IntervalSet
) -> None:
    assert points(left | right) == points(left) | points(right)
    assert points(left & right) == points(left) & points(right)
    assert points(left - right) == points(left) - points(right)
    for made in (left | right, left & right, left - right):
        assert made == IntervalSet(made.intervals)


@given(interval_sets, interval_sets)
def test_sets_are_equal_exactly_when_they_hold_the_same_points(
    left: IntervalSet, right: IntervalSet
) -> None:
    assert (left == right) == (points(left) == points(right))
    assert bool(left) == bool(points(left))


@given(interval_sets, st.integers(0, LAST), st.integers(0, LAST))
def test_an_interval_is_covered_when_all_its_points_are_and_met_when_one_is(
    intervals: IntervalSet, start: int, end: int
) -> None:
    assert intervals.covers((start, end)) == (set(range(start, end)) <= points(intervals))
    assert intervals.meets((start, end)) == bool(set(range(start, end)) & points(intervals))
    assert IntervalSet.ascending(list(intervals)) == intervals
    assert intervals.contains(start) == (start in points(intervals))


@given(st.lists(interval_sets, max_size=4), st.integers(1, 4))
def test_points_covered_by_at_least_a_minimum_of_sets(
    sets: list[IntervalSet], minimum: int
) -> None:
    found = covered_at_least(sets, minimum)
    assert points(found) == {
        point for point in range(LAST) if sum(point in points(s) for s in sets) >= minimum
    }
    assert found == IntervalSet(found.intervals)


@given(st.integers(0, LAST), st.integers(0, LAST), st.integers(1, LAST))
def test_pieces_of_a_cut_follow_each_other_and_are_short(
    start: int, end: int, longest: int
) -> None:
    pieces = list(Interval(start, end).cut(longest))
    assert [point for piece in pieces for point in range(*piece)] == list(range(start, end))
    assert all(0 < piece.duration_ms <= longest for piece in pieces)


def test_first_and_last_point_of_a_set() -> None:
    made = IntervalSet([(10, 20), (0, 5)])
    assert (made.start_ms, made.end_ms) == (0, 20)


def test_an_empty_set_has_no_first_or_last_point() -> None:
    for name in ("start_ms", "end_ms"):
        with pytest.raises(ValueError, match="an empty IntervalSet"):
            getattr(EMPTY, name)
