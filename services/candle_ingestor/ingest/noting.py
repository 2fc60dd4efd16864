"""Notes what a run leaves open: what it asked for in vain, and why that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from candle_ingestor.ingest.preparing import RunTicker
from candle_ingestor.ingest.report import RunReport
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
    """Notes in the records of the tickers' series what the run leaves open, as one write."""
    gaps: dict[Series, list[Gap]] = {}
    attempts: dict[Series, list[Attempt]] = {}
    for each in tickers:
        ticker = each.ticker
        new = [series for series in (*ticker.sources, ticker.merged) if series not in gaps]
        gaps |= wanted_gaps(ledger, new, report.started_ms, settle_seconds)
        for source in ticker.sources:
            attempts[source] = _attempts(source, gaps[source], works.get(source), report)
        attempts[ticker.merged] = _merged_attempts(ticker.sources, attempts)
    note_gaps(ledger, gaps, report.started_ms, attempts)


def _attempts(
    series: Series, gaps: Sequence[Gap], work: SeriesWork | None, report: RunReport
) -> list[Attempt]:
    missing = _intervals(gaps)
    told: list[tuple[IntervalSet, str | None]] = []
    if work is not None:
        missing = missing & (work.plan.to_fetch - work.remaining)
        trouble = report.troubles.get(series.exchange)
        told += [(intervals, words) for words, intervals in work.errors.items()]
        told.append((_intervals(gaps, GapReason.REJECTED), work.report.counts.last_rejection))
        if trouble is not None:
            told.append((_intervals(gaps, GapReason.FETCH_FAILED), trouble.error))
        told.append((missing, None))
    elif series.exchange in report.unavailable_exchanges:
        told.append((missing, report.unavailable_exchanges[series.exchange]))
    return [
        Attempt(part, None if words is None else shortened(words, _LONGEST_ERROR))
        for intervals, words in told
        if (part := missing & intervals)
    ]


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
