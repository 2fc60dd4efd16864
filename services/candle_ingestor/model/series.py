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

    @property
    def fields(self) -> dict[str, str]:
        """What identifies it, as JSON and tables name it."""
        return {
            "exchange": self.exchange,
            "symbol": str(self.symbol),
            "timeframe": str(self.timeframe),
        }

    @property
    def title(self) -> str:
        """`BTC/USD 1m` of a merged series, `kraken BTC/USD 1m` of an exchange's."""
        return f"{self.symbol} {self.timeframe}" if self.is_merged else str(self)

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol} {self.timeframe}"
