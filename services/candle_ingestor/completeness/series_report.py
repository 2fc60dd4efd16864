"""How complete one series is, by month, and what to do about each of its gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.completeness.figures import Figures, sum_of
from candle_ingestor.completeness.freshness import is_fresh
from candle_ingestor.completeness.remedies import USUAL_PLACE, Place, Remedies, Remedy
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.settle.accounting import gaps_of


@dataclass(frozen=True)
class ReportedGap:
    """One gap, and what fills it.

    Attributes:
        candles: how many candle lengths it has.
        is_fresh: whether it is but the time since the last run, which the next one fetches.
    """

    gap: Gap
    candles: int
    remedy: Remedy
    is_fresh: bool


@dataclass(frozen=True)
class MonthReport:
    """The figures of one month of a series."""

    month: Month
    figures: Figures


@dataclass(frozen=True)
class SeriesReport:
    """How complete one series is.

    Attributes:
        tier: of its symbol; of what serves in place of a symbol that symbol's; None where no list
            named one.
        months: every month of which something is wanted, ascending.
        gaps: every gap, ascending.
    """

    series: Series
    tier: int | str | None
    figures: Figures
    months: tuple[MonthReport, ...]
    gaps: tuple[ReportedGap, ...]

    @property
    def name(self) -> str:
        return self.series.title


def report_series(
    ledger: Ledger,
    series: Series,
    wanted: Interval,
    candles: Mapping[Month, int],
    closed_end_ms: int,
    place: Place = USUAL_PLACE,
) -> SeriesReport:
    """How complete a series is.

    Args:
        wanted: what the last run wanted of it.
        candles: how many candles it has there, by month; what is too many counts as none.
        closed_end_ms: where its newest closed candle ends.
        place: what the commands of remedies say of the store.
    """
    remedies = Remedies(ledger, series, place)
    record = ledger.record(series)
    length_ms = series.timeframe.duration_ms
    gaps = tuple(
        ReportedGap(
            gap,
            gap.interval.duration_ms // length_ms,
            remedies.of(gap),
            is_fresh(gap, closed_end_ms, length_ms),
        )
        for gap in gaps_of(ledger, series, wanted)
    )
    open_by_month = _candles_by_month(gaps, length_ms)
    months = []
    for month in months_of(IntervalSet((wanted,))):
        part = IntervalSet((wanted,)) & IntervalSet((month.interval,))
        known = part & record.covered
        covered = known.duration_ms // length_ms
        figures = Figures(
            wanted=part.duration_ms // length_ms,
            covered=covered,
            candles=min(candles.get(month, 0), covered),
            gaps=open_by_month.get(month, {}),
        )
        months.append(MonthReport(month, figures))
    total = sum_of(month.figures for month in months)
    return SeriesReport(series, _tier_of(ledger, series), total, tuple(months), gaps)


def _tier_of(ledger: Ledger, series: Series) -> int | str | None:
    for each in (series, *sorted(ledger.dependents(series))):
        tier = ledger.record(each).tier
        if tier is not None:
            return tier
    return None


def _candles_by_month(
    gaps: Sequence[ReportedGap], length_ms: int
) -> dict[Month, dict[GapReason, int]]:
    found: dict[Month, dict[GapReason, int]] = {}
    for reported in gaps:
        reason = reported.gap.reason
        for month, duration_ms in _by_month(reported.gap):
            totals = found.setdefault(month, {})
            totals[reason] = totals.get(reason, 0) + duration_ms // length_ms
    return found


def _by_month(gap: Gap) -> Iterator[tuple[Month, int]]:
    start_ms, end_ms = gap.interval
    month = Month.of(start_ms)
    while start_ms < end_ms:
        until_ms = min(month.interval.end_ms, end_ms)
        yield month, until_ms - start_ms
        start_ms, month = until_ms, month.following()
