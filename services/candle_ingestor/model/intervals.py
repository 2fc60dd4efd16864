"""Half-open intervals of time and exact set algebra over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple


class Interval(NamedTuple):
    """The half-open span `[start_ms, end_ms)` in UTC milliseconds."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        return max(self.end_ms - self.start_ms, 0)

    def intersection(self, other: Interval) -> Interval:
        """The common span; one of no duration where there is none."""
        start_ms = max(self.start_ms, other.start_ms)
        return Interval(start_ms, max(start_ms, min(self.end_ms, other.end_ms)))

    def cut(self, longest_ms: int) -> Iterator[Interval]:
        """The span in ascending pieces of at most `longest_ms`."""
        for start_ms in range(self.start_ms, self.end_ms, longest_ms):
            yield Interval(start_ms, min(start_ms + longest_ms, self.end_ms))


class IntervalSet:
    """An immutable set of points in time, as ascending intervals that neither touch nor overlap.

    `|`, `&` and `-` are union, intersection and difference; each takes time linear in the number
    of intervals. Truth is non-emptiness, iteration yields the intervals ascending.
    """

    __slots__ = ("_intervals",)

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        """Takes intervals in any order, overlapping or not; empty ones are dropped."""
        self._intervals = _normalised(intervals)

    @classmethod
    def of(cls, start_ms: int, end_ms: int) -> IntervalSet:
        return cls(((start_ms, end_ms),))

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
        if not other._intervals:
            return self
        if not self._intervals:
            return other
        return IntervalSet((*self._intervals, *other._intervals))

    def __and__(self, other: IntervalSet) -> IntervalSet:
        return _trusted(_intersection(self._intervals, other._intervals))

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        if not other._intervals or not self._intervals:
            return self
        return _trusted(_difference(self._intervals, other._intervals))

    def covers(self, interval: tuple[int, int]) -> bool:
        """Whether every point of the interval is in the set; true for an empty interval."""
        return not IntervalSet((interval,)) - self

    def contains(self, time_ms: int) -> bool:
        return self.covers((time_ms, time_ms + 1))

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
    steps: list[tuple[int, int]] = []
    for interval_set in sets:
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
    return IntervalSet(found)


def _trusted(intervals: Iterable[Interval]) -> IntervalSet:
    made = IntervalSet.__new__(IntervalSet)
    made._intervals = tuple(intervals)
    return made


def _normalised(intervals: Iterable[tuple[int, int]]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for start_ms, end_ms in sorted(intervals):
        if end_ms <= start_ms:
            continue
        if merged and start_ms <= merged[-1].end_ms:
            if end_ms > merged[-1].end_ms:
                merged[-1] = Interval(merged[-1].start_ms, end_ms)
        else:
            merged.append(Interval(start_ms, end_ms))
    return tuple(merged)


def _intersection(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> Iterator[Interval]:
    i = j = 0
    while i < len(left) and j < len(right):
        start_ms = max(left[i].start_ms, right[j].start_ms)
        end_ms = min(left[i].end_ms, right[j].end_ms)
        if start_ms < end_ms:
            yield Interval(start_ms, end_ms)
        if left[i].end_ms < right[j].end_ms:
            i += 1
        else:
            j += 1


def _difference(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> Iterator[Interval]:
    j = 0
    for start_ms, end_ms in left:
        while j < len(right) and right[j].end_ms <= start_ms:
            j += 1
        position_ms = start_ms
        k = j
        while k < len(right) and right[k].start_ms < end_ms:
            if right[k].start_ms > position_ms:
                yield Interval(position_ms, right[k].start_ms)
            position_ms = max(position_ms, right[k].end_ms)
            k += 1
        if position_ms < end_ms:
            yield Interval(position_ms, end_ms)


EMPTY = IntervalSet()
