"""Which gap is but the time since the last run, which the next one fetches. Pure."""

from __future__ import annotations

from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.timeframe import HOUR_MS

_FRESH_CANDLES = 2


def is_fresh(gap: Gap, closed_end_ms: int, length_ms: int) -> bool:
    """Whether the gap was not fetched yet, ends at the present, and is short.

    Short is an hour, or two candle lengths where these are longer. `closed_end_ms` is where the
    newest closed candle ends, `length_ms` the candle length.
    """
    return (
        gap.reason is GapReason.NOT_FETCHED
        and gap.interval.end_ms == closed_end_ms
        and gap.interval.duration_ms <= max(HOUR_MS, _FRESH_CANDLES * length_ms)
    )
