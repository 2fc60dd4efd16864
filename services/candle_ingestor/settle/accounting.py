"""Accounts for every minute of a symbol: there, known to have had no trade, or a gap."""

from __future__ import annotations

from collections.abc import Iterable

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason, explain
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Merging, SeriesRecord
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker

GONE_AFTER_MS = 30 * 86_400_000
"""A halted market looks delisted, and comes back."""

_REASONS_BY_WEIGHT = (
    GapReason.FETCH_FAILED,
    GapReason.REJECTED,
    GapReason.NOT_FETCHED,
    GapReason.BEYOND_REACH,
    GapReason.NOT_LISTED_YET,
)


def account_for(ledger: Ledger, ticker: Ticker, wanted: Interval, outcome: TickerOutcome) -> None:
    """Puts what is known of the merged series, and the gaps in what is wanted, into its outcome."""
    length_ms = ticker.merged.timeframe.duration_ms
    missing = IntervalSet((wanted,)) - ledger.record(ticker.merged).covered
    outcome.gaps = explain(missing, merged_reasons(ledger, ticker.sources, missing))
    outcome.wanted_candles = wanted.duration_ms // length_ms
    outcome.covered_candles = outcome.wanted_candles - missing.duration_ms // length_ms


def source_gaps(ledger: Ledger, source: Series, wanted: Interval) -> list[Gap]:
    """What is wanted of an exchange's series and not covered."""
    coverage = ledger.record(source).coverage
    return explain(IntervalSet((wanted,)) - coverage.covered, coverage.reasons)


def merged_reasons(
    ledger: Ledger, sources: Iterable[Series], missing: IntervalSet
) -> dict[GapReason, IntervalSet]:
    """Why minutes are not merged.

    Where some exchange covers a minute, too few do: `below_minimum`. Where none does, the
    exchanges' own reason counts, the one that can be mended first.
    """
    some = EMPTY
    by_reason: dict[GapReason, IntervalSet] = {}
    for source in sources:
        coverage = ledger.record(source).coverage
        some = some | coverage.covered
        unexplained = missing - coverage.covered
        for reason, intervals in coverage.reasons.items():
            by_reason[reason] = by_reason.get(reason, EMPTY) | (intervals & missing)
            unexplained = unexplained - intervals
        not_fetched = by_reason.get(GapReason.NOT_FETCHED, EMPTY)
        by_reason[GapReason.NOT_FETCHED] = not_fetched | unexplained
    reasons = {GapReason.BELOW_MINIMUM: some & missing}
    reasons |= {r: by_reason[r] for r in _REASONS_BY_WEIGHT if by_reason.get(r)}
    return reasons


def unsettled(ledger: Ledger, series: Series, span: IntervalSet, now_ms: int) -> IntervalSet:
    """The minutes of `span` that keep a month from being complete (rule E3).

    They are provisional, in the series or in what it is made from, or are gaps of a source that a
    later run could fill. A market that was delisted long ago keeps nothing open.
    """
    record = ledger.record(series)
    open_minutes = record.provisional & span
    merging: Merging | None = record.merging
    if merging is None:
        return open_minutes
    for basis, part in merging.parts(span):
        for source in basis.sources:
            below = ledger.record(source)
            if not _is_gone(below, now_ms):
                open_minutes = open_minutes | (below.provisional & part)
                open_minutes = open_minutes | below.coverage.fillable(part)
    return open_minutes


def _is_gone(record: SeriesRecord, now_ms: int) -> bool:
    if not record.listing.is_delisted or not record.covered:
        return record.listing.is_delisted
    return now_ms - record.covered.end_ms > GONE_AFTER_MS
