"""Candles as scaled integers: columns of a UTC day, exact aggregation, the unfinished candle."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "DAY_MS",
    "MINUTE_MS",
    "Candle",
    "Columns",
    "aggregate",
    "candle_as_of",
    "floor_ms",
    "merge_candles",
]

MINUTE_MS = 60_000
DAY_MS = 86_400_000


class Candle(NamedTuple):
    """One candle; prices and volume are integers scaled by their series' digits."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Candles of one timeframe by column, ascending by open time, without doubles."""

    open_ms: Sequence[int]
    open: Sequence[int]
    high: Sequence[int]
    low: Sequence[int]
    close: Sequence[int]
    volume: Sequence[int]

    @classmethod
    def of(cls, candles: Sequence[Candle]) -> "Columns":
        """The columns of these candles."""
        if not candles:
            return cls((), (), (), (), (), ())
        return cls(*zip(*candles, strict=True))

    def __len__(self) -> int:
        return len(self.open_ms)

    def between(self, start_ms: int, end_ms: int) -> Iterator[Candle]:
        """The candles that open in `[start_ms, end_ms)`."""
        first = bisect_left(self.open_ms, start_ms)
        stop = bisect_left(self.open_ms, end_ms)
        columns = (self.open_ms, self.open, self.high, self.low, self.close, self.volume)
        return map(Candle._make, zip(*(column[first:stop] for column in columns), strict=True))


def merge_candles(open_ms: int, candles: Sequence[Candle]) -> Candle:
    """One candle of consecutive ones (at least one): first open, extremes, last close, sum."""
    return Candle(
        open_ms,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        sum(candle.volume for candle in candles),
    )


def aggregate(columns: Columns, timeframe_ms: int, shift_ms: int = 0) -> Columns:
    """Candles of a longer timeframe on the UTC grid, or `shift_ms` after it.

    A bucket without a candle gives none.
    """
    merged: list[Candle] = []
    first, count = 0, len(columns)
    while first < count:
        bucket_ms = floor_ms(columns.open_ms[first], timeframe_ms, shift_ms)
        stop = bisect_left(columns.open_ms, bucket_ms + timeframe_ms, first)
        merged.append(
            Candle(
                bucket_ms,
                columns.open[first],
                max(columns.high[first:stop]),
                min(columns.low[first:stop]),
                columns.close[stop - 1],
                sum(columns.volume[first:stop]),
            )
        )
        first = stop
    return Columns.of(merged)


def floor_ms(time_ms: int, timeframe_ms: int, shift_ms: int = 0) -> int:
    """The open time of the candle that holds a time; the grid is `shift_ms` after that of UTC."""
    return (time_ms - shift_ms) // timeframe_ms * timeframe_ms + shift_ms


def candle_as_of(
    final: Candle,
    timeframe_ms: int,
    now_ms: int,
    *,
    revision_ms: int = 0,
    price_quantum: int = 1,
    volume_quantum: int = 1,
) -> Candle:
    """What an exchange shows at `now_ms` of a candle that will end as `final`.

    Unfinished: the close has moved from the open toward its final value by the part of the
    candle that has elapsed, high and low likewise, and that part of the volume has traded. With
    a volume of 0 there was no trade so far, and all prices are the open. Closed less than
    `revision_ms` ago: the volume is still 3 % short. Later: `final`. Quanta are the steps that
    prices and volumes are cut to.
    """
    elapsed_ms = now_ms - final.open_ms
    if elapsed_ms >= timeframe_ms:
        if elapsed_ms >= timeframe_ms + revision_ms or final.volume <= 1:
            return final
        return final._replace(volume=max(1, _cut(final.volume * 97 // 100, volume_quantum)))
    volume = _cut(final.volume * elapsed_ms // timeframe_ms, volume_quantum)
    if volume == 0:
        return Candle(final.open_ms, final.open, final.open, final.open, final.open, 0)
    close = final.open + (final.close - final.open) * elapsed_ms // timeframe_ms
    close = _cut(close, price_quantum)
    top, bottom = max(final.open, close), min(final.open, close)
    high = top + (final.high - max(final.open, final.close)) * elapsed_ms // timeframe_ms
    low = bottom - (min(final.open, final.close) - final.low) * elapsed_ms // timeframe_ms
    return Candle(
        final.open_ms,
        final.open,
        max(top, _cut(high, price_quantum)),
        min(bottom, _cut(low, price_quantum)),
        close,
        volume,
    )


def _cut(value: int, quantum: int) -> int:
    return value if quantum == 1 else value // quantum * quantum
