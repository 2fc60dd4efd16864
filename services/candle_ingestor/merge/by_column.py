"""Merging of many minutes at once, in columns of integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from candle_ingestor.merge.merged_minutes import MergedMinutes
from candle_ingestor.merge.minute import merge_minute
from candle_ingestor.merge.outliers import DISAGREES, kept, mark_kept
from candle_ingestor.merge.picking import pick_disagreements, pick_exclusions
from candle_ingestor.merge.scaled_integers import (
    divides_exactly,
    price_to_float,
    scaled_price,
    scaled_volume,
    split_by_exactness,
    volume_by_division,
    volume_by_text,
)
from candle_ingestor.merge.table import column, columns, present, side_by_side
from candle_ingestor.model.candles import EXCHANGE_CANDLES, PRICE_COLUMNS, VALUE_COLUMNS
from candle_ingestor.model.merge_rules import HighLow, MergeRules


def merge_by_column(frames: Mapping[str, pl.DataFrame], rules: MergeRules) -> MergedMinutes:
    """Merges all candles of the frames (rules M3 to M6), which are one or more and not empty.

    `frames` are by exchange in flag order, as `merge_candles` takes them.
    """
    table = side_by_side(list(frames.values()))
    minutes = _merge_minutes(table, range(len(frames)), rules)
    merged = _with_provenance(minutes, frames)
    exchanges = list(frames)
    if merged.excluded:
        merged = merged._replace(exclusions_told=pick_exclusions(table, minutes, exchanges))
    if merged.disagreements:
        merged = merged._replace(disagreements_told=pick_disagreements(table, minutes, exchanges))
    return merged


def _merge_minutes(
    table: pl.DataFrame, positions: Sequence[int], rules: MergeRules
) -> pl.DataFrame:
    """Rows of `open_time_ms`, the merged values, the `kept` columns and `disagrees`."""
    is_alone = table.select(pl.sum_horizontal(present(i) for i in positions) == 1).to_series()
    weighable, awkward = split_by_exactness(table.filter(~is_alone), positions)
    if weighable.height == 1:
        # Polars divides by a lone value by multiplying with its inverse, which rounds otherwise.
        awkward = pl.concat([awkward, weighable.select(awkward.columns)])
        weighable = weighable.clear()
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
    weights = [column("weight", i) for i in positions]
    table = (
        mark_kept(table, positions, rules.max_price_deviation)
        # Polars divides by a chunk of one row as by a lone value, see `_merge_minutes`.
        .rechunk()
        .with_columns(
            pl.when(kept(i)).then(scaled_volume(i)).alias(weight)
            for i, weight in zip(positions, weights, strict=True)
        )
        .with_columns(pl.sum_horizontal(weights).alias("total_volume"))
        # Without any volume every candle weighs the same (M4).
        .with_columns(pl.col(weights) + (pl.col("total_volume") == 0).cast(pl.Int128))
        .with_columns(pl.sum_horizontal(weights).alias("total_weight"))
    )
    return table.select(
        "open_time_ms",
        *(_merged_price(name, positions, rules.high_low).alias(name) for name in PRICE_COLUMNS),
        _volumes(table).alias("volume"),
        *map(kept, positions),
        DISAGREES,
    )


def _volumes(table: pl.DataFrame) -> pl.Series:
    total = pl.col("total_volume")
    volumes = table.select(volume_by_division(total)).to_series()
    is_divided = table.select(divides_exactly(total)).to_series()
    if is_divided.all():
        return volumes
    # Without rechunk, pl.format panics where filtering leaves a chunk empty.
    others = table.filter(~is_divided).rechunk().select(volume_by_text(total)).to_series()
    return volumes.scatter((~is_divided).arg_true(), others)


def _merged_price(name: str, positions: Sequence[int], high_low: HighLow) -> pl.Expr:
    if high_low is HighLow.EXTREMES and name in ("high", "low"):
        prices = [pl.when(kept(i)).then(scaled_price(name, i)) for i in positions]
        is_high = name == "high"
        return price_to_float((pl.max_horizontal if is_high else pl.min_horizontal)(prices))
    total = pl.col("total_weight")
    # Where a candle is left out, its weight is null and so is the product.
    weighted = pl.sum_horizontal(
        pl.col(scaled_price(name, i)).cast(pl.Int128) * pl.col(column("weight", i))
        for i in positions
    )
    whole = weighted // total
    # Each step keeps order, so that low <= open, close <= high survives rounding.
    share = (weighted - whole * total).cast(pl.Float64) / total.cast(pl.Float64)
    return price_to_float(whole.cast(pl.Float64) + share)


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


def _with_provenance(minutes: pl.DataFrame, frames: Mapping[str, pl.DataFrame]) -> MergedMinutes:
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
    return MergedMinutes(candles, excluded, int(minutes[DISAGREES].sum()))
