"""How far apart a file's candles stand: too far for the length that they are said to have. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import polars as pl

from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe

FEWEST_ROWS = 20
"""So many rows stand on a coarser grid than theirs by accident once in 500,000 files."""


@dataclass
class Spacing:
    """Tells a file of longer candles than it is said to be of.

    The time between its candles would pass for time without a trade.

    Attributes:
        timeframe: what they are said to be.
        is_doubted: whether that is looked at: not where the file's name states it.
        candle_lengths: what divides the distances between all candles so far; 0 before the second.
    """

    timeframe: Timeframe
    is_doubted: bool
    first_ms: int | None = None
    rows: int = 0
    candle_lengths: int = 0

    def see(self, candles: pl.DataFrame) -> None:
        """Takes in the next candles of the file."""
        if not self.is_doubted or candles.is_empty() or self.candle_lengths == 1:
            return
        times = candles["open_time_ms"]
        if self.first_ms is None:
            self.first_ms = times[0]
        distances = (times - self.first_ms) // self.timeframe.duration_ms
        self.rows += len(distances)
        self.candle_lengths = gcd(self.candle_lengths, *distances.to_list())

    def require_plausible(self) -> None:
        """Raises ArchiveError if the candles must be longer ones."""
        if self.candle_lengths <= 1 or self.rows < FEWEST_ROWS:
            return
        minutes = self.candle_lengths * self.timeframe.minutes
        apart = str(Timeframe(minutes)) if minutes <= MINUTES_PER_DAY else f"{minutes:,} minutes"
        raise ArchiveError(
            f"all of its rows stand {apart} apart, or a multiple of that, so that they are hardly "
            f"candles of --archive_timeframe={self.timeframe}"
        )
