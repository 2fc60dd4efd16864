"""Which candle lengths a verification looks at. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series

NEIGHBOURS = 10
"""So many in a row are drawn together: one request answers them all."""


def draw(known: Mapping[Series, IntervalSet], candles: int, seed: int) -> dict[Series, IntervalSet]:
    """So many candle lengths at random, or all that there are; the same for the same `seed`.

    They are drawn in rows of `NEIGHBOURS`, each row as likely as any other. Series of which nothing
    is drawn are left out.
    """
    pieces = [
        (series, interval)
        for series, intervals in sorted(known.items(), key=lambda item: item[0])
        for interval in intervals
    ]
    total = sum(_candles(series, interval) for series, interval in pieces)
    rows = -(-total // NEIGHBOURS)
    wanted_rows = min(-(-candles // NEIGHBOURS), rows)
    chosen = sorted(random.Random(seed).sample(range(rows), wanted_rows))
    positions = [(row * NEIGHBOURS, min((row + 1) * NEIGHBOURS, total)) for row in chosen]
    drawn: dict[Series, list[Interval]] = {}
    left = candles
    first = 0
    index = 0
    for series, interval in pieces:
        length_ms = series.timeframe.duration_ms
        last = first + _candles(series, interval)
        while index < len(positions) and left:
            start, end = max(positions[index][0], first), min(positions[index][1], last)
            if start < end:
                end = min(end, start + left)
                left -= end - start
                start_ms = interval.start_ms + (start - first) * length_ms
                part = Interval(start_ms, start_ms + (end - start) * length_ms)
                drawn.setdefault(series, []).append(part)
            if positions[index][1] > last:
                break
            index += 1
        first = last
    return {series: IntervalSet(intervals) for series, intervals in drawn.items()}


def requests_of(chosen: IntervalSet, longest_ms: int) -> list[Interval]:
    """Few spans of at most `longest_ms` that hold all that is chosen, ascending."""
    spans: list[Interval] = []
    for interval in chosen:
        for piece in interval.cut(longest_ms):
            if spans and piece.end_ms - spans[-1].start_ms <= longest_ms:
                spans[-1] = Interval(spans[-1].start_ms, piece.end_ms)
            else:
                spans.append(piece)
    return spans


def _candles(series: Series, interval: Interval) -> int:
    return interval.duration_ms // series.timeframe.duration_ms
