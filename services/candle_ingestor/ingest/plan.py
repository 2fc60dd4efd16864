"""What a run is to fetch: wanted minus covered, cut to tasks (rules C5 and T2). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord


class Phase(IntEnum):
    """Catch-up goes first (rule C5)."""

    CATCH_UP = 0
    BACKFILL = 1


@dataclass(frozen=True)
class Window:
    """What a run wants of a symbol.

    Attributes:
        start_ms: the backfill's start; None to only catch up.
        end_ms: the end of the newest candle that is wanted, closed and settled.
        is_bounded: whether an end date was given: a download of a fixed span, without catch-up.
        catch_up_initial_ms: how far back catch-up starts where nothing is known yet.
        refetch_ms: how much of the newest known candles is read again (rule T2).
    """

    start_ms: int | None
    end_ms: int
    is_bounded: bool
    catch_up_initial_ms: int
    refetch_ms: int

    def reaching_back_to(self, other: Window) -> Window:
        """This window with the earlier start of the two."""
        starts = [start for start in (self.start_ms, other.start_ms) if start is not None]
        return replace(self, start_ms=min(starts)) if starts else self


@dataclass(frozen=True)
class SeriesPlan:
    """What to fetch of one series, and what cannot be had.

    Attributes:
        wanted: everything the run is to account for.
        catch_up, backfill: what is to be fetched in each phase; disjoint.
        unreachable: reasons of wanted intervals that need no request.
    """

    wanted: Interval
    catch_up: IntervalSet
    backfill: IntervalSet
    unreachable: dict[GapReason, IntervalSet]

    def of_phase(self, phase: Phase) -> IntervalSet:
        return self.catch_up if phase is Phase.CATCH_UP else self.backfill

    @property
    def to_fetch(self) -> IntervalSet:
        return self.catch_up | self.backfill


def plan_series(
    window: Window,
    record: CoverageRecord,
    timeframe: Timeframe,
    reach_start_ms: int | None,
    catch_up_from_ms: int | None = None,
) -> SeriesPlan:
    """What to fetch of a series whose listing, if it could be found out, is in its record.

    `catch_up_from_ms` is where an older service's state says that its catch-up stands.
    """
    wanted = wanted_interval(window, record, timeframe, catch_up_from_ms)
    again = _to_read_again(window, record)
    missing = (IntervalSet((wanted,)) - record.covered) | again
    unlisted = EMPTY
    if record.listed_from_ms is not None:
        unlisted = missing & IntervalSet.of(0, record.listed_from_ms)
    beyond = missing & _found_beyond_reach(record)
    if reach_start_ms is not None:
        beyond = beyond | (missing & IntervalSet.of(0, reach_start_ms))
    to_fetch = missing - unlisted - beyond
    boundary_ms = _catch_up_start_ms(window, record, timeframe)
    catch_up = EMPTY
    if not window.is_bounded:
        catch_up = to_fetch & IntervalSet.of(boundary_ms, max(window.end_ms, boundary_ms))
    return SeriesPlan(
        wanted,
        catch_up,
        to_fetch - catch_up,
        {
            GapReason.NOT_LISTED_YET: unlisted - record.covered,
            GapReason.BEYOND_REACH: beyond - unlisted - record.covered,
        },
    )


def wanted_interval(
    window: Window,
    record: CoverageRecord,
    timeframe: Timeframe,
    catch_up_from_ms: int | None = None,
) -> Interval:
    """The span that the run is to account for.

    Without a backfill it goes from where the first catch-up began, which is where coverage and the
    reasons of gaps begin; the first one itself from `catch_up_from_ms`, if that is given.
    """
    start_ms = window.start_ms
    if start_ms is None:
        begun = [known.start_ms for known in (record.covered, *record.reasons.values()) if known]
        initial_ms = window.end_ms - window.catch_up_initial_ms
        if catch_up_from_ms is not None:
            initial_ms = catch_up_from_ms
        start_ms = min(begun) if begun else timeframe.floor_ms(initial_ms)
    start_ms = timeframe.ceil_ms(max(start_ms, 0))
    return Interval(start_ms, max(window.end_ms, start_ms))


def cut_to_tasks(
    intervals: Iterable[Interval], timeframe: Timeframe, candles_per_task: int
) -> list[Interval]:
    """The intervals in ascending pieces of at most so many candles."""
    longest_ms = candles_per_task * timeframe.duration_ms
    return [piece for interval in intervals for piece in interval.cut(longest_ms)]


def estimated_requests(intervals: Iterable[Interval], timeframe: Timeframe, page: int) -> int:
    """How many pages the intervals take where every one is full; each repeats one candle."""
    fresh_ms = max(page - 1, 1) * timeframe.duration_ms
    return sum(-(-interval.duration_ms // fresh_ms) for interval in intervals)


def _found_beyond_reach(record: CoverageRecord) -> IntervalSet:
    # What an exchange no longer answered before its first known candle it never will again.
    if not record.covered:
        return EMPTY
    found = record.reasons.get(GapReason.BEYOND_REACH, EMPTY)
    return found & IntervalSet.of(0, record.covered.start_ms)


def _to_read_again(window: Window, record: CoverageRecord) -> IntervalSet:
    known = record.covered & IntervalSet.of(0, window.end_ms)
    if not known or window.refetch_ms <= 0:
        return EMPTY
    newest = IntervalSet.of(known.end_ms - window.refetch_ms, known.end_ms)
    return newest & record.covered


def _catch_up_start_ms(window: Window, record: CoverageRecord, timeframe: Timeframe) -> int:
    known = record.covered & IntervalSet.of(0, window.end_ms)
    if known:
        return known.end_ms - window.refetch_ms
    return timeframe.floor_ms(window.end_ms - window.catch_up_initial_ms)
