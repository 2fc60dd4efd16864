"""Candle lengths and the UTC grid they stand on."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000
MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1440
HOUR_MS = MINUTES_PER_HOUR * MINUTE_MS
DAY_MS = MINUTES_PER_DAY * MINUTE_MS


@dataclass(frozen=True, order=True, slots=True)
class Timeframe:
    """The length of a candle in whole minutes, from 1 minute to 1 day.

    Candles stand on a grid that starts at the Unix epoch: an open time is a multiple of
    `duration_ms`.

    Raises:
        ValueError: if the length is not from 1 to 1440 minutes.
    """

    minutes: int

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= MINUTES_PER_DAY:
            raise ValueError(f"a timeframe has 1 to {MINUTES_PER_DAY} minutes, not {self.minutes}")

    @classmethod
    def parse(cls, text: str) -> Timeframe:
        """The timeframe that `1m`, `90m`, `4h` or `1d` names.

        Raises:
            ValueError: if the text names none.
        """
        minutes_per_unit = {"m": 1, "h": MINUTES_PER_HOUR, "d": MINUTES_PER_DAY}
        if len(text) < 2 or text[-1] not in minutes_per_unit or not text[:-1].isdecimal():
            raise ValueError(f"'{text}' is not a timeframe such as 1m, 5m, 4h or 1d")
        return cls(int(text[:-1]) * minutes_per_unit[text[-1]])

    @property
    def duration_ms(self) -> int:
        return self.minutes * MINUTE_MS

    def floor_ms(self, time_ms: int) -> int:
        """The latest point of the grid at or before `time_ms`."""
        return time_ms - time_ms % self.duration_ms

    def ceil_ms(self, time_ms: int) -> int:
        """The earliest point of the grid at or after `time_ms`."""
        return -(-time_ms // self.duration_ms) * self.duration_ms

    def closed_end_ms(self, now_ms: int, settle_seconds: float) -> int:
        """The end of the newest candle that rule T1 believes at `now_ms`: a point of the grid."""
        return self.floor_ms(now_ms - round(settle_seconds * 1000))

    def __str__(self) -> str:
        if self.minutes % MINUTES_PER_DAY == 0:
            return f"{self.minutes // MINUTES_PER_DAY}d"
        if self.minutes % MINUTES_PER_HOUR == 0:
            return f"{self.minutes // MINUTES_PER_HOUR}h"
        return f"{self.minutes}m"
