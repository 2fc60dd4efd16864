"""Flat candles for time without trade."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_loader.gap import Gap, standing


def with_idle_filled(
    frame: pl.DataFrame, length_ms: int, end_ms: int, gaps: Sequence[Gap]
) -> pl.DataFrame:
    """The candles, and flat ones at the last close with volume 0 where there was no trade.

    None before the first candle, none in a gap, and after a gap none before its first candle:
    what was the last close then is not known.

    Args:
        frame: candles in the loader's columns, ascending.
        length_ms: the length of a candle.
        end_ms: where the filling ends.
        gaps: ascending.
    """
    if frame.is_empty():
        return frame
    first_ms, names = frame["timestamp_ms"][0], frame.columns
    last_end_ms = max(end_ms - length_ms, frame["timestamp_ms"][-1]) + 1
    times = pl.int_range(first_ms, last_end_ms, length_ms, dtype=pl.Int64, eager=True)
    known = standing(times, length_ms, gaps)
    grid = pl.DataFrame(
        {"timestamp_ms": times, "is_known": known.is_known, "stretch": known.stretch}
    )
    is_idle = pl.col("volume").is_null()
    last_close = pl.col("close").forward_fill().over("stretch")
    return (
        grid.join(frame, on="timestamp_ms", how="left", maintain_order="left")
        .with_columns(last_close)
        .filter(~is_idle | (pl.col("is_known") & pl.col("close").is_not_null()))
        .with_columns(
            pl.col("open", "high", "low").fill_null(pl.col("close")),
            pl.col("volume").fill_null(0),
        )
        .select(names)
        .rechunk()
    )
