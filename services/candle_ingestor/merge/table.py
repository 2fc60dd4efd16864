"""Candles of several exchanges side by side, a row a minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from candle_ingestor.model.candles import PRICE_COLUMNS, VALUE_COLUMNS


def column(name: str, position: int) -> str:
    """The column of a side-by-side table that holds `name` of the exchange at `position`."""
    return f"{name}.{position}"


def columns(name: str, positions: Iterable[int]) -> list[pl.Expr]:
    """`name` of each exchange."""
    return [pl.col(column(name, position)) for position in positions]


def price_columns(positions: Sequence[int]) -> list[pl.Expr]:
    """Every price of every exchange."""
    return [expression for name in PRICE_COLUMNS for expression in columns(name, positions)]


def present(position: int) -> pl.Expr:
    """Whether the exchange at `position` has a candle."""
    return pl.col(column("open", position)).is_not_null()


def side_by_side(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The exchange candles of all frames by ascending open time, null where one has no candle.

    Columns: `open_time_ms`, then `open.0` to `volume.0` of the first frame, and so on.
    """
    times = [frame.select("open_time_ms") for frame in frames]
    table = pl.concat(times).unique().sort("open_time_ms")
    for position, frame in enumerate(frames):
        renamed = frame.select(
            "open_time_ms", *(pl.col(name).alias(column(name, position)) for name in VALUE_COLUMNS)
        )
        table = table.join(renamed, on="open_time_ms", how="left", maintain_order="left")
    return table
