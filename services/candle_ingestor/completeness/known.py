"""What is wanted of each stored series and not covered, told by the records alone."""

from __future__ import annotations

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason, explain
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.settle.accounting import merged_reasons
from candle_ingestor.settle.ticker import Ticker


def wanted_of(record: SeriesRecord, closed_end_ms: int) -> Interval:
    """What the last run wanted of a series, up to the newest closed candle.

    A series that no run wanted, such as an imported one, is wanted where it is covered.
    """
    if record.wanted is not None:
        return record.wanted.interval(closed_end_ms)
    if not record.covered:
        return Interval(closed_end_ms, closed_end_ms)
    return Interval(record.covered.start_ms, record.covered.end_ms)


def gaps_of(ledger: Ledger, series: Series, wanted: Interval) -> list[Gap]:
    """Every wanted and uncovered interval with its reason, ascending."""
    record = ledger.record(series)
    missing = IntervalSet((wanted,)) - record.covered
    if not missing:
        return []
    if record.merging is None:
        return explain(missing, record.coverage.reasons)
    return explain(missing, merged_reasons(ledger, Ticker(series, record.merging.basis), missing))


def candles_by_reason(gaps: list[Gap], series: Series) -> dict[GapReason, int]:
    """How many candle lengths each reason leaves open."""
    totals: dict[GapReason, int] = {}
    for interval, reason in gaps:
        candles = interval.duration_ms // series.timeframe.duration_ms
        totals[reason] = totals.get(reason, 0) + candles
    return totals
