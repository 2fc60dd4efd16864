"""Half-open intervals of time and exact set algebra over them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

END_OF_TIME_MS = 1 << 62
"""Later than any candle."""


class Interval(NamedTuple):
    """The half-open span `[start_ms, end_ms)` in UTC milliseconds."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        return max(self.end_ms - self.start_ms, 0)

    def cut(self, longest_ms: int) -> Iterator[Interval]:
        """The span in ascending pieces of at most `longest_ms`."""
        for start_ms in range(self.start_ms, self.end_ms, longest_ms):
            yield Interval(start_ms, min(start_ms + longest_ms, self.end_ms))


class IntervalSet:
    """An immutable set of points in time, as ascending intervals that neither touch nor overlap.

    `|`, `&` and `-` are union, intersection and difference. Each looks up the fewer intervals among
    the more and copies what lies between, so that a few meet many cheaply. Truth is non-emptiness,
    iteration yields the intervals ascending.
    """

    __slots__ = ("_intervals",)

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        """Takes intervals in any order, overlapping or not; empty ones are dropped."""
        self._intervals = _normalised(intervals)

    @classmethod
    def of(cls, start_ms: int, end_ms: int) -> IntervalSet:
        return cls(((start_ms, end_ms),))

    @classmethod
    def ascending(cls, intervals: Iterable[tuple[int, int]]) -> IntervalSet:
        """Takes intervals that are ascending, not empty, and neither touch nor overlap."""
        return _trusted(map(Interval._make, intervals))

    @property
    def intervals(self) -> tuple[Interval, ...]:
        return self._intervals

    @property
    def duration_ms(self) -> int:
        return sum(interval.duration_ms for interval in self._intervals)

    @property
    def start_ms(self) -> int:
        """The first point. Raises: ValueError: if the set is empty."""
        return self._nonempty()[0].start_ms

    @property
    def end_ms(self) -> int:
        """The first point after the last interval. Raises: ValueError: if the set is empty."""
        return self._nonempty()[-1].end_ms

    def __or__(self, other: IntervalSet) -> IntervalSet:
        few, many = _by_number(self._intervals, other._intervals)
        if not few:
            return _trusted(many)
        if len(few) * _FEW_AMONG_MANY > len(many):
            return _trusted(_normalised((*many, *few)))
        return _trusted(_union(few, many))

    def __and__(self, other: IntervalSet) -> IntervalSet:
        return _trusted(_intersection(*_by_number(self._intervals, other._intervals)))

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        if not other._intervals or not self._intervals:
            return self
        return _trusted(_difference(self._intervals, other._intervals))

    def covers(self, interval: tuple[int, int]) -> bool:
        """Whether every point of the interval is in the set; true for an empty interval."""
        start_ms, end_ms = interval
        if end_ms <= start_ms:
            return True
        i = _first_that_ends_after(self._intervals, start_ms)
        if i == len(self._intervals):
            return False
        found = self._intervals[i]
        return found.start_ms <= start_ms and end_ms <= found.end_ms

    def contains(self, time_ms: int) -> bool:
        return self.covers((time_ms, time_ms + 1))

    def meets(self, interval: tuple[int, int]) -> bool:
        """Whether any point of the interval is in the set; false for an empty interval."""
        start_ms, end_ms = interval
        i = _first_that_ends_after(self._intervals, start_ms)
        return i < len(self._intervals) and self._intervals[i].start_ms < end_ms > start_ms

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def __len__(self) -> int:
        return len(self._intervals)

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self._intervals == other._intervals

    def __hash__(self) -> int:
        return hash(self._intervals)

    def __repr__(self) -> str:
        return f"IntervalSet({[tuple(interval) for interval in self._intervals]})"

    def _nonempty(self) -> tuple[Interval, ...]:
        if not self._intervals:
            raise ValueError("an empty IntervalSet has no first or last point")
        return self._intervals


def covered_at_least(sets: Iterable[IntervalSet], minimum: int) -> IntervalSet:
    """The points that lie in at least `minimum` (1 or more) of the sets (rule M2)."""
    some = [interval_set for interval_set in sets if interval_set]
    if len(some) < minimum:
        return EMPTY
    steps: list[tuple[int, int]] = []
    for interval_set in some:
        for start_ms, end_ms in interval_set:
            steps.append((start_ms, 1))
            steps.append((end_ms, -1))
    found: list[Interval] = []
    depth = 0
    start_ms = 0
    for time_ms, steps_here in groupby(sorted(steps), key=itemgetter(0)):
        was_enough = depth >= minimum
        depth += sum(step for _, step in steps_here)
        is_enough = depth >= minimum
        if is_enough and not was_enough:
            start_ms = time_ms
        elif was_enough and not is_enough:
            found.append(Interval(start_ms, time_ms))
    return _trusted(found)


