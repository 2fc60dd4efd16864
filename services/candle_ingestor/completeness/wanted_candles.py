"""How many candles series have of what is wanted of them, by month.

Records have the counts of whole months. Parts of months are counted by the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series


def wanted_candles(
    ledger: Ledger, wanted: Mapping[Series, Interval]
) -> dict[Series, dict[Month, int]]:
    """The candles of each series within an interval, by month; months without one may lack.

    Where a job writes meanwhile there may be more of them than are covered.

    Raises:
        StoreError: if the store cannot be read.
    """
    found: dict[Series, dict[Month, int]] = {series: {} for series in wanted}
    months: list[Month] = []
    to_count: list[tuple[Series, Interval]] = []
    for series, span in wanted.items():
        covered = ledger.record(series).covered & IntervalSet((span,))
        for month, stored in ledger.counts(series).items():
            if not covered & IntervalSet((month.interval,)):
                continue
            parts = _to_count(ledger, series, span, month, stored)
            months += [month] * len(parts)
            to_count += [(series, part) for part in parts]
            found[series][month] = 0 if parts else stored
    counted = ledger.store.count_within(to_count) if to_count else []
    for (series, _), month, candles in zip(to_count, months, counted, strict=True):
        found[series][month] += candles
    return found


def known_candles(ledger: Ledger, all_series: Collection[Series]) -> dict[Series, dict[Month, int]]:
    """The candles of all that is covered of each series, by month; months without one may lack.

    Those that are true no longer, and are not merged again yet, are not among them.

    Raises:
        StoreError: if the store cannot be read.
    """
    covered = {series: ledger.record(series).covered for series in all_series}
    return wanted_candles(
        ledger,
        {
            series: Interval(known.start_ms, known.end_ms) if known else Interval(0, 0)
            for series, known in covered.items()
        },
    )


def _to_count(
    ledger: Ledger, series: Series, span: Interval, month: Month, stored: int
) -> tuple[Interval, ...]:
    """What is to be counted of a month; nothing where the count of the whole month tells.

    So it does where no more of it is covered than is wanted, and where every candle length that is
    covered has a candle.
    """
    record, whole = ledger.record(series), IntervalSet((month.interval,))
    covered = record.covered & whole
    # Outside of what is covered lie candles that are true no longer, and those that a run which
    # died had written before what is known of them.
    part = IntervalSet((span,)) & covered
    if record.stale & whole:
        return part.intervals
    has_every_candle = stored * series.timeframe.duration_ms >= covered.duration_ms
    return () if has_every_candle or not covered - part else part.intervals
