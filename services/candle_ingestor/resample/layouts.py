"""Finer candles by the coarser candle length that each opens in."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from candle_ingestor.model.timeframe import Timeframe

_OPEN_TIME = pl.col("open_time_ms")


class Layout(Protocol):
    """Finer candles in lengths of a coarser timeframe; only lengths with a candle are there."""

    def put_together(self) -> pl.DataFrame:
        """`open_time_ms`, `open`, `high`, `low` and `close` of each length, ascending."""

    def sums(self, values: pl.Series) -> pl.Series:
        """The float sum in each length of values, one a finer candle."""

    def lengths(self) -> pl.Series:
        """The open time of the length, for each finer candle."""


def layout_of(candles: pl.DataFrame, finer: Timeframe, coarser: Timeframe) -> Layout:
    """The layout of candles that are not empty and ascend, columns those of an exchange's.

    Where every finer candle of every length is there, none need be looked up.
    """
    ratio, odd = divmod(coarser.duration_ms, finer.duration_ms)
    first_ms, last_ms = candles["open_time_ms"][0], candles["open_time_ms"][-1]
    is_dense = (
        not odd
        and coarser.floor_ms(first_ms) == first_ms
        and candles.height % ratio == 0
        and (candles.height - 1) * finer.duration_ms == last_ms - first_ms
    )
    return _Dense(candles, ratio) if is_dense else _Sparse(candles, coarser)


class _Dense:
    def __init__(self, candles: pl.DataFrame, ratio: int) -> None:
        self._candles = candles
        self._ratio = ratio

    def put_together(self) -> pl.DataFrame:
        ratio = self._ratio
        return self._candles.select(
            _OPEN_TIME.gather_every(ratio),
            pl.col("open").gather_every(ratio),
            pl.col("high").reshape((-1, ratio)).arr.max(),
            pl.col("low").reshape((-1, ratio)).arr.min(),
            pl.col("close").gather_every(ratio, ratio - 1),
        )

    def sums(self, values: pl.Series) -> pl.Series:
        return values.reshape((-1, self._ratio)).arr.sum()

    def lengths(self) -> pl.Series:
        places = pl.int_range(self._candles.height, eager=True) // self._ratio * self._ratio
        return self._candles["open_time_ms"].gather(places)


class _Sparse:
    def __init__(self, candles: pl.DataFrame, coarser: Timeframe) -> None:
        into = (_OPEN_TIME - coarser.offset_ms) % coarser.duration_ms
        self._candles = candles
        self._lengths = candles.select(_OPEN_TIME - into).to_series().set_sorted()

    def put_together(self) -> pl.DataFrame:
        return (
            self._candles.with_columns(self._lengths)
            .group_by("open_time_ms", maintain_order=True)
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
            )
        )

    def sums(self, values: pl.Series) -> pl.Series:
        summed = (
            pl.DataFrame({"length": self._lengths, "value": values})
            .group_by("length", maintain_order=True)
            .agg(pl.col("value").sum())
        )
        return summed["value"]

    def lengths(self) -> pl.Series:
        return self._lengths
