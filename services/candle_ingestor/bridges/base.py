"""What a tool's writer is given, and what it must have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series

SCALED_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class ScaledSeries:
    """A series whose prices and volumes are integers, scaled by so many digits (rule E2)."""

    series: Series
    price_digits: int
    volume_digits: int

    def digits_of(self, column: str) -> int:
        """The digits that a column of `SCALED_COLUMNS` is scaled by."""
        return self.volume_digits if column == "volume" else self.price_digits


class MonthOfCandles(NamedTuple):
    """The candles of one month.

    Attributes:
        month: which one.
        span: the candles that may open in it, as the interval they take.
        candles: `open_time_ms` and `SCALED_COLUMNS`, Int64, ascending, unique; empty where the
            month had no trade.
    """

    month: Month
    span: Interval
    candles: pl.DataFrame


class Bridge(Protocol):
    """Writes series as one tool reads them."""

    def require(self, scaled: ScaledSeries) -> None:
        """Proves that the tool has a place for such a series, before anything is written.

        Raises:
            BridgeError: if not.
        """

    def write(
        self, root: Path, scaled: ScaledSeries, months: Iterable[MonthOfCandles]
    ) -> list[Path]:
        """Makes the series' files below `root` tell these months, which ascend.

        Each file is replaced whole or not at all, and one that is right already is not touched.
        One month is in memory at a time.

        Returns:
            The files that were written or removed.

        Raises:
            BridgeError: if a file cannot be written. Those before it are then right, and every
                other one is what it was.
        """
