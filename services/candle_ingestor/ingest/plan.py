"""What a run is to fetch: wanted minus covered, plus provisional, cut to tasks (rules C5 and T2).

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from candle_ingestor.model.gaps import GapReason, Reasons
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origins
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class Window:
    """What a run wants of a symbol.

    Attributes:
        start_ms: the backfill's start; None to only catch up.
        end_ms: the end of the newest candle that is wanted, closed and settled.
        is_bounded: whether an end date was given: a download of a fixed span, without catch-up.
        catch_up_initial_ms: how far back catch-up goes; what is older is backfill.
        refetch_from_ms: from when on what is known is read again; None for nothing of it. It stays
            known meanwhile.
    """

    start_ms: int | None
    end_ms: int
    is_bounded: bool
    catch_up_initial_ms: int
    refetch_from_ms: int | None = None

    def reaching_back_to(self, other: Window) -> Window:
        """This window with the earlier start of the two."""
        starts = [start for start in (self.start_ms, other.start_ms) if start is not None]
        return replace(self, start_ms=min(starts)) if starts else self


@dataclass(frozen=True)
class SeriesPlan:
    """What to fetch of one series, and what cannot be had.

    Attributes:
        wanted: everything the run is to account for.
        catch_up, backfill: what the candle endpoint is asked for first, and after.
        elsewhere: what it does not reach and another source offers. All three are disjoint.
        unreachable: reasons of wanted intervals that no source can fill.
    """

    wanted: Interval
    catch_up: IntervalSet
    backfill: IntervalSet
    unreachable: Reasons
    elsewhere: Origins = field(default_factory=dict)

    @property
    def to_ask(self) -> IntervalSet:
        """What the candle endpoint is asked for."""
        return self.catch_up | self.backfill

    @property
    def to_fetch(self) -> IntervalSet:
        """What may be had from any source."""
        wanted = self.to_ask
        for intervals in self.elsewhere.values():
            wanted = wanted | intervals
        return wanted


def catch_up_start_ms(window: Window, timeframe: Timeframe, honoured_ms: int | None = None) -> int:
    """Where a series' first catch-up begins, which is noted in its record.

    `honoured_ms` is where an older service's state says that its catch-up stands; what lies in the
    future says nothing.
    """
    initial_ms = window.end_ms - window.catch_up_initial_ms
    if honoured_ms is not None and honoured_ms < window.end_ms:
        initial_ms = honoured_ms
    return timeframe.floor_ms(max(initial_ms, 0))


def plan_series(
    window: Window,
    record: SeriesRecord,
    timeframe: Timeframe,
    reach_start_ms: int | None,
    offers: Callable[[], Origins] = dict,
) -> SeriesPlan:
    """What to fetch of a series, by what its record says, and from which source.

    `reach_start_ms` is the candle endpoint's. `offers` tells what further sources have, in
    the order in which they are taken; it is asked only where something is beyond reach.
    """
    wanted = wanted_interval(window, record, timeframe)
    until_end = IntervalSet.of(0, window.end_ms)
    missing = (IntervalSet((wanted,)) - record.covered) | (record.provisional & until_end)
    missing = missing | _read_again(window, wanted, record, timeframe)
    unlisted = EMPTY
    if record.listing.first_day_ms is not None:
        unlisted = (missing - record.covered) & IntervalSet.of(0, record.listing.first_day_ms)
    beyond = missing & _found_beyond_reach(record, window)
    if reach_start_ms is not None:
        beyond = beyond | (missing & IntervalSet.of(0, reach_start_ms))
    to_ask = missing - unlisted - beyond
    # What is provisional is to be asked once more, by whoever can still tell (rule T2).
    beyond = beyond - unlisted - (record.covered - record.provisional)
    elsewhere = {}
    for origin, offered in offers().items() if beyond else ():
        elsewhere[origin] = beyond & offered
        beyond = beyond - offered
    catch_up = EMPTY
    if not window.is_bounded:
        boundary_ms = timeframe.floor_ms(window.end_ms - window.catch_up_initial_ms)
        catch_up = to_ask - IntervalSet.of(0, boundary_ms)
    return SeriesPlan(
        wanted,
        catch_up,
        to_ask - catch_up,
        {GapReason.NOT_LISTED_YET: unlisted, GapReason.BEYOND_REACH: beyond - record.covered},
        elsewhere,
    )


def wanted_interval(window: Window, record: SeriesRecord, timeframe: Timeframe) -> Interval:
    """The span that the run is to account for.

    Without a backfill it goes from where catch-up first began (rule C5). What the user pruned is
    not wanted again.
    """
    start_ms = window.start_ms
    if start_ms is None:
        start_ms = record.catch_up_from_ms
    if start_ms is None:
        start_ms = catch_up_start_ms(window, timeframe)
    start_ms = timeframe.ceil_ms(max(start_ms, 0, kept_from_ms(window, record)))
    return Interval(start_ms, max(window.end_ms, start_ms))


def kept_from_ms(window: Window, record: SeriesRecord) -> int:
    """Where what was pruned ends; what is explicitly read again is wanted all the same."""
    pruned_until_ms = record.pruned_until_ms or 0
    if window.refetch_from_ms is None:
        return pruned_until_ms
    return min(pruned_until_ms, window.refetch_from_ms)


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


def with_full_page(
    catch_up: IntervalSet, backfill: IntervalSet, page_ms: int
) -> tuple[IntervalSet, IntervalSet]:
    """Both, with as much of the backfill moved to catch-up as its oldest request has room for.

    A request costs the same however little it asks for. Only what comes right before is moved.
    """
    if not catch_up or not backfill:
        return catch_up, backfill
    oldest = next(iter(catch_up))
    room = IntervalSet.of(min(oldest.end_ms - page_ms, oldest.start_ms), oldest.start_ms)
    before = (backfill & room) | IntervalSet((oldest,))
    moved = next(each for each in before if each.end_ms == oldest.end_ms)
    filled = catch_up | IntervalSet((moved,))
    return filled, backfill - filled


def _read_again(
    window: Window, wanted: Interval, record: SeriesRecord, timeframe: Timeframe
) -> IntervalSet:
    if window.refetch_from_ms is None:
        return EMPTY
    from_ms = timeframe.floor_ms(max(window.refetch_from_ms, wanted.start_ms))
    return record.covered & IntervalSet.of(from_ms, max(from_ms, wanted.end_ms))


def _found_beyond_reach(record: SeriesRecord, window: Window) -> IntervalSet:
    # What an exchange no longer answered before its first known candle it never will again, unless
    # the user knows better.
    answered = record.coverage.from_endpoint
    if not answered:
        return EMPTY
    found = record.coverage.reasons.get(GapReason.BEYOND_REACH, EMPTY)
    end_ms = answered.start_ms
    if window.refetch_from_ms is not None:
        end_ms = min(end_ms, window.refetch_from_ms)
    return found & IntervalSet.of(0, end_ms)
