"""What loading returns."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from candle_loader.manifest import Gap, SeriesInfo

COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Candles:
    """The candles of a series that open in `[start_ms, end_ms)`.

    Attributes:
        series: what they are candles of, and their scale.
        frame: columns `timestamp_ms` (open time, UTC ms), `open`, `high`, `low`, `close`, `volume`,
            all Int64, ascending by time, no duplicate, no null.
        start_ms, end_ms: the range that was loaded, half-open, UTC ms.
        gaps: the parts of the range that nothing is known of, ascending. Elsewhere a missing
            candle means that there was no trade.
    """

    series: SeriesInfo
    frame: pl.DataFrame
    start_ms: int
    end_ms: int
    gaps: tuple[Gap, ...]

    @property
    def price_decimal_digits(self) -> int:
        """A price is an integer of the frame / 10 ** these digits."""
        return self.series.price_decimal_digits

    @property
    def volume_decimal_digits(self) -> int:
        """A volume is an integer of the frame / 10 ** these digits."""
        return self.series.volume_decimal_digits

    @property
    def is_complete(self) -> bool:
        """Whether every minute of the range is accounted for."""
        return not self.gaps
