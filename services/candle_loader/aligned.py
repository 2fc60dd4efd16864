"""Candles of several symbols on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import polars as pl

from candle_loader.candles import COLUMNS, Candles
from candle_loader.errors import LoaderError
from candle_loader.gap import standing
from candle_loader.times import ceil_to_grid, timeframe_ms


class State(IntEnum):
    """What is known of a symbol at an open time."""

    CANDLE = 0
    NO_TRADE = 1
    GAP = 2


@dataclass(frozen=True)
class AlignedCandles:
    """Candles of several symbols, of one timeframe, that open in `[start_ms, end_ms)`.

    Attributes:
        by_symbol: each symbol's candles, with their own scale and gaps; symbols as in `BTC/USD`,
            in the order asked for.
        start_ms, end_ms: the range that was loaded, half-open, UTC ms.
    """

    by_symbol: Mapping[str, Candles]
    start_ms: int
    end_ms: int

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.by_symbol)

    def __getitem__(self, symbol: str) -> Candles:
        return self.by_symbol[symbol]

    @cached_property
    def timestamps_ms(self) -> pl.Series:
        """Every open time of the range, UTC ms, Int64: the rows of all tables here."""
        first_ms = ceil_to_grid(self.start_ms, self._length_ms)
        times = pl.int_range(first_ms, self.end_ms, self._length_ms, dtype=pl.Int64, eager=True)
        return times.alias("timestamp_ms")

    def values(self, column: str) -> pl.DataFrame:
        """A column of the candles, such as `close`: an Int64 column a symbol, a row a time.

        Where there is no candle it is null; `states` tells why. Symbols may differ in scale.

        Raises:
            LoaderError: if candles have no such column.
        """
        if column not in COLUMNS[1:]:
            raise LoaderError(f"candles have no column {column!r}; choose of {COLUMNS[1:]}")
        return pl.DataFrame(
            [self._on_grid(candles.frame, column, name) for name, candles in self.by_symbol.items()]
        )

    @cached_property
    def states(self) -> pl.DataFrame:
        """Of every symbol at every time a `State`: 0 a candle, 1 no trade, 2 a gap. UInt8."""
        return pl.DataFrame(
            [self._states_of(candles, name) for name, candles in self.by_symbol.items()]
        )

    @property
    def _length_ms(self) -> int:
        return timeframe_ms(next(iter(self.by_symbol.values())).series.timeframe)

    def _on_grid(self, frame: pl.DataFrame, column: str, name: str) -> pl.Series:
        grid = self.timestamps_ms.to_frame()
        joined = grid.join(frame, on="timestamp_ms", how="left", maintain_order="left")
        return joined[column].rechunk().alias(name)

    def _states_of(self, candles: Candles, name: str) -> pl.Series:
        known = standing(self.timestamps_ms, self._length_ms, candles.gaps).is_known
        has_candle = self._on_grid(candles.frame, "close", name).is_not_null()
        state = (
            pl.when(has_candle)
            .then(State.CANDLE.value)
            .when(known)
            .then(State.NO_TRADE.value)
            .otherwise(State.GAP.value)
        )
        return pl.select(state.cast(pl.UInt8).alias(name)).to_series()
