"""Why minutes are not merged, by what their sources cover, may yet cover and never will. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series_record import SeriesRecord

_BITS = 6
_COVERED, _FAILED, _REJECTED, _UNLISTED, _BEYOND, _PRUNED = (1 << bit for bit in range(_BITS))

_FEW_AMONG_MANY = 8
"""How many times fewer the intervals in question are than all, to look up only what meets them."""


def unmerged(records: Sequence[SeriesRecord], minimum: int, missing: IntervalSet) -> list[Gap]:
    """Every point of `missing` as the fewest gaps, ascending, by what is known of the sources.

    What the sources that cover a minute lack to the minimum decides. Others that were not asked
    yet may make it up: `not_fetched`, also where enough are there and the run ended before it
    merged them. So may others of which an answer failed, or else others of which a row was
    rejected: their reason. Where all that can come is too little it is `below_minimum`, but for
    time of which no exchange has anything: `not_listed_yet`, or `beyond_reach`. What was removed of
    all of them is as if it had never been fetched.
    """
    if not missing:
        return []
    # What is true of each source, and whether the point is in question, are bits of one number:
    # each time at which one of them changes is visited once, whatever the number of sets.
    is_missing = 1 << _BITS * len(records)
    steps: dict[int, int] = {}
    _add_steps(steps, missing, is_missing)
    hull = IntervalSet.of(missing.start_ms, missing.end_ms)
    for position, record in enumerate(records):
        for bit, intervals in _facts(record):
            is_far_more = len(intervals) >= _FEW_AMONG_MANY * len(missing)
            near = intervals & (missing if is_far_more else hull)
            _add_steps(steps, near, bit << _BITS * position)
    are_delisted = [record.listing.is_delisted for record in records]
    known: dict[int, GapReason | None] = {}
    found: list[Gap] = []
    state, reason, start_ms = 0, None, 0
    for time_ms in sorted(steps):
        state += steps[time_ms]
        if state not in known:
            known[state] = _reason(state, are_delisted, minimum) if state & is_missing else None
        if known[state] is not reason:
            if reason is not None:
                found.append(Gap(Interval(start_ms, time_ms), reason))
            reason, start_ms = known[state], time_ms
    return found


def _facts(record: SeriesRecord) -> Iterable[tuple[int, IntervalSet]]:
    reasons = record.coverage.reasons
    return (
        (_COVERED, record.covered),
        (_FAILED, reasons.get(GapReason.FETCH_FAILED, EMPTY)),
        (_REJECTED, reasons.get(GapReason.REJECTED, EMPTY)),
        (_UNLISTED, reasons.get(GapReason.NOT_LISTED_YET, EMPTY)),
        (_BEYOND, reasons.get(GapReason.BEYOND_REACH, EMPTY)),
        (_PRUNED, IntervalSet.of(0, record.pruned_until_ms or 0)),
    )


def _add_steps(steps: dict[int, int], intervals: IntervalSet, bit: int) -> None:
    for start_ms, end_ms in intervals:
        steps[start_ms] = steps.get(start_ms, 0) + bit
        steps[end_ms] = steps.get(end_ms, 0) - bit


def _reason(state: int, are_delisted: Sequence[bool], minimum: int) -> GapReason:
    at_once = after_failures = at_best = 0
    are_unlisted = are_nowhere = are_removed = bool(are_delisted)
    for position, is_delisted in enumerate(are_delisted):
        facts = state >> _BITS * position
        are_unlisted = are_unlisted and bool(facts & _UNLISTED)
        are_nowhere = are_nowhere and bool(facts & (_UNLISTED | _BEYOND))
        are_removed = are_removed and bool(facts & _PRUNED) and not facts & _COVERED
        if not facts & _COVERED:
            # Nothing more can be asked of a market that its exchange lists no longer.
            if is_delisted or facts & (_UNLISTED | _BEYOND | _PRUNED):
                continue
            at_best += 1
            if facts & _REJECTED:
                continue
            after_failures += 1
            at_once += not facts & _FAILED
            continue
        at_best += 1
        after_failures += 1
        at_once += 1
    if at_once >= minimum:
        return GapReason.NOT_FETCHED
    if after_failures >= minimum:
        return GapReason.FETCH_FAILED
    if at_best >= minimum:
        return GapReason.REJECTED
    if are_unlisted:
        return GapReason.NOT_LISTED_YET
    if are_removed:
        return GapReason.NOT_FETCHED
    return GapReason.BEYOND_REACH if are_nowhere else GapReason.BELOW_MINIMUM
