"""What notes tell of gaps: since when they are known, how often they were asked for. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.intervals import IntervalSet


@dataclass(frozen=True)
class GapPast:
    """What is remembered of a gap. Where its parts have other pasts, the longest counts.

    Attributes:
        since_ms: start of the first run that left it, or a part of it, open; None where no run did.
        attempts: in how many runs it was asked for in vain.
        last_error: why the newest attempt failed; None where that is not known.
        filled_ms: start of the run that found it known; None where it is open, or no run has.
    """

    since_ms: int | None = None
    attempts: int = 0
    last_error: str | None = None
    filled_ms: int | None = None


NO_PAST = GapPast()


def pasts_of(gaps: Sequence[Gap], notes: GapNotes) -> list[GapPast]:
    """The past of each of the gaps, which are ascending and disjoint."""
    starts = [gap.interval.start_ms for gap in gaps]
    missing = IntervalSet(gap.interval for gap in gaps)
    pasts = [NO_PAST] * len(gaps)
    for note in notes.open:
        past = _past_of(note)
        for start_ms, end_ms in note.intervals & missing:
            index = bisect_right(starts, start_ms) - 1
            while index < len(starts) and starts[index] < end_ms:
                pasts[index] = past if pasts[index] is NO_PAST else _longer(pasts[index], past)
                index += 1
    return pasts


def filled_gaps(notes: GapNotes, covered: IntervalSet) -> list[tuple[Gap, GapPast]]:
    """What was a gap and is covered, ascending.

    What is covered by now is filled, though the run that did it may not have noted that yet.
    """
    found = [
        (Gap(interval, note.reason), past)
        for note in (*notes.filled, *notes.open)
        for past in (_past_of(note),)
        for interval in note.intervals & covered
    ]
    return sorted(found, key=lambda pair: pair[0])


def _past_of(note: GapNote) -> GapPast:
    return GapPast(note.first_seen_ms, note.attempts, note.last_error, note.filled_ms)


def _longer(one: GapPast, other: GapPast) -> GapPast:
    """The past of a gap of which parts had these."""
    known_ms = [past.since_ms for past in (one, other) if past.since_ms is not None]
    often, seldom = (one, other) if one.attempts > other.attempts else (other, one)
    return GapPast(
        min(known_ms, default=None), often.attempts, often.last_error or seldom.last_error
    )
