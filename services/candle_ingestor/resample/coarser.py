"""Candles of a coarser timeframe, and where they may exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.grid import on_grid, whole_lengths
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.resample.exact_sums import exact_sums
from candle_ingestor.resample.layouts import Layout, layout_of


class Derivable(NamedTuple):
    """The candle lengths that can be made: those known whole, and those of which enough is known.

    They are disjoint.
    """

    whole: IntervalSet
    partial: IntervalSet

    @property
    def all(self) -> IntervalSet:
        return self.whole | self.partial


def derivable(
    covered: IntervalSet, timeframe: Timeframe, min_coverage_pct: float, closed_end_ms: int
) -> Derivable:
    """Which candle lengths of the timeframe can be made of a source that covers `covered`.

    Lengths that end after `closed_end_ms` are not over, and never made of a part (rule T1).
    """
    whole = whole_lengths(covered, timeframe)
    if min_coverage_pct >= 100:
        return Derivable(whole, EMPTY)
    closed = IntervalSet.of(0, timeframe.floor_ms(closed_end_ms))
    length_ms = timeframe.duration_ms
    enough = [
        piece
        for interval in (on_grid(covered - whole, timeframe) - whole) & closed
        for piece in Interval(*interval).cut(length_ms)
        if (covered & IntervalSet((piece,))).duration_ms * 100 >= min_coverage_pct * length_ms
    ]
    return Derivable(whole, IntervalSet(enough))


def coarser_candles(
    candles: pl.DataFrame, finer: Timeframe, coarser: Timeframe, exchanges: Sequence[str] = ()
) -> pl.DataFrame:
    """The candles of `finer` put together into those of `coarser`, one a length that has any.

    The first open, the highest high, the lowest low, the last close, and the exact sum of the
    volumes to the nearest float64. Merged ones name every exchange that any of theirs does.

    Args:
        candles: columns EXCHANGE_CANDLES or MERGED_CANDLES, ascending by open time.
        exchanges: the order in which merged candles name exchanges; others follow by name.
    """
    if candles.is_empty():
        return candles
    layout = layout_of(candles, finer, coarser)
    made = layout.put_together().with_columns(exact_sums(candles["volume"], layout).alias("volume"))
    if "source_exchanges" not in candles.columns:
        return made.select(*EXCHANGE_CANDLES)
    return _with_provenance(made, layout, candles["source_exchanges"], exchanges)


def _with_provenance(
    made: pl.DataFrame, layout: Layout, sources: pl.Series, exchanges: Sequence[str]
) -> pl.DataFrame:
    is_one = bool((sources == sources[0]).all())
    texts = sources.head(1) if is_one else sources.unique()
    named = {name for text in texts for name in text.split(",")}
    order = {name: place for place, name in enumerate(exchanges)}
    names = sorted(named, key=lambda name: (order.get(name, len(order)), name))
    if is_one:
        took_part = made.select("open_time_ms", *(pl.lit(value=True).alias(n) for n in names))
    else:
        by_text = pl.DataFrame(
            {"text": texts, **{name: [name in t.split(",") for t in texts] for name in names}}
        )
        took_part = (
            pl.DataFrame({"open_time_ms": layout.lengths(), "text": sources})
            .unique(maintain_order=True)
            .join(by_text, on="text", maintain_order="left")
            .group_by("open_time_ms", maintain_order=True)
            .agg(pl.col(name).any() for name in names)
        )
    named_texts = [pl.when(pl.col(name)).then(pl.lit(name)) for name in names]
    provenance = took_part.select(
        pl.concat_str(named_texts, separator=",", ignore_nulls=True).alias("source_exchanges"),
        pl.sum_horizontal(names).cast(pl.Int64).alias("exchange_count"),
    )
    return made.hstack(provenance).select(*MERGED_CANDLES)
