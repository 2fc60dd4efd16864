"""Candles of a head and its sources side by side, and made coarser. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS

SPREAD = "spread_bp"
_BASIS_POINTS = 10_000


def close_of(position: int) -> str:
    """The column of the closes of the source at `position`."""
    return f"close.{position}"


def bar_columns(sources: int) -> list[str]:
    """The columns of a table of bars, in their order."""
    return ["open_time_ms", *VALUE_COLUMNS, SPREAD, *map(close_of, range(sources))]


def side_by_side(head: pl.DataFrame, sources: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """A row wherever the head or a source has a candle, ascending; null where one has none.

    The columns are those of `bar_columns`. The spread is from the lowest of the sources' closes to
    the highest, in hundredths of a percent of the lowest; null where fewer than two have one.
    """
    times = pl.concat([head["open_time_ms"], *(each["open_time_ms"] for each in sources)])
    table = times.unique().sort().to_frame()
    table = table.join(head.select("open_time_ms", *VALUE_COLUMNS), on="open_time_ms", how="left")
    names = [close_of(i) for i in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        closes = source.select("open_time_ms", pl.col("close").alias(name))
        table = table.join(closes, on="open_time_ms", how="left")
    return table.sort("open_time_ms").with_columns(_spread(names)).select(bar_columns(len(names)))


def coarser(table: pl.DataFrame, length_ms: int) -> pl.DataFrame:
    """The same bars in a longer length: what opens in a bar makes it; the spread is the mean."""
    values = {"open": pl.col("open").drop_nulls().first(), "high": pl.col("high").max()}
    values |= {"low": pl.col("low").min(), "close": pl.col("close").drop_nulls().last()}
    values |= {"volume": pl.col("volume").sum(), SPREAD: pl.col(SPREAD).mean()}
    closes = [name for name in table.columns if name.startswith("close.")]
    values |= {name: pl.col(name).drop_nulls().last() for name in closes}
    opens = pl.col("open_time_ms") // length_ms * length_ms
    return (
        table.group_by(opens, maintain_order=True)
        .agg(**values)
        .with_columns(pl.when(pl.col("close").is_not_null()).then(pl.col("volume")).alias("volume"))
        .select(table.columns)
    )


def _spread(names: Sequence[str]) -> pl.Expr:
    if len(names) < 2:
        return pl.lit(None, dtype=pl.Float64).alias(SPREAD)
    lowest, highest = pl.min_horizontal(names), pl.max_horizontal(names)
    present = pl.sum_horizontal(pl.col(name).is_not_null() for name in names)
    spread = (highest / lowest - 1) * _BASIS_POINTS
    return pl.when(present >= 2).then(spread).alias(SPREAD)
