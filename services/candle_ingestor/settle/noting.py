"""Notes in the records what is left open and what was filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gap_notes import Attempt
from candle_ingestor.model.gaps import Gap
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.settle.accounting import gaps_of, wanted_of

Attempts = Mapping[Series, Sequence[Attempt]]


def note_gaps(
    ledger: Ledger,
    found: Mapping[Series, Sequence[Gap]],
    started_ms: int,
    attempts: Attempts | None = None,
) -> None:
    """Notes the gaps that a run leaves in these series, as one write; what is as before is not.

    Args:
        found: all gaps in what is wanted of each series.
        started_ms: when the run started.
        attempts: what it asked for in vain.
    """
    tried = attempts or {}
    ledger.update(
        {
            series: _noted(ledger, series, gaps, started_ms, tried.get(series, ()))
            for series, gaps in found.items()
        }
    )


def wanted_gaps(
    ledger: Ledger, all_series: Iterable[Series], now_ms: int, settle_seconds: float
) -> dict[Series, list[Gap]]:
    """The gaps in what the last run wanted of each of the series, up to the present."""
    return {
        series: gaps_of(
            ledger,
            series,
            wanted_of(
                ledger.record(series), series.timeframe.closed_end_ms(now_ms, settle_seconds)
            ),
        )
        for series in all_series
    }


def _noted(
    ledger: Ledger,
    series: Series,
    gaps: Sequence[Gap],
    started_ms: int,
    attempts: Sequence[Attempt],
) -> SeriesRecord:
    record = ledger.record(series)
    notes = record.gap_notes.after_run(gaps, record.covered, started_ms, attempts)
    return record if notes == record.gap_notes else replace(record, gap_notes=notes)
