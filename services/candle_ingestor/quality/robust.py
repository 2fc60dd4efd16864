"""Statistics that a few wrong values do not move, and runs of rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import polars as pl


def median_of(values: pl.Series) -> float:
    """The median of the values that are there. Raises: ValueError: if none is."""
    return _quantile(values, 0.5)


def least_of(values: pl.Series) -> float:
    """The least of the values that are there. Raises: ValueError: if none is."""
    return _quantile(values, 0.0)


def runs_of(holds: pl.Series, least: int = 1, apart: int = 0) -> list[tuple[int, int]]:
    """Where a condition, null for no, holds: half-open ranges of rows, ascending.

    Runs with at most `apart` rows between them are one; shorter ones than `least` are left out.
    """
    runs = holds.fill_null(value=False).rle().struct.unnest()
    ends = runs["len"].cum_sum()
    frame = pl.DataFrame(
        {"start": ends - runs["len"], "end": ends, "holds": runs["value"]},
    ).filter("holds")
    found: list[tuple[int, int]] = []
    for start, end in frame.select("start", "end").iter_rows():
        if found and start - found[-1][1] <= apart:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= least]


def largest_at_ends(values: pl.Series, start: int, end: int, reach: int = 1) -> float:
    """The largest value in the rows on both sides of where a range of rows begins and ends."""
    near = [
        *values[max(start - reach, 0) : start + reach],
        *values[max(end - reach, 0) : end + reach],
    ]
    return max((float(each) for each in near if each is not None), default=0.0)


def middle_of(values: Sequence[pl.Series], own: pl.Series) -> pl.Series:
    """Row by row the median of the values; of two in the middle the one that is nearer to `own`."""
    if not values:
        return pl.Series([None], dtype=pl.Float64).new_from_index(0, own.len())
    if len(values) == 1:
        return values[0]
    names = [str(place) for place in range(len(values))]
    frame = pl.DataFrame(
        [own.alias("own"), *(each.alias(name) for name, each in zip(names, values, strict=True))]
    ).with_columns(count=pl.sum_horizontal(pl.col(name).is_not_null() for name in names))
    ranked = _ranked(frame, names)
    low = _of_rank(names, (pl.col("count").cast(pl.Int64) - 1) // 2)
    high = _of_rank(names, pl.col("count").cast(pl.Int64) // 2)
    return (
        ranked.with_columns(low=low, high=high)
        .select(
            pl.when((pl.col("own") - pl.col("low")).abs() <= (pl.col("high") - pl.col("own")).abs())
            .then("low")
            .otherwise("high")
        )
        .to_series()
    )


def _ranked(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with the values of each row in ascending order, those that are null last.

    Columns are compared two by two, which is far faster than a list a row.
    """
    frame = frame.with_columns(pl.col(name).fill_null(float("inf")) for name in names)
    for last in range(len(names) - 1, 0, -1):
        for left, right in pairwise(names[: last + 1]):
            frame = frame.with_columns(
                pl.min_horizontal(left, right).alias(left),
                pl.max_horizontal(left, right).alias(right),
            )
    return frame


def _of_rank(names: Sequence[str], rank: pl.Expr) -> pl.Expr:
    """The value of a rank; null for a row that has none at all."""
    found = pl.lit(None, dtype=pl.Float64)
    for place, name in enumerate(names):
        found = pl.when((rank == place) & (pl.col("count") > place)).then(name).otherwise(found)
    return found


def smallest_change(changes: Sequence[pl.Series]) -> pl.Series:
    """Row by row the change nearest to 0 where all go the same way, else 0; null where one is."""
    frame = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(changes)])
    every = pl.all_horizontal
    return frame.select(
        pl.when(pl.any_horizontal(pl.all().is_null()))
        .then(None)
        .when(every(pl.all() > 0))
        .then(pl.min_horizontal(pl.all()))
        .when(every(pl.all() < 0))
        .then(pl.max_horizontal(pl.all()))
        .otherwise(0.0)
    ).to_series()


def _quantile(values: pl.Series, share: float) -> float:
    found = values.quantile(share, "linear")
    if found is None:
        raise ValueError("there are no values")
    return float(found)
