"""Coarser candles from finer ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from candle_loader.errors import LoaderError
from candle_loader.gap import Gap, standing
from candle_loader.times import grid_offset_ms, timeframe_text

_LARGEST = 2**63 - 1


def resampled(
    frame: pl.DataFrame, length_ms: int, coarse_ms: int, gaps: Sequence[Gap], end_ms: int
) -> pl.DataFrame:
    """First open, highest high, lowest low, last close and summed volume of each coarse candle.

    There is one only where no gap touches its span, and something was traded in it.

    Args:
        frame: candles in the loader's columns, ascending, none before the first whole span.
        length_ms: their length, of which `coarse_ms` is a multiple.
        gaps: ascending.
        end_ms: where the last whole span ends.

    Raises:
        LoaderError: if a coarse candle's volume does not fit an int64.
    """
    offset_ms = grid_offset_ms(coarse_ms)
    opens = pl.col("timestamp_ms")
    coarse_opens = opens - (opens - offset_ms) % coarse_ms
    try:
        coarse = (
            frame.filter(opens < end_ms)
            .with_columns(coarse_opens.set_sorted())
            .group_by("timestamp_ms", maintain_order=True)
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                _sum(frame["volume"], coarse_ms // length_ms),
            )
        )
    except pl.exceptions.InvalidOperationError as error:
        raise LoaderError(
            f"a volume of {timeframe_text(coarse_ms)} does not fit an int64 with the digits of the "
            "series; choose a shorter timeframe, or export with fewer volume digits"
        ) from error
    known = standing(coarse["timestamp_ms"], coarse_ms, gaps).is_known
    return coarse.filter(known).rechunk()


def _sum(volumes: pl.Series, most_candles: int) -> pl.Expr:
    """The summed volume; in wider integers only where an int64 might not do."""
    extremes: list[Any] = [volumes.max(), volumes.min()]
    largest = max(abs(volume or 0) for volume in extremes)
    if largest * most_candles <= _LARGEST:
        return pl.col("volume").sum()
    return pl.col("volume").cast(pl.Int128).sum().cast(pl.Int64)
