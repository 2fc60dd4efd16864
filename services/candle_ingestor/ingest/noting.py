"""Notes what a run leaves open: what it asked for in vain, and why that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from candle_ingestor.ingest.plan import Window, wanted_interval
from candle_ingestor.ingest.preparing import RunTicker
from candle_ingestor.ingest.report import ExchangeTrouble, RunReport
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gap_notes import Attempt
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import shortened
from candle_ingestor.settle.noting import note_gaps, wanted_gaps

_LONGEST_ERROR = 200


def note_open_gaps(
    ledger: Ledger,
    tickers: Iterable[RunTicker],
    works: Mapping[Series, SeriesWork],
    report: RunReport,
    settle_seconds: float,
) -> None:
    """Notes in the records of the tickers' series what the run leaves open, as one write.

    A ticker of which no exchange could be asked has no work; the attempt is noted all the same. Of
    a series that is not stored nothing is noted.
    """
    gaps: dict[Series, list[Gap]] = {}
    attempts: dict[Series, list[Attempt]] = {}
    for each in tickers:
        ticker = each.ticker
        new = [series for series in (*ticker.sources, ticker.merged) if series not in gaps]
        gaps |= wanted_gaps(ledger, new, report.started_ms, settle_seconds)
        for source in ticker.sources:
            work = works.get(source)
            attempts[source] = (
                _unasked(ledger, source, each.window, report)
                if work is None
                else _attempts(gaps[source], work, report.troubles.get(source.exchange))
            )
        attempts[ticker.merged] = _merged_attempts(ticker.sources, attempts)
    note_gaps(ledger, gaps, report.started_ms, attempts)


def _attempts(
    gaps: Sequence[Gap], work: SeriesWork, trouble: ExchangeTrouble | None
) -> list[Attempt]:
    asked = _intervals(gaps) & (work.plan.to_fetch - work.remaining)
    told: list[tuple[IntervalSet, str | None]] = [
        (intervals, words) for words, intervals in work.errors.items()
    ]
    told.append((_intervals(gaps, GapReason.REJECTED), work.report.counts.last_rejection))
    if trouble is not None:
        told.append((_intervals(gaps, GapReason.FETCH_FAILED), trouble.error))
    told.append((asked, None))
    return [
        Attempt(part, None if words is None else shortened(words, _LONGEST_ERROR))
        for intervals, words in told
        if (part := asked & intervals)
    ]


def _unasked(ledger: Ledger, series: Series, window: Window, report: RunReport) -> list[Attempt]:
    """What the run wanted of a series whose exchange could not even say what it lists."""
    error = report.unavailable_exchanges.get(series.exchange)
    if error is None:
        return []
    record = ledger.record(series)
    wanted = record.fillable(IntervalSet((wanted_interval(window, record, series.timeframe),)))
    return [Attempt(wanted, shortened(error, _LONGEST_ERROR))]


def _merged_attempts(
    sources: Iterable[Series], attempts: Mapping[Series, Sequence[Attempt]]
) -> list[Attempt]:
    """What the sources were asked for in vain, first what tells why."""
    found = [
        Attempt(each.intervals, each.error and f"{source.exchange}: {each.error}")
        for source in sources
        for each in attempts[source]
    ]
    return sorted(found, key=lambda attempt: attempt.error is None)


def _intervals(gaps: Iterable[Gap], reason: GapReason | None = None) -> IntervalSet:
    return IntervalSet(gap.interval for gap in gaps if reason in (None, gap.reason))
