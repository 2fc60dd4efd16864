"""What a series' record says at a glance. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series_record import Precision, SeriesRecord
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe


@dataclass(frozen=True)
class Standing:
    """What a series' record says at a glance.

    Attributes:
        first_ms, last_ms: open times of the first and the last candle length that is covered; None
            where nothing is.
        minutes_behind: from the end of what is covered to the end of what is wanted.
        price_digits, volume_digits: of the last export, else the market's own; None before.
    """

    first_ms: int | None
    last_ms: int | None
    minutes_behind: int | None
    price_digits: int | None
    volume_digits: int | None


def standing_of(record: SeriesRecord, timeframe: Timeframe, wanted: Interval) -> Standing:
    """How a series stands of which so much is wanted."""
    covered = record.covered
    precision = record.precision or Precision()
    own_digits = precision.price_digits, precision.volume_digits
    price_digits, volume_digits = record.exports.digits or own_digits
    if not covered:
        return Standing(None, None, None, price_digits, volume_digits)
    return Standing(
        covered.start_ms,
        covered.end_ms - timeframe.duration_ms,
        max(wanted.end_ms - covered.end_ms, 0) // MINUTE_MS,
        price_digits,
        volume_digits,
    )
