"""Candle lengths and the UTC grid they stand on."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000
MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
HOUR_MS = MINUTES_PER_HOUR * MINUTE_MS
DAY_MS = MINUTES_PER_DAY * MINUTE_MS
_FIRST_MONDAY_MS = 4 * DAY_MS
_MINUTES_BY_UNIT = {
    "m": 1,
    "h": MINUTES_PER_HOUR,
    "d": MINUTES_PER_DAY,
    "w": MINUTES_PER_WEEK,
}


@dataclass(frozen=True, order=True, slots=True)
class Timeframe:
    """The length of a candle in whole minutes, from 1 minute to 1 day, or a week.

    Candles stand on a grid that starts at the Unix epoch: an open time is a multiple of
    `duration_ms`. Weeks start on Mondays.

    Raises:
        ValueError: if the length is neither from 1 to 1440 minutes nor a week.
    """

    minutes: int

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= MINUTES_PER_DAY and self.minutes != MINUTES_PER_WEEK:
            raise ValueError(
                f"a timeframe has 1 to {MINUTES_PER_DAY} minutes, or a week, not {self.minutes}"
            )

    @classmethod
    def parse(cls, text: str) -> Timeframe:
        """The timeframe that `1m`, `90m`, `4h`, `1d` or `1w` names.

        Raises:
            ValueError: if the text names none.
        """
        if len(text) < 2 or text[-1] not in _MINUTES_BY_UNIT or not text[:-1].isdecimal():
            raise ValueError(f"'{text}' is not a timeframe such as 1m, 5m, 4h, 1d or 1w")
        return cls(int(text[:-1]) * _MINUTES_BY_UNIT[text[-1]])

    @property
    def duration_ms(self) -> int:
        return self.minutes * MINUTE_MS

    @property
    def offset_ms(self) -> int:
        """The first point of the grid that is not before the Unix epoch."""
        return _FIRST_MONDAY_MS if self.minutes == MINUTES_PER_WEEK else 0

    def floor_ms(self, time_ms: int) -> int:
        """The latest point of the grid at or before `time_ms`."""
        return time_ms - (time_ms - self.offset_ms) % self.duration_ms

    def ceil_ms(self, time_ms: int) -> int:
        """The earliest point of the grid at or after `time_ms`."""
        return time_ms + (self.offset_ms - time_ms) % self.duration_ms

    def divides(self, coarser: Timeframe) -> bool:
        """Whether whole candles of this timeframe make up every candle of a longer one."""
        return (
            self.minutes < coarser.minutes
            and coarser.duration_ms % self.duration_ms == 0
            and coarser.offset_ms % self.duration_ms == 0
        )

    def closed_end_ms(self, now_ms: int, settle_seconds: float) -> int:
        """The end of the newest candle that rule T1 believes at `now_ms`: a point of the grid."""
        return self.floor_ms(now_ms - round(settle_seconds * 1000))

    def __str__(self) -> str:
        if self.minutes == MINUTES_PER_WEEK:
            return "1w"
        if self.minutes % MINUTES_PER_DAY == 0:
            return f"{self.minutes // MINUTES_PER_DAY}d"
        if self.minutes % MINUTES_PER_HOUR == 0:
            return f"{self.minutes // MINUTES_PER_HOUR}h"
        return f"{self.minutes}m"
