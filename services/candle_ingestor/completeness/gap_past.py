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


def pasts_of(gaps: Sequence[Gap], notes: GapNotes) -> list[GapPast]:
    """The past of each of the gaps, which are ascending and disjoint."""
    starts = [gap.interval.start_ms for gap in gaps]
    missing = IntervalSet(gap.interval for gap in gaps)
    pasts = [GapPast()] * len(gaps)
    for note in notes.open:
        for start_ms, end_ms in note.intervals & missing:
            index = bisect_right(starts, start_ms) - 1
            while index < len(starts) and starts[index] < end_ms:
                pasts[index] = _with_note(pasts[index], note)
                index += 1
    return pasts


def filled_gaps(notes: GapNotes, covered: IntervalSet) -> list[tuple[Gap, GapPast]]:
    """What was a gap and is covered, ascending.

    What is covered by now is filled, though the run that did it may not have noted that yet.
    """
    found = [
        (Gap(interval, note.reason), _with_note(GapPast(), note))
        for note in (*notes.filled, *notes.open)
        for interval in note.intervals & covered
    ]
    return sorted(found, key=lambda pair: pair[0])


def _with_note(past: GapPast, note: GapNote) -> GapPast:
    since_ms = note.first_seen_ms if past.since_ms is None else past.since_ms
    is_longer = note.attempts >= past.attempts
    return GapPast(
        min(since_ms, note.first_seen_ms),
        max(past.attempts, note.attempts),
        (note.last_error if is_longer else past.last_error) or note.last_error or past.last_error,
        note.filled_ms,
    )
