"""Stores filled without a run, for what is measured over a store."""

from __future__ import annotations

import polars as pl
from simulated import DAY_MS, MINUTE_MS

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, Store

EXCHANGES = ("binanceus", "bitstamp", "coinbaseexchange", "kraken")
START_MS = 1_672_531_200_000  # 2023-01-01
END_MS = START_MS + 365 * DAY_MS
"""The year that is measured over."""

ROWS_PER_WRITE = 200_000


def some_symbols(count: int) -> list[str]:
    return [f"C{number:02}/USD" for number in range(count)]


def minutes_of(exchange: str, symbol: str = "BTC/USD") -> Series:
    return Series(exchange, Symbol.parse(symbol), Timeframe(1))


def candles_of(start_ms: int, end_ms: int, seed: int = 0) -> pl.DataFrame:
    """A candle a minute, at prices of two decimals that hardly differ by the seed.

    One minute in a hundred, another one for each seed, has none.
    """
    times = pl.int_range(start_ms, end_ms, MINUTE_MS, eager=True, dtype=pl.Int64)
    common = _shares(times, 0)
    own = _shares(times, seed + 1)
    opens = 20_000 + common * 5_000 + own * 10
    frame = pl.DataFrame(
        {
            "open_time_ms": times,
            "open": opens.round(2),
            "high": (opens + 3.25).round(2),
            "low": (opens - 2.5).round(2),
            "close": (opens + 0.75).round(2),
            "volume": (_shares(times, seed + 100) * 10).round(8),
        },
        schema=EXCHANGE_CANDLES,
    )
    return frame.filter(_shares(times, seed + 200) >= 0.01)


def fill(store: Store, series: Series, start_ms: int, end_ms: int, seed: int = 0) -> None:
    """Stores candles of all that time as covered."""
    step_ms = ROWS_PER_WRITE * MINUTE_MS
    for piece_ms in range(start_ms, end_ms, step_ms):
        piece_end_ms = min(piece_ms + step_ms, end_ms)
        record = SeriesRecord(Coverage(IntervalSet.of(start_ms, piece_end_ms)))
        store.replace([SeriesChange(series, record, candles_of(piece_ms, piece_end_ms, seed))])


def _shares(times: pl.Series, seed: int) -> pl.Series:
    """Numbers in [0, 1), by time and seed."""
    return (times.hash(seed) % 1_000_003).cast(pl.Float64) / 1_000_003


def walking_candles(span: Interval, market: int, seed: int) -> pl.DataFrame:
    """A candle a minute whose price walks as a market's does; the seed is of an exchange.

    Exchanges differ by a few hundredths of a percent. One minute in fifty has no candle.
    """
    times = pl.int_range(span.start_ms, span.end_ms, MINUTE_MS, eager=True, dtype=pl.Int64)
    steps = (_shares(times, 1_000 + market) + _shares(times, 2_000 + market) - 1) * 0.0012
    # Every month begins at the same price, so that it can be made alone.
    close = 20_000 / 3**market * steps.cum_sum().exp() * (1 + (_shares(times, seed) - 0.5) * 0.0004)
    open_ = close.shift(1).fill_null(close[0]) * (1 + (_shares(times, seed + 10) - 0.5) * 0.0002)
    frame = pl.DataFrame({"open_time_ms": times, "open": open_, "close": close})
    digits = 2 + market // 2
    reach = _shares(times, seed + 20) * 0.0005
    return (
        frame.with_columns(
            high=pl.max_horizontal("open", "close") * (1 + reach),
            low=pl.min_horizontal("open", "close") * (1 - reach.reverse()),
            volume=(_shares(times, seed + 100) ** 4 * 40 * 3**market).round(8),
        )
        .with_columns(pl.col("open", "high", "low", "close").round(digits))
        .select(EXCHANGE_CANDLES.keys())
        .filter(_shares(times, seed + 200) >= 0.02)
    )
