"""Merging of exchanges' candles into volume-weighted ones (rules M2 to M6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from candle_ingestor.merge.exact import merge_minute
from candle_ingestor.merge.outliers import DISAGREES, kept, mark_kept
from candle_ingestor.merge.rules import HighLow, MergeRules
from candle_ingestor.merge.scaled_integers import (
    price_to_float,
    scaled_price,
    scaled_volume,
    split_by_exactness,
    volume_to_float,
)
from candle_ingestor.merge.table import column, columns, present, side_by_side
from candle_ingestor.model.candles import (
    EXCHANGE_CANDLES,
    MERGED_CANDLES,
    PRICE_COLUMNS,
    VALUE_COLUMNS,
)
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class MergedCandles:
    """The merged part of an interval.

    Attributes:
        candles: columns MERGED_CANDLES, ascending by open time.
        covered: where at least the minimum number of exchanges cover (M2).
        excluded: how many candles of each exchange were left out (M5); only those with some.
        disagreements: minutes with a price farther than allowed from the median where all candles
            stay, since there are two of them or none would be left (M5).
    """

    candles: pl.DataFrame
    covered: IntervalSet
    excluded: Mapping[str, int]
    disagreements: int


def merge_candles(
    candles: Mapping[str, pl.DataFrame],
    covered: Mapping[str, IntervalSet],
    interval: Interval,
    timeframe: Timeframe,
    rules: MergeRules,
) -> MergedCandles:
    """Merges the candles that open in `interval`.

    A float64 stands for its shortest decimal text. A merged value is the float64 nearest to the
    exact result wherever that has at most 15 significant digits, and at most two units in the last
    place off elsewhere; `low <= open, close <= high` always holds.

    Args:
        candles: by exchange, columns EXCHANGE_CANDLES; ascending, unique, after rule M8. One that
            its exchange does not cover takes no part. May be left out for an exchange.
        covered: coverage by exchange; may be left out for one that covers nothing.
        interval: half-open.

    Raises:
        ValueError: if an exchange is none of the rules'.
    """
    strangers = sorted({*candles, *covered} - {*rules.exchanges})
    if strangers:
        raise ValueError(
            f"candles of {', '.join(strangers)}, which the merge rules do not name "
            f"({', '.join(rules.exchanges)})"
        )
    known = {
        exchange: _on_grid(covered.get(exchange, EMPTY) & IntervalSet((interval,)), timeframe)
        for exchange in rules.exchanges
    }
    merged_part = covered_at_least(known.values(), rules.min_exchanges)
    frames = {
        exchange: candles_within(candles[exchange], known[exchange] & merged_part)
        for exchange in rules.exchanges
        if exchange in candles
    }
    frames = {exchange: frame for exchange, frame in frames.items() if not frame.is_empty()}
    if not frames:
        return MergedCandles(pl.DataFrame(schema=MERGED_CANDLES), merged_part, {}, 0)
    minutes = _merge_minutes(side_by_side(list(frames.values())), range(len(frames)), rules)
    return _with_provenance(minutes, frames, merged_part)


def _on_grid(intervals: IntervalSet, timeframe: Timeframe) -> IntervalSet:
    return IntervalSet(
        (timeframe.ceil_ms(start_ms), timeframe.floor_ms(end_ms)) for start_ms, end_ms in intervals
    )


def _merge_minutes(
    table: pl.DataFrame, positions: Sequence[int], rules: MergeRules
) -> pl.DataFrame:
    """Rows of `open_time_ms`, the merged values, the `kept` columns and `disagrees`."""
    is_alone = table.select(pl.sum_horizontal(present(i) for i in positions) == 1).to_series()
    weighable, awkward = split_by_exactness(table.filter(~is_alone), positions)
    parts = [
        _taken_over(table.filter(is_alone), positions),
        _weighed(weighable, positions, rules),
        _merged_exactly(awkward, positions, rules),
    ]
    return pl.concat(part for part in parts if not part.is_empty()).sort("open_time_ms")


def _taken_over(table: pl.DataFrame, positions: Sequence[int]) -> pl.DataFrame:
    return table.select(
        "open_time_ms",
        *(pl.coalesce(columns(name, positions)).alias(name) for name in VALUE_COLUMNS),
        *(present(position).alias(kept(position)) for position in positions),
        pl.lit(value=False).alias(DISAGREES),
    )


def _weighed(table: pl.DataFrame, positions: Sequence[int], rules: MergeRules) -> pl.DataFrame:
    if table.is_empty():
        return table
    table = (
        mark_kept(table, positions, rules.max_price_deviation)
        .with_columns(_sum_of_kept(scaled_volume, positions).alias("total_volume"))
        .with_columns(
            # Without any volume every candle weighs the same (M4).
            pl.when(pl.col("total_volume") == 0)
            .then(1)
            .otherwise(scaled_volume(i))
            .alias(_weight(i))
            for i in positions
        )
        .with_columns(_sum_of_kept(_weight, positions).alias("total_weight"))
    )
    return table.select(
        "open_time_ms",
        *(_merged_price(name, positions, rules.high_low).alias(name) for name in PRICE_COLUMNS),
        volume_to_float(pl.col("total_volume")).alias("volume"),
        *(kept(position) for position in positions),
        DISAGREES,
    )


def _merged_price(name: str, positions: Sequence[int], high_low: HighLow) -> pl.Expr:
    prices = [_of_kept(scaled_price(name, position), position) for position in positions]
    if high_low is HighLow.EXTREMES and name == "high":
        return price_to_float(pl.max_horizontal(prices))
    if high_low is HighLow.EXTREMES and name == "low":
        return price_to_float(pl.min_horizontal(prices))
    total = pl.col("total_weight")
    weighted = pl.sum_horizontal(
        price * pl.col(_weight(position)) for position, price in zip(positions, prices, strict=True)
    )
    whole = weighted // total
    # Each step keeps order, so that low <= open, close <= high survives rounding.
    share = (weighted - whole * total).cast(pl.Float64) / total.cast(pl.Float64)
    return price_to_float(whole.cast(pl.Float64) + share)


def _weight(position: int) -> str:
    return column("weight", position)


def _of_kept(name: str, position: int) -> pl.Expr:
    return pl.when(kept(position)).then(name).cast(pl.Int128)


def _sum_of_kept(name_at: Callable[[int], str], positions: Sequence[int]) -> pl.Expr:
    return pl.sum_horizontal(_of_kept(name_at(position), position) for position in positions)


def _merged_exactly(
    table: pl.DataFrame, positions: Sequence[int], rules: MergeRules
) -> pl.DataFrame:
    allowed = rules.max_price_deviation
    rows = []
    for open_time_ms, *values in table.iter_rows():
        width = len(VALUE_COLUMNS)
        at_position = [values[i * width : (i + 1) * width] for i in positions]
        candles = {i: candle for i, candle in enumerate(at_position) if candle[0] is not None}
        merged = merge_minute(list(candles.values()), allowed, rules.high_low)
        stays = dict(zip(candles, merged.kept, strict=True))
        kept_flags = (stays.get(i, False) for i in positions)
        rows.append((open_time_ms, *merged.values, *kept_flags, merged.disagrees))
    schema = {
        "open_time_ms": pl.Int64,
        **dict.fromkeys(VALUE_COLUMNS, pl.Float64),
        **{kept(position): pl.Boolean for position in positions},
        DISAGREES: pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _with_provenance(
    minutes: pl.DataFrame, frames: Mapping[str, pl.DataFrame], covered: IntervalSet
) -> MergedCandles:
    names = [pl.when(kept(i)).then(pl.lit(exchange)) for i, exchange in enumerate(frames)]
    count = pl.sum_horizontal(kept(i) for i in range(len(frames)))
    candles = minutes.select(
        *EXCHANGE_CANDLES,
        pl.concat_str(names, separator=",", ignore_nulls=True).alias("source_exchanges"),
        count.cast(pl.Int64).alias("exchange_count"),
    )
    excluded = {
        exchange: left_out
        for i, (exchange, frame) in enumerate(frames.items())
        if (left_out := frame.height - int(minutes[kept(i)].sum()))
    }
    return MergedCandles(candles, covered, excluded, int(minutes[DISAGREES].sum()))
