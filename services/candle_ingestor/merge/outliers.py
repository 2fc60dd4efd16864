"""Candles whose price lies too far from the other exchanges' (rule M5)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import polars as pl

from candle_ingestor.merge.scaled_integers import scaled_price
from candle_ingestor.merge.table import column, columns, present
from candle_ingestor.model.candles import PRICE_COLUMNS

DISAGREES = "disagrees"


def kept(position: int) -> str:
    """The column that says whether the exchange's candle takes part in the merged one."""
    return column("kept", position)


def mark_kept(table: pl.DataFrame, positions: Sequence[int], allowed: Fraction) -> pl.DataFrame:
    """Adds the `kept` columns and `disagrees`.

    `table` holds two or more candles a row and their integer columns. `allowed` is the deviation
    as a share of the median. `disagrees` marks minutes with a deviation where nothing is left out.
    """
    suspicious = table.select(_may_deviate(positions, float(allowed))).to_series()
    marked = table.with_columns(
        *(present(position).alias(kept(position)) for position in positions),
        pl.lit(value=False).alias(DISAGREES),
    )
    if not suspicious.any():
        return marked
    judged = _judged(table.filter(suspicious), positions, allowed)
    rows = suspicious.arg_true()
    return marked.with_columns(
        marked[name].scatter(rows, judged[name]) for name in (*map(kept, positions), DISAGREES)
    )


def _may_deviate(positions: Sequence[int], allowed: float) -> pl.Expr:
    # No price lies farther from a median than from the farthest other price. The margin is for
    # the rounding of floats; the integers of `_judged` decide.
    checks = []
    for name in PRICE_COLUMNS:
        lowest = pl.min_horizontal(columns(name, positions))
        highest = pl.max_horizontal(columns(name, positions))
        checks.append(highest - lowest > lowest * (allowed * (1 - 1e-9)))
    return pl.any_horizontal(checks)


def _judged(table: pl.DataFrame, positions: Sequence[int], allowed: Fraction) -> pl.DataFrame:
    table = table.with_columns(
        pl.sum_horizontal(present(position) for position in positions).alias("candles"),
        *(_twice_the_median(name, positions) for name in PRICE_COLUMNS),
    ).with_columns(
        (present(position) & _deviates(position, allowed)).alias(column("deviates", position))
        for position in positions
    )
    deviating = columns("deviates", positions)
    all_stay = (pl.col("candles") < 3) | (pl.sum_horizontal(deviating) == pl.col("candles"))
    return table.with_columns(
        *(
            (present(position) & (all_stay | ~pl.col(column("deviates", position)))).alias(
                kept(position)
            )
            for position in positions
        ),
        (all_stay & pl.any_horizontal(deviating)).alias(DISAGREES),
    ).drop(
        "candles",
        *(f"twice_the_median_{name}" for name in PRICE_COLUMNS),
        *(column("deviates", position) for position in positions),
    )


def _twice_the_median(name: str, positions: Sequence[int]) -> pl.Expr:
    prices = pl.concat_list(scaled_price(name, position) for position in positions)
    ascending = prices.list.drop_nulls().list.sort()
    lower = ascending.list.get((ascending.list.len() - 1) // 2)
    upper = ascending.list.get(ascending.list.len() // 2)
    return (lower + upper).alias(f"twice_the_median_{name}")


def _deviates(position: int, allowed: Fraction) -> pl.Expr:
    checks = []
    for name in PRICE_COLUMNS:
        twice_the_median = pl.col(f"twice_the_median_{name}").cast(pl.Int128)
        twice_the_price = pl.col(scaled_price(name, position)).cast(pl.Int128) * 2
        distance = (twice_the_price - twice_the_median).abs()
        checks.append(distance * allowed.denominator > twice_the_median * allowed.numerator)
    return pl.any_horizontal(checks).fill_null(value=False)
