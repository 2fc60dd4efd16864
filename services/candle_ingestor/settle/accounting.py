"""Accounts for every minute of a symbol: there, known to have had no trade, or a gap."""

from __future__ import annotations

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason, Reasons, explain, joined
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Merging, SeriesRecord
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.settle.unmerged import unmerged

GONE_AFTER_MS = 30 * DAY_MS
"""A halted market looks delisted, and comes back."""

_LEAST_HOPEFUL_FIRST = (
    GapReason.NOT_LISTED_YET,
    GapReason.BEYOND_REACH,
    GapReason.BELOW_MINIMUM,
    GapReason.REJECTED,
    GapReason.FETCH_FAILED,
    GapReason.NOT_FETCHED,
)


def account_for(ledger: Ledger, ticker: Ticker, wanted: Interval, outcome: TickerOutcome) -> None:
    """Puts what is known of the merged series, and the gaps in what is wanted, into its outcome."""
    length_ms = ticker.merged.timeframe.duration_ms
    missing = IntervalSet((wanted,)) - ledger.record(ticker.merged).covered
    outcome.gaps = merged_gaps(ledger, ticker, missing)
    outcome.wanted_candles = wanted.duration_ms // length_ms
    outcome.covered_candles = outcome.wanted_candles - missing.duration_ms // length_ms


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
    """Every wanted and uncovered interval of any series with its reason, ascending."""
    record = ledger.record(series)
    missing = IntervalSet((wanted,)) - record.covered
    if record.merging is not None:
        return merged_gaps(ledger, Ticker(series, record.merging.basis), missing)
    if record.derivation is not None:
        return explain(missing, reasons_of(ledger, series, missing))
    return source_gaps(ledger, series, wanted)


def reasons_of(ledger: Ledger, series: Series, missing: IntervalSet) -> Reasons:
    """Why candle lengths of any series are not covered, where that is known.

    Those of a derived series lack what its source lacks in their time. What can come least decides.
    """
    record = ledger.record(series)
    if record.merging is not None:
        return merged_reasons(ledger, Ticker(series, record.merging.basis), missing)
    if record.derivation is None:
        return record.coverage.reasons
    source = record.derivation.source
    lacking = on_grid(missing, series.timeframe) - ledger.record(source).covered
    below = reasons_of(ledger, source, lacking)
    reasons: dict[GapReason, IntervalSet] = {}
    for reason in _LEAST_HOPEFUL_FIRST:
        found = on_grid(below.get(reason, EMPTY) & lacking, series.timeframe) & missing
        reasons[reason] = found
        missing = missing - found
    return {reason: intervals for reason, intervals in reasons.items() if intervals}


def source_gaps(ledger: Ledger, source: Series, wanted: Interval) -> list[Gap]:
    """What is wanted of an exchange's series and not covered."""
    coverage = ledger.record(source).coverage
    return explain(IntervalSet((wanted,)) - coverage.covered, coverage.reasons)


def merged_reasons(
    ledger: Ledger, ticker: Ticker, missing: IntervalSet
) -> dict[GapReason, IntervalSet]:
    """Why minutes are not merged; the intervals of the reasons are disjoint."""
    by_reason: dict[GapReason, list[Interval]] = {}
    for interval, reason in merged_gaps(ledger, ticker, missing):
        by_reason.setdefault(reason, []).append(interval)
    return {reason: IntervalSet(intervals) for reason, intervals in by_reason.items()}


def merged_gaps(ledger: Ledger, ticker: Ticker, missing: IntervalSet) -> list[Gap]:
    """Every point of `missing` as the fewest gaps of the merged series, ascending.

    Each has the reason that `unmerged` tells by the basis that makes its minutes.
    """
    merging = ledger.record(ticker.merged).merging or Merging(ticker.basis)
    found: list[Gap] = []
    for basis, part in merging.parts(missing):
        records = [ledger.record(source) for source in basis.sources]
        found += unmerged(records, basis.rules.min_exchanges, part)
    return joined(sorted(found)) if merging.former else found


def unsettled(ledger: Ledger, series: Series, span: IntervalSet, now_ms: int) -> IntervalSet:
    """The minutes of `span` that keep a month from being complete (rule E3).

    They are provisional, in the series or in what it is made from in the end, or are gaps of a
    source that a later run could fill. A market that was delisted long ago keeps nothing open.
    """
    record = ledger.record(series)
    open_minutes = record.provisional & span
    if record.derivation is not None:
        source = record.derivation.source
        within = on_grid(span, series.timeframe)
        open_below = unsettled(ledger, source, within, now_ms)
        if not ledger.record(source).sources:
            open_below = open_below | ledger.record(source).fillable(within)
        return open_minutes | (on_grid(open_below, series.timeframe) & span)
    merging: Merging | None = record.merging
    if merging is None:
        return open_minutes
    for basis, part in merging.parts(span):
        for source in basis.sources:
            below = ledger.record(source)
            if not _is_gone(below, now_ms):
                open_minutes = open_minutes | (below.provisional & part)
                open_minutes = open_minutes | below.fillable(part)
    return open_minutes


def _is_gone(record: SeriesRecord, now_ms: int) -> bool:
    if not record.listing.is_delisted or not record.covered:
        return record.listing.is_delisted
    return now_ms - record.covered.end_ms > GONE_AFTER_MS
