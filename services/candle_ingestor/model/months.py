"""Calendar months in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from candle_ingestor.model.intervals import Interval, IntervalSet

_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


class Month(NamedTuple):
    """A calendar month in UTC, written as in `2023-03`; ordered by time."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """The month that `2023-03` names.

        Raises:
            ValueError: if the text names none.
        """
        match = _TEXT.fullmatch(text)
        if match is None or match[1] == "0000":
            raise ValueError(f"'{text}' is not a month such as 2023-03")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, time_ms: int) -> Month:
        """The month that a time in UTC ms lies in."""
        time = datetime.fromtimestamp(time_ms // 1000, UTC)
        return cls(time.year, time.month)

    @property
    def start_ms(self) -> int:
        return _start_ms(self.year, self.month)

    @property
    def interval(self) -> Interval:
        """From its first midnight to that of the next month."""
        return Interval(self.start_ms, self.following().start_ms)

    def touches(self, span: Interval) -> bool:
        """Whether it has a point in the span."""
        return self.start_ms < span.end_ms and span.start_ms < self.following().start_ms

    def following(self) -> Month:
        """The next month."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@lru_cache(maxsize=1024)
def _start_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


def months_of(intervals: IntervalSet) -> list[Month]:
    """Every month that has a point in the intervals, ascending."""
    months: list[Month] = []
    for start_ms, end_ms in intervals:
        month = Month.of(start_ms)
        if months and month == months[-1]:
            month = month.following()
        while month.start_ms < end_ms:
            months.append(month)
            month = month.following()
    return months
