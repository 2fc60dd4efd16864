"""Statistics that a few wrong values do not move, and runs of rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


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


def largest_at_ends(values: pl.Series, start: int, end: int) -> float:
    """The largest value in the rows on both sides of where a range of rows begins and ends."""
    near = [*values[max(start - 1, 0) : start + 1], *values[end - 1 : end + 1]]
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
    )
    count = pl.col("ranked").list.len().cast(pl.Int64)
    low = pl.col("ranked").list.get((count - 1) // 2, null_on_oob=True)
    high = pl.col("ranked").list.get(count // 2, null_on_oob=True)
    return (
        frame.select("own", pl.concat_list(names).list.drop_nulls().list.sort().alias("ranked"))
        .select(
            pl.when(count == 0)
            .then(None)
            .when((pl.col("own") - low).abs() <= (high - pl.col("own")).abs())
            .then(low)
            .otherwise(high)
        )
        .to_series()
    )


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
