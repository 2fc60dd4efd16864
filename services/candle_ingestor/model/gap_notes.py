"""What is remembered of a series' gaps beside what its coverage tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet

MOST_OPEN = 1_000
"""How many intervals of open gaps are remembered of a series; the longest are."""

MOST_FILLED = 200
"""How many intervals of filled gaps are remembered of a series; those filled last are."""


@dataclass(frozen=True)
class GapNote:
    """Intervals that were gaps with one reason and one past.

    Attributes:
        intervals: never empty.
        reason: the last one they had.
        first_seen_ms: start of the first run that left them open.
        attempts: in how many runs they were asked for in vain.
        last_error: why the newest attempt failed; None where that is not known.
        filled_ms: start of the run that found them known; None while they are open.
    """

    intervals: IntervalSet
    reason: GapReason
    first_seen_ms: int
    attempts: int = 0
    last_error: str | None = None
    filled_ms: int | None = None


@dataclass(frozen=True)
class Attempt:
    """What a run asked for in vain. `error` says why it failed; None where that is not known."""

    intervals: IntervalSet
    error: str | None = None


@dataclass(frozen=True)
class GapNotes:
    """The notes on a series' gaps. No point of time is in two notes.

    Attributes:
        open: gaps that were open when they were last noted, by time.
        filled: gaps that were open once and are covered, by time.
    """

    open: tuple[GapNote, ...] = ()
    filled: tuple[GapNote, ...] = ()

    def after_run(
        self,
        gaps: Sequence[Gap],
        covered: IntervalSet,
        started_ms: int,
        attempts: Sequence[Attempt] = (),
    ) -> GapNotes:
        """The notes after a run that leaves these gaps.

        What of the gaps was noted before keeps its past. What is neither a gap nor covered, as it
        is not wanted at present, stays as it was noted.

        Args:
            gaps: disjoint, and outside `covered`.
            covered: all that is known of the series.
            started_ms: when the run started.
            attempts: what the run asked for in vain; of a point that several name, the first
                counts.
        """
        if not (gaps or self.open or self.filled):
            return self
        missing = IntervalSet(gap.interval for gap in gaps)
        noted = EMPTY
        found: list[GapNote] = []
        filled: list[GapNote] = []
        for note in self.open:
            noted = noted | note.intervals
            found += _part(note, note.intervals - covered - missing)
            filled += _part(replace(note, filled_ms=started_ms), note.intervals & covered)
        for reason, intervals in _by_reason(gaps).items():
            for note in self.open:
                part = _part(replace(note, reason=reason), note.intervals & intervals)
                found += _after_attempts(part, attempts)
            unheard = GapNote(intervals, reason, started_ms)
            found += _after_attempts(_part(unheard, intervals - noted), attempts)
        for note in self.filled:
            filled += _part(note, note.intervals & covered)
        return GapNotes(
            _bounded(_joined(found), MOST_OPEN, _length),
            _bounded(_joined(filled), MOST_FILLED, _filled_last),
        )

    def within(self, span: IntervalSet) -> GapNotes:
        """The notes on what lies in the span."""
        return GapNotes(_within(self.open, span), _within(self.filled, span))


NO_NOTES = GapNotes()

_Rank = Callable[[GapNote, Interval], tuple[int, ...]]


def _length(_: GapNote, interval: Interval) -> tuple[int, ...]:
    return (interval.duration_ms,)


def _filled_last(note: GapNote, interval: Interval) -> tuple[int, ...]:
    return (note.filled_ms or 0, interval.duration_ms)


def _part(note: GapNote, intervals: IntervalSet) -> list[GapNote]:
    return [replace(note, intervals=intervals)] if intervals else []


def _within(notes: Iterable[GapNote], span: IntervalSet) -> tuple[GapNote, ...]:
    return tuple(part for note in notes for part in _part(note, note.intervals & span))


def _by_reason(gaps: Iterable[Gap]) -> dict[GapReason, IntervalSet]:
    by_reason: dict[GapReason, list[Interval]] = {}
    for interval, reason in gaps:
        by_reason.setdefault(reason, []).append(interval)
    return {reason: IntervalSet(intervals) for reason, intervals in by_reason.items()}


def _after_attempts(notes: Iterable[GapNote], attempts: Sequence[Attempt]) -> list[GapNote]:
    """The notes with what was asked for in vain counted."""
    made: list[GapNote] = []
    for note in notes:
        untouched = note.intervals
        for attempt in attempts:
            asked = replace(note, attempts=note.attempts + 1, last_error=attempt.error)
            made += _part(asked, untouched & attempt.intervals)
            untouched = untouched - attempt.intervals
        made += _part(note, untouched)
    return made


def _joined(notes: Iterable[GapNote]) -> list[GapNote]:
    """Notes of one past as one."""
    by_past: dict[GapNote, list[Interval]] = {}
    for note in notes:
        by_past.setdefault(replace(note, intervals=EMPTY), []).extend(note.intervals)
    return [replace(past, intervals=IntervalSet(parts)) for past, parts in by_past.items()]


def _bounded(notes: list[GapNote], most: int, rank: _Rank) -> tuple[GapNote, ...]:
    """The notes by time, on no more than `most` intervals, those of the highest rank."""
    if sum(len(note.intervals) for note in notes) > most:
        ranked = sorted(
            ((note, interval) for note in notes for interval in note.intervals),
            key=lambda pair: (*rank(*pair), -pair[1].start_ms),
            reverse=True,
        )
        notes = _joined(replace(note, intervals=IntervalSet((i,))) for note, i in ranked[:most])
    return tuple(sorted(notes, key=lambda note: note.intervals.intervals))
