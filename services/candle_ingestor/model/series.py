"""What identifies a stored sequence of candles."""

from __future__ import annotations

from dataclasses import dataclass

from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

AGGREGATED = "aggregated"
"""The exchange name of the merged series."""


@dataclass(frozen=True, order=True, slots=True)
class Series:
    """One exchange's, or the merged, candles of one symbol in one timeframe."""

    exchange: str
    symbol: Symbol
    timeframe: Timeframe

    @classmethod
    def merged(cls, symbol: Symbol, timeframe: Timeframe) -> Series:
        return cls(AGGREGATED, symbol, timeframe)

    @property
    def is_merged(self) -> bool:
        return self.exchange == AGGREGATED

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol} {self.timeframe}"
