"""What is wanted of each stored series and not covered, told by the records alone."""

from __future__ import annotations

from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.series import Series
from candle_ingestor.settle.accounting import gaps_of, wanted_of

__all__ = ["candles_by_reason", "gaps_of", "wanted_of"]


def candles_by_reason(gaps: list[Gap], series: Series) -> dict[GapReason, int]:
    """How many candle lengths each reason leaves open."""
    totals: dict[GapReason, int] = {}
    for interval, reason in gaps:
        candles = interval.duration_ms // series.timeframe.duration_ms
        totals[reason] = totals.get(reason, 0) + candles
    return totals
