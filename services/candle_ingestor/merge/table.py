"""Candles of several exchanges side by side, a row a minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS


def column(name: str, position: int) -> str:
    """The column of a side-by-side table that holds `name` of the exchange at `position`."""
    return f"{name}.{position}"


def columns(name: str, positions: Iterable[int]) -> list[pl.Expr]:
    """`name` of each exchange."""
    return [pl.col(column(name, position)) for position in positions]


def present(position: int) -> pl.Expr:
    """Whether the exchange at `position` has a candle."""
    return pl.col(column("open", position)).is_not_null()


def side_by_side(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The exchange candles of all frames by ascending open time, null where one has no candle.

    Columns: `open_time_ms`, then `open.0` to `volume.0` of the first frame, and so on.
    """
    open_times = [frame["open_time_ms"] for frame in frames]
    times = open_times[0]
    if not all(times.equals(others) for others in open_times[1:]):
        ascending = pl.concat(open_times).sort()
        times = ascending.filter(ascending.ne_missing(ascending.shift(1)))
    parts = [times.to_frame()]
    for position, frame in enumerate(frames):
        at_each = frame
        if frame.height < times.len():
            # Without tolerance only a row of the same time is met, null where there is none.
            at_each = parts[0].join_asof(frame, on="open_time_ms", tolerance=0)
        parts.append(
            at_each.select(pl.col(name).alias(column(name, position)) for name in VALUE_COLUMNS)
        )
    return pl.concat(parts, how="horizontal")
