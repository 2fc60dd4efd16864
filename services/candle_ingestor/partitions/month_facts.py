"""What is to be said of months besides their rows: gaps, completeness, how far they are known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from candle_ingestor.model.gaps import Gap, Reasons, explain
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.manifest import Manifest, MonthEntry


@dataclass(frozen=True)
class MonthFacts:
    """What coverage says of one month.

    Attributes:
        span: the candles that open in the month, as the interval they take.
        complete: whether the month is over, covered whole, and nothing in it unsettled (rule E3).
        known_until_ms: up to where the month is accounted for, half-open.
        gaps: its wanted time outside coverage, ascending.
        partial: the time of candles that are made of a part of it, ascending.
    """

    span: Interval
    complete: bool
    known_until_ms: int
    gaps: tuple[Gap, ...]
    partial: tuple[Interval, ...] = ()

    def rows_hold_until_ms(self, entry: MonthEntry, first_changed_ms: int | None) -> int:
        """Up to where the rows of the month's file are still right; at least the span's start.

        Args:
            entry: what the manifest says of the file.
            first_changed_ms: open time of the first minute that changed since; None if any may
                have.
        """
        if first_changed_ms is None or entry.known_until_ms is None:
            return self.span.start_ms
        until_ms = min(first_changed_ms, entry.known_until_ms)
        # Gaps that differ there mean that coverage changed without word.
        is_trusted = _missing(entry.gaps, until_ms) == _missing(self.gaps, until_ms)
        return max(until_ms, self.span.start_ms) if is_trusted else self.span.start_ms


def facts_of(
    months: Iterable[Month],
    series: Series,
    coverage: IntervalSet,
    reasons: Reasons,
    closed_end_ms: int,
    unsettled: IntervalSet,
    partial: IntervalSet = EMPTY,
) -> dict[Month, MonthFacts]:
    """The facts of each of these months. Takes time linear in the intervals and the months."""
    ordered = sorted(months)
    spans = [_span(month, series) for month in ordered]
    closed = IntervalSet.of(0, closed_end_ms)
    gaps: list[list[Gap]] = [[] for _ in spans]
    for interval, reason in explain((IntervalSet(spans) & closed) - coverage, reasons):
        for index, piece in _cut(interval, spans):
            gaps[index].append(Gap(piece, reason))
    unsettled_indices = {index for interval in unsettled for index, _ in _cut(interval, spans)}
    return {
        month: MonthFacts(
            span=span,
            complete=span.end_ms <= closed_end_ms
            and not gaps[index]
            and index not in unsettled_indices,
            known_until_ms=max(month.start_ms, min(month.interval.end_ms, closed_end_ms)),
            gaps=tuple(gaps[index]),
            partial=(partial & IntervalSet((span,))).intervals,
        )
        for index, (month, span) in enumerate(zip(ordered, spans, strict=True))
    }


def tellable_months(
    manifest: Manifest, coverage: IntervalSet, closed_end_ms: int
) -> tuple[Month, ...]:
    """The months that a manifest is to tell of, ascending: begun, and with coverage or an entry."""
    covered = months_of(coverage & IntervalSet.of(0, closed_end_ms))
    told = (month for month in manifest.months if month.start_ms < closed_end_ms)
    return tuple(sorted({*covered, *told}))


def is_stale(entry: MonthEntry | None, facts: MonthFacts, *, restate: bool) -> bool:
    """Whether the manifest says other than the facts; a complete month stays so by itself."""
    if entry is None:
        return True
    if entry.complete and not restate:
        return entry.gaps != facts.gaps
    told = (entry.complete, entry.known_until_ms, entry.gaps)
    return told != (facts.complete, facts.known_until_ms, facts.gaps)


def _span(month: Month, series: Series) -> Interval:
    timeframe = series.timeframe
    whole = month.interval
    return Interval(timeframe.ceil_ms(whole.start_ms), timeframe.ceil_ms(whole.end_ms))


def _cut(interval: Interval, spans: list[Interval]) -> Iterator[tuple[int, Interval]]:
    index = bisect_right(spans, interval.start_ms, key=lambda span: span.end_ms)
    while index < len(spans) and spans[index].start_ms < interval.end_ms:
        span = spans[index]
        yield (
            index,
            Interval(max(interval.start_ms, span.start_ms), min(interval.end_ms, span.end_ms)),
        )
        index += 1


def _missing(gaps: tuple[Gap, ...], until_ms: int) -> IntervalSet:
    return IntervalSet(gap.interval for gap in gaps) & IntervalSet.of(0, until_ms)
