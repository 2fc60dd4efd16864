"""What the name of an archive file, or the user, says of its content. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from candle_ingestor.archives.layout import Layout
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import minute_text


@dataclass(frozen=True)
class Described:
    """What a file of candles holds.

    Attributes:
        series: whose candles.
        layout: how its rows are written.
        span: what the file covers, if its name states that; otherwise it covers the time from its
            first row to the end of its last one.
        is_told: whether the user says all of it, and no name confirms it.
    """

    series: Series
    layout: Layout
    span: Interval | None = None
    is_told: bool = False

    @property
    def read_as(self) -> str:
        """Its columns and its span: whoever takes either for another finds other candles in it."""
        if self.span is None:
            return str(self.layout)
        start, end = (minute_text(time_ms) for time_ms in self.span)
        return f"{self.layout} of {start} to {end}"