_Intervals = tuple[Interval, ...]

_FEW_AMONG_MANY = 8
"""How many times more intervals make it cheaper to look the few up than to sort all."""

_NEAR = 4
"""How many intervals on an answer is still near."""


def _trusted(intervals: Iterable[Interval]) -> IntervalSet:
    made = IntervalSet.__new__(IntervalSet)
    made._intervals = tuple(intervals)
    return made


def _normalised(intervals: Iterable[tuple[int, int]]) -> _Intervals:
    merged: list[Interval] = []
    last_end_ms = None
    for interval in sorted(intervals):
        start_ms, end_ms = interval
        if end_ms <= start_ms:
            continue
        if last_end_ms is None or start_ms > last_end_ms:
            merged.append(interval if type(interval) is Interval else Interval(start_ms, end_ms))
            last_end_ms = end_ms
        elif end_ms > last_end_ms:
            merged[-1] = Interval(merged[-1].start_ms, end_ms)
            last_end_ms = end_ms
    return tuple(merged)


def _by_number(left: _Intervals, right: _Intervals) -> tuple[_Intervals, _Intervals]:
    return (left, right) if len(left) <= len(right) else (right, left)


def _first_that_ends_after(intervals: _Intervals, time_ms: int, lowest: int = 0) -> int:
    i = _first_that_starts_from(intervals, time_ms, lowest)
    return i - 1 if i > lowest and intervals[i - 1].end_ms > time_ms else i


def _first_that_starts_from(intervals: _Intervals, time_ms: int, lowest: int = 0) -> int:
    # The answer is near for two sets that take turns, and looking there first keeps them linear.
    highest = lowest + _NEAR
    if highest >= len(intervals) or intervals[highest].start_ms < time_ms:
        highest = len(intervals)
    # A tuple that is the beginning of another comes before it.
    return bisect_left(intervals, (time_ms,), lowest, highest)


def _union(few: _Intervals, many: _Intervals) -> list[Interval]:
    merged: list[Interval] = []
    taken = 0
    for interval in few:
        first = _first_that_ends_after(many, interval.start_ms - 1, taken)
        after = _first_that_starts_from(many, interval.end_ms + 1, first)
        merged += many[taken:first]
        taken = after
        touched = [interval]
        if first < after:
            touched += (many[first], many[after - 1])
        if merged and merged[-1].end_ms >= interval.start_ms:
            touched.append(merged.pop())
        merged.append(
            Interval(min(one.start_ms for one in touched), max(one.end_ms for one in touched))
        )
    merged += many[taken:]
    return merged


def _intersection(few: Sequence[Interval], many: _Intervals) -> list[Interval]:
    common: list[Interval] = []
    first = 0
    for start_ms, end_ms in few:
        first = _first_that_ends_after(many, start_ms, first)
        after = _first_that_starts_from(many, end_ms, first)
        if first == after:
            continue
        common += many[first:after]
        if common[-1].end_ms > end_ms:
            common[-1] = Interval(common[-1].start_ms, end_ms)
        if many[first].start_ms < start_ms:
            i = first - after
            common[i] = Interval(start_ms, common[i].end_ms)
    return common


def _difference(left: _Intervals, right: _Intervals) -> list[Interval]:
    if len(left) > len(right):
        start_ms, end_ms = left[0].start_ms, left[-1].end_ms
        within = _intersection((Interval(start_ms, end_ms),), right)
        return _intersection(_gaps(within, start_ms, end_ms), left)
    remaining: list[Interval] = []
    first = 0
    for start_ms, end_ms in left:
        first = _first_that_ends_after(right, start_ms, first)
        after = _first_that_starts_from(right, end_ms, first)
        remaining += _gaps(right[first:after], start_ms, end_ms)
    return remaining


def _gaps(intervals: Iterable[Interval], start_ms: int, end_ms: int) -> list[Interval]:
    """What of `[start_ms, end_ms)` lies outside the intervals, all of which meet it."""
    gaps: list[Interval] = []
    for interval in intervals:
        if interval.start_ms > start_ms:
            gaps.append(Interval(start_ms, interval.start_ms))
        start_ms = interval.end_ms
    if start_ms < end_ms:
        gaps.append(Interval(start_ms, end_ms))
    return gaps


EMPTY = IntervalSet()
