"""Candles in hand: what was just read or written, kept in memory up to a bound."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field

import polars as pl

from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series

MOST_ROWS = 450_000
"""About 25 MB."""
_PARTS_TO_DROP = 8
"""Of a series' pieces the earliest part goes at once; the later ones may still be merged."""


@dataclass(frozen=True)
class _Piece:
    interval: Interval
    candles: pl.DataFrame


@dataclass
class _SeriesPieces:
    """Disjoint pieces, ascending, and where each starts."""

    pieces: list[_Piece] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def touching(self, interval: Interval) -> slice:
        """The pieces that share a point with the interval."""
        first = bisect_right(self.starts, interval.start_ms)
        if first and self.pieces[first - 1].interval.end_ms > interval.start_ms:
            first -= 1
        return slice(first, bisect_left(self.starts, interval.end_ms))

    def put(self, where: slice, pieces: list[_Piece]) -> None:
        self.pieces[where] = pieces
        self.starts[where] = [piece.interval.start_ms for piece in pieces]


class CandlesInHand:
    """Stored candles of whole intervals. What was put stays until it is to shrink."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._rows = 0
        self._by_series: OrderedDict[Series, _SeriesPieces] = OrderedDict()

    def put(self, series: Series, span: IntervalSet, candles: pl.DataFrame) -> None:
        """Takes `candles` for all that is stored of the series in `span`."""
        held = self._by_series.setdefault(series, _SeriesPieces())
        self._by_series.move_to_end(series)
        for interval in span:
            within = candles_within(candles, IntervalSet((interval,)))
            where = held.touching(interval)
            pieces = [_Piece(interval, within)]
            for old in held.pieces[where]:
                self._rows -= old.candles.height
                before = Interval(old.interval.start_ms, interval.start_ms)
                after = Interval(interval.end_ms, old.interval.end_ms)
                if before.duration_ms:
                    pieces.insert(0, _cut(old, before))
                if after.duration_ms:
                    pieces.append(_cut(old, after))
            self._rows += sum(piece.candles.height for piece in pieces)
            held.put(where, pieces)

    def drop(self, series: Series, span: IntervalSet) -> None:
        """Forgets the pieces that lie in the span; those that reach beyond it stay whole."""
        held = self._by_series.get(series)
        if held is None:
            return
        for interval in span:
            where = held.touching(interval)
            stay = [p for p in held.pieces[where] if not _lies_in(p.interval, interval)]
            self._rows -= sum(p.candles.height for p in held.pieces[where])
            self._rows += sum(p.candles.height for p in stay)
            held.put(where, stay)
        if not held.pieces:
            del self._by_series[series]

    def candles(self, series: Series, interval: Interval) -> pl.DataFrame | None:
        """The candles that open in the interval; None where not all of it is in hand."""
        held = self._by_series.get(series)
        if held is None:
            return None
        self._by_series.move_to_end(series)
        parts = []
        next_ms = interval.start_ms
        for piece in held.pieces[held.touching(interval)]:
            if piece.interval.start_ms > next_ms:
                return None
            next_ms = piece.interval.end_ms
            if not piece.candles.is_empty():
                parts.append(piece.candles)
        if next_ms < interval.end_ms:
            return None
        if not parts:
            return no_candles(series)
        joined = parts[0] if len(parts) == 1 else pl.concat(parts)
        return candles_within(joined, IntervalSet((interval,)))

    def missing(self, series: Series, span: IntervalSet) -> IntervalSet:
        """The part of the span that is not in hand."""
        held = self._by_series.get(series)
        if held is None:
            return span
        found = [piece.interval for one in span for piece in held.pieces[held.touching(one)]]
        return span - IntervalSet(found)

    def last_open_ms(self, series: Series, before_ms: int) -> int | None:
        """The newest open time before `before_ms`, if what is in hand up to there shows one."""
        held = self._by_series.get(series)
        if held is None:
            return None
        next_ms = before_ms
        for index in range(bisect_left(held.starts, before_ms) - 1, -1, -1):
            piece = held.pieces[index]
            if piece.interval.end_ms < next_ms:
                return None
            times = piece.candles["open_time_ms"]
            position = bisect_left(times, before_ms)
            if position:
                return int(times[position - 1])
            next_ms = piece.interval.start_ms
        return None

    def shrink(self) -> None:
        """Drops what is too much: the earliest candles of the series used longest ago, by turns."""
        while self._rows > self._most_rows:
            series, held = next(iter(self._by_series.items()))
            earliest = slice(0, len(held.pieces) // _PARTS_TO_DROP + 1)
            self._rows -= sum(piece.candles.height for piece in held.pieces[earliest])
            held.put(earliest, [])
            if held.pieces:
                self._by_series.move_to_end(series)
            else:
                del self._by_series[series]

    def clear(self) -> None:
        """Forgets everything."""
        self._by_series.clear()
        self._rows = 0


def _lies_in(inner: Interval, outer: Interval) -> bool:
    return outer.start_ms <= inner.start_ms and inner.end_ms <= outer.end_ms


def _cut(piece: _Piece, interval: Interval) -> _Piece:
    return _Piece(interval, candles_within(piece.candles, IntervalSet((interval,))))
