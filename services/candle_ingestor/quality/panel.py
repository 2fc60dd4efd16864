"""Candles of several series of one market side by side, on one grid of candle lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.quality.robust import middle_of

_CARRIED = 10
"""For how many candle lengths a price is still a price."""


@dataclass(frozen=True)
class Panel:
    """A span of all series of one market.

    Attributes:
        span: the span of the grid.
        told_from_ms: what ends before it was told with the panel before.
        sides: by series, a row for every candle length of the span, ascending. `open_time_ms`;
            `open`, `high`, `low`, `close`, `volume`, null without a candle; `known`, whether it is
            covered for good; `traded`, whether it is known to have a volume; `jump`, how far its
            close is from the one traded before, in bps, null without a trade; `price`, the
            logarithm of the newest close that was traded, null where that is long ago;
            `reference`, the same of the other series: their median, of two in the middle the one
            that is nearer; and `others`, how many of these traded.
    """

    timeframe: Timeframe
    span: Interval
    told_from_ms: int
    sides: Mapping[Series, pl.DataFrame]

    def time_ms(self, row: int) -> int:
        """The open time of a row; of the row after the last, the end of the span."""
        return self.span.start_ms + row * self.timeframe.duration_ms

    def others(self, series: Series) -> list[pl.DataFrame]:
        """The sides of all series but one."""
        return [side for each, side in self.sides.items() if each != series]


def make_panel(
    timeframe: Timeframe,
    span: Interval,
    told_from_ms: int,
    candles: Mapping[Series, pl.DataFrame],
    known: Mapping[Series, IntervalSet],
) -> Panel:
    """The panel of candle frames that ascend; `known` is what is covered of each series.

    A candle outside of what is known counts as none. `span` lies on the grid.
    """
    times = pl.int_range(
        span.start_ms, span.end_ms, timeframe.duration_ms, dtype=pl.Int64, eager=True
    ).alias("open_time_ms")
    sides = {
        series: _side(times, frame, known[series] & IntervalSet((span,)))
        for series, frame in candles.items()
    }
    prices = pl.DataFrame(
        [side["price"].alias(str(place)) for place, side in enumerate(sides.values())]
    )
    traded = pl.DataFrame(
        [side["traded"].alias(str(place)) for place, side in enumerate(sides.values())]
    )
    compared = {}
    for place, (series, side) in enumerate(sides.items()):
        others = [str(other) for other in range(len(sides)) if other != place]
        compared[series] = side.with_columns(
            middle_of([prices[other] for other in others], side["price"]).alias("reference"),
            _number(traded, others).alias("others"),
        )
    return Panel(timeframe, span, told_from_ms, compared)


def middle_price(sides: Sequence[pl.DataFrame]) -> pl.Series:
    """Row by row the median price of one side or more."""
    if len(sides) == 1:
        return sides[0]["price"]
    frame = pl.DataFrame([each["price"].alias(str(place)) for place, each in enumerate(sides)])
    return frame.select(pl.concat_list(pl.all()).list.median()).to_series()


def _side(times: pl.Series, frame: pl.DataFrame, known: IntervalSet) -> pl.DataFrame:
    values = frame.select("open_time_ms", "open", "high", "low", "close", "volume")
    side = times.to_frame().join(values, on="open_time_ms", how="left", maintain_order="left")
    is_known = _within(times, known)
    if not is_known.all():
        side = side.with_columns(
            pl.when(is_known).then(pl.col(name)).alias(name) for name in values.columns[1:]
        )
    traded = (side["volume"] > 0).fill_null(value=False)
    close = pl.when(traded).then(pl.col("close").log())
    return side.with_columns(
        is_known.alias("known"),
        traded.alias("traded"),
        ((close - close.forward_fill().shift(1)).abs() * 10_000).alias("jump"),
        close.forward_fill(limit=_CARRIED).alias("price"),
    )


def _within(times: pl.Series, intervals: IntervalSet) -> pl.Series:
    """Whether each time lies in the intervals."""
    starts = pl.Series([each.start_ms for each in intervals], dtype=pl.Int64)
    ends = pl.Series([each.end_ms for each in intervals], dtype=pl.Int64)
    begun = starts.search_sorted(times, side="right")
    return begun > ends.search_sorted(times, side="right")


def _number(traded: pl.DataFrame, others: list[str]) -> pl.Series:
    if not others:
        return pl.Series([0], dtype=pl.Int32).new_from_index(0, traded.height)
    return traded.select(
        pl.sum_horizontal(pl.col(name).cast(pl.Int32) for name in others)
    ).to_series()
