"""Numbers made small enough for a page, in a form that a browser unpacks by itself. Pure.

A column is whole numbers from -2^31 on, below 2^31 - 1. Small ones of either sign become small ones
without (zigzag), and are written as four planes of bytes, the lowest first, of which gzip leaves
next to nothing where they are zero.
"""

from __future__ import annotations

import base64
import gzip
import sys
from array import array
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.page.bars import SPREAD, close_of
from candle_ingestor.page.content import Bars, DayFacts

_NULL = 0xFFFF_FFFF
OWN_PRICE_DIGITS = 7
COARSE_PRICE_DIGITS = 6
"""Digits of prices, before and after the point: of own candles, and of those made of them."""
VOLUME_DIGITS = 4
_LARGEST = 1 << 31
SPREAD_SCALE = 10
"""Spreads are written in tenths of a basis point."""


_DIGITS = bytes.maketrans(b"<>&", b",./")
"""Base 85 of Python's library has three characters that mean something in HTML."""


def packed(columns: Sequence[pl.Series]) -> str:
    """The columns one after the other as base 85 of gzip; null is a number of its own.

    Its digits are those of `base64.b85encode`, but for `,` `.` and `/` in place of `<` `>` and `&`.
    """
    content = b"".join(_planes(column) for column in columns)
    # Without the time of its making: the same candles make the same page.
    return base64.b85encode(gzip.compress(content, 9, mtime=0)).translate(_DIGITS).decode()


def bar_columns_packed(bars: Bars, digits: int, volume_digits: int) -> list[pl.Series]:
    """The columns of bars, each as what it differs from its neighbour by.

    In this order: steps from bar to bar in bars; close less the close before; open less the close
    before; high less the higher of open and close; the lower of the two less low; volume; spread;
    the close of each source less the close.
    """
    table = bars.table
    prices = [name for name in table.columns if name.startswith(("open", "high", "low", "close"))]
    table = table.with_columns(
        pl.col("open_time_ms") // bars.length_ms,
        *(_scaled(name, digits) for name in prices if name != "open_time_ms"),
        _scaled("volume", volume_digits),
        (pl.col(SPREAD) * SPREAD_SCALE).round().cast(pl.Int64),
    ).with_columns(reference=pl.col("close").forward_fill().fill_null(0))
    before = pl.col("reference").shift(1).fill_null(0)
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    sources = sum(name.startswith("close.") for name in table.columns)
    first = pl.col("open_time_ms").first()
    return table.select(
        (pl.col("open_time_ms") - pl.col("open_time_ms").shift(1).fill_null(first)).alias("step"),
        pl.col("close") - before,
        pl.col("open") - before,
        pl.col("high") - top,
        (bottom - pl.col("low")).alias("low"),
        "volume",
        SPREAD,
        *(pl.col(close_of(i)) - pl.col("reference") for i in range(sources)),
    ).get_columns()


def day_columns(facts: DayFacts) -> list[pl.Series]:
    """The columns of days: wanted, covered, candles."""
    return [
        pl.Series(each, dtype=pl.Int64) for each in (facts.wanted, facts.covered, facts.candles)
    ]


def shown_digits(highest: float | None, digits: int | None, in_all: int) -> int:
    """How many decimals of prices the page keeps, negative ones for round numbers.

    `highest` is the highest price, `in_all` how many digits it keeps. `digits` are the decimals of
    the series, of which there are no more; None where nothing says so.
    """
    if not highest or highest <= 0:
        return 0
    kept = in_all - (Decimal(repr(highest)).adjusted() + 1)
    return kept if digits is None else min(kept, digits)


def shown_volume_digits(largest: float | None) -> int:
    """How many decimals of volumes the page keeps, by the largest of them."""
    if not largest or largest <= 0:
        return 0
    return VOLUME_DIGITS - (Decimal(repr(largest)).adjusted() + 1)


def spans_json(spans: IntervalSet) -> list[list[int]]:
    """The spans in seconds, as charts count time."""
    return [[start_ms // 1000, end_ms // 1000] for start_ms, end_ms in spans]


def _scaled(name: str, digits: int) -> pl.Expr:
    return (pl.col(name) * 10.0**digits).round().cast(pl.Int64)


def _planes(column: pl.Series) -> bytes:
    limited = column.clip(-_LARGEST + 1, _LARGEST - 2)
    zigzag = pl.when(pl.col("n") < 0).then(-2 * pl.col("n") - 1).otherwise(2 * pl.col("n"))
    numbers = (
        limited.cast(pl.Int64).alias("n").to_frame().select(zigzag.fill_null(_NULL)).to_series()
    )
    words = array("I", numbers.to_list())
    if sys.byteorder == "big":
        words.byteswap()
    content = words.tobytes()
    return b"".join(content[plane::4] for plane in range(4))
