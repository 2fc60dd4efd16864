"""In which candle lengths a page shows which time, so that it stays small. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe

_NEWEST_BARS = ((15 * MINUTE_MS, 1_500), (HOUR_MS, 10_000))
_NEWEST_OWN = 1_800
"""Of ten symbols on four exchanges; of fewer there are more."""

_EVERY_DAY = 1 << 40
_PLANNED_LINES = 50
_MOST, _LEAST = 8.0, 0.1

MARGIN_MS = HOUR_MS // 2
"""What is shown before and after a place worth looking at."""


@dataclass(frozen=True)
class Level:
    """A candle length, and the time that is shown in it."""

    length_ms: int
    spans: IntervalSet


def levels_of(timeframe: Timeframe, known: Interval, lines: int) -> list[Level]:
    """The levels of one head, the finest first: its own length, then coarser ones up to days.

    Its own length is for the newest time; hours go back further and days over all that is known.
    `lines` is how many series the whole page draws: the more there are, the less far back each
    level goes.
    """
    own_ms = timeframe.duration_ms
    share = min(max(_PLANNED_LINES / max(lines, 1), _LEAST), _MOST)
    newest = {own_ms: _NEWEST_OWN}
    newest |= {length: bars for length, bars in _NEWEST_BARS if length >= 2 * own_ms}
    if own_ms < DAY_MS:
        newest[DAY_MS] = _EVERY_DAY
    levels = []
    for length_ms, bars in sorted(newest.items()):
        whole = on_grid(known, length_ms)
        from_ms = whole.end_ms - round(bars * share) * length_ms
        # Whole days: a person pans by days.
        from_ms = max(from_ms // DAY_MS * DAY_MS, whole.start_ms)
        levels.append(Level(length_ms, IntervalSet.of(from_ms, whole.end_ms)))
    return levels


def near(place: Interval, length_ms: int) -> Interval:
    """The place with its margin, on the grid; of a long one only its beginning."""
    end_ms = min(place.end_ms, place.start_ms + 4 * MARGIN_MS)
    return on_grid(Interval(place.start_ms - MARGIN_MS, end_ms + MARGIN_MS), length_ms)


def on_grid(interval: Interval, length_ms: int) -> Interval:
    """The whole bars that the interval touches."""
    return Interval(
        interval.start_ms // length_ms * length_ms, -(-interval.end_ms // length_ms) * length_ms
    )
