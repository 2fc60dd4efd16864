"""Whether records have as many candles by month as are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.verify.findings import Check, Difference, Kind

Counts = Mapping[Series, Mapping[Month, int]]

_MOST_PIECES = 4
"""Of the known time of a month; of more of them candles are read, and not counted by the store."""


def miscounted(ledger: Ledger, all_series: Collection[Series], within: IntervalSet) -> Counts:
    """How many candles are stored of each month of which the record has another number.

    Months that a record does not know, and those that the store is dropping, are left out. So are
    series without such a month.

    Raises:
        StoreError: if the store cannot be read.
    """
    counted: dict[Series, dict[Month, int]] = {}
    asked: list[tuple[Series, Interval]] = []
    months: list[Month] = []
    for series in all_series:
        countable = ledger.record(series).countable
        for month in _known_months(ledger, series, within):
            span = countable & IntervalSet((month.interval,))
            found = counted.setdefault(series, {})
            found[month] = 0
            if len(span.intervals) > _MOST_PIECES:
                found[month] = ledger.candles_in(series, span).height
                continue
            asked += [(series, piece) for piece in span]
            months += [month] * len(span.intervals)
    for (series, _), month, candles in zip(
        asked, months, ledger.store.count_within(asked) if asked else (), strict=True
    ):
        counted[series][month] += candles
    wrong = {
        series: {m: n for m, n in by_month.items() if n != _told(ledger, series, m)}
        for series, by_month in counted.items()
    }
    return {series: by_month for series, by_month in wrong.items() if by_month}


def still_miscounted(before: Ledger, after: Ledger, counts: Counts) -> Counts:
    """Those of the counts whose series is in both ledgers the same.

    Args:
        before: read before the candles were counted.
        after: read after that.
    """
    return {
        series: by_month
        for series, by_month in counts.items()
        if before.record(series).counts == after.record(series).counts
        and before.record(series).countable == after.record(series).countable
    }


def count_differences(ledger: Ledger, counts: Counts) -> list[Difference]:
    """A difference for each of the months that were counted."""
    return [
        Difference(
            Check.COUNT,
            Kind.OTHER_COUNT,
            series,
            month.interval,
            month,
            stored={"candles": _told(ledger, series, month)},
            found={"candles": candles},
            words=f"{month} is said to have {_told(ledger, series, month):,} candles, and "
            f"{candles:,} are stored",
        )
        for series, by_month in counts.items()
        for month, candles in by_month.items()
    ]


def keep_counts(ledger: Ledger, counts: Counts) -> None:
    """Writes what was counted into the records.

    Raises:
        StoreError: if the store fails.
    """
    records = {series: ledger.record(series) for series in counts}
    ledger.update(
        {
            series: replace(record, counts=record.counts.with_counted(counts[series]))
            for series, record in records.items()
        }
    )


def _known_months(ledger: Ledger, series: Series, within: IntervalSet) -> list[Month]:
    record = ledger.record(series)
    first_kept_ms = ledger.store.keeps_from_ms or 0
    months = {*record.counts.by_month, *months_of(record.countable)} - record.counts.unknown
    return sorted(
        month
        for month in months
        if month.start_ms >= first_kept_ms and within & IntervalSet((month.interval,))
    )


def _told(ledger: Ledger, series: Series, month: Month) -> int:
    return ledger.record(series).counts.by_month.get(month, 0)
