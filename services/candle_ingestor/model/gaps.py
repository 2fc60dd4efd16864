"""Wanted intervals that are not known, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet


class GapReason(StrEnum):
    """Why a wanted interval is outside coverage."""

    NOT_FETCHED = "not_fetched"
    FETCH_FAILED = "fetch_failed"
    BEYOND_REACH = "beyond_reach"
    NOT_LISTED_YET = "not_listed_yet"
    REJECTED = "rejected"
    BELOW_MINIMUM = "below_minimum"


Reasons = Mapping[GapReason, IntervalSet]

FINAL_REASONS = (GapReason.BEYOND_REACH, GapReason.NOT_LISTED_YET)
"""The reasons of gaps that no later run of the same source can fill."""


class Gap(NamedTuple):
    """One interval outside coverage."""

    interval: Interval
    reason: GapReason


def explain(missing: IntervalSet, reasons: Reasons) -> list[Gap]:
    """Every point of `missing` as the fewest gaps, ascending, each with exactly one reason.

    Where several reasons name a point, the one first in `reasons` counts; what none names is
    `not_fetched`.
    """
    explained: dict[GapReason, IntervalSet] = {}
    unexplained = missing
    for reason, intervals in reasons.items():
        explained[reason] = unexplained & intervals
        unexplained = unexplained - intervals
    not_fetched = explained.get(GapReason.NOT_FETCHED, EMPTY) | unexplained
    explained[GapReason.NOT_FETCHED] = not_fetched
    return sorted(
        Gap(interval, reason) for reason, intervals in explained.items() for interval in intervals
    )


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """The fewest gaps of these ones, which are ascending and disjoint."""
    found: list[Gap] = []
    for interval, reason in gaps:
        if found and (found[-1].interval.end_ms, found[-1].reason) == (interval.start_ms, reason):
            start_ms = found.pop().interval.start_ms
            found.append(Gap(Interval(start_ms, interval.end_ms), reason))
        else:
            found.append(Gap(interval, reason))
    return found


def candles_by_reason(gaps: Iterable[Gap], length_ms: int) -> dict[GapReason, int]:
    """How many candle lengths of so many milliseconds each reason leaves open."""
    totals: dict[GapReason, int] = {}
    for interval, reason in gaps:
        totals[reason] = totals.get(reason, 0) + interval.duration_ms // length_ms
    return totals


def without(reasons: Reasons, known: IntervalSet) -> dict[GapReason, IntervalSet]:
    """The reasons of what is still outside `known`; reasons of nothing are left out."""
    remaining = {reason: intervals - known for reason, intervals in reasons.items()}
    return {reason: intervals for reason, intervals in remaining.items() if intervals}


def with_reason(
    reasons: Reasons, reason: GapReason, intervals: IntervalSet
) -> dict[GapReason, IntervalSet]:
    """The reasons with `reason` as the newest word on `intervals`."""
    changed = without(reasons, intervals)
    changed[reason] = changed.get(reason, EMPTY) | intervals
    return {key: value for key, value in changed.items() if value}
