"""Finer candles by the coarser candle length that each opens in."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from candle_ingestor.model.timeframe import Timeframe

_FEW_COLUMNS = 12
_OPEN_TIME = pl.col("open_time_ms")


class Layout(Protocol):
    """Finer candles in lengths of a coarser timeframe; only lengths with a candle are there.

    Attributes:
        most: how many candles a length has at most.
    """

    most: int

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
    return _Dense(candles, ratio) if is_dense else _Sparse(candles, coarser, ratio + 1)


class _Dense:
    def __init__(self, candles: pl.DataFrame, ratio: int) -> None:
        self.most = ratio
        self._candles = candles

    def put_together(self) -> pl.DataFrame:
        ratio = self.most
        return self._candles.select(
            _OPEN_TIME.gather_every(ratio),
            pl.col("open").gather_every(ratio),
            self._extreme("high", is_highest=True),
            self._extreme("low", is_highest=False),
            pl.col("close").gather_every(ratio, ratio - 1),
        )

    def sums(self, values: pl.Series) -> pl.Series:
        return values.reshape((-1, self.most)).arr.sum()

    def _extreme(self, name: str, *, is_highest: bool) -> pl.Expr:
        ratio, value = self.most, pl.col(name)
        if ratio > _FEW_COLUMNS:
            rows = value.reshape((-1, ratio)).arr
            return rows.max() if is_highest else rows.min()
        # Side by side, few columns are compared in half the time that short rows take.
        columns = [value.gather_every(ratio, place) for place in range(ratio)]
        extreme = pl.max_horizontal(columns) if is_highest else pl.min_horizontal(columns)
        return extreme.alias(name)

    def lengths(self) -> pl.Series:
        places = pl.int_range(self._candles.height, eager=True) // self.most * self.most
        return self._candles["open_time_ms"].gather(places)


class _Sparse:
    def __init__(self, candles: pl.DataFrame, coarser: Timeframe, most: int) -> None:
        self.most = most
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
