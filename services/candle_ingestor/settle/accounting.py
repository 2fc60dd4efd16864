"""Accounts for every minute of a symbol: there, known to have had no trade, or a gap."""

from __future__ import annotations

from typing import NamedTuple, Self

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason, Reasons, explain
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker

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
    outcome.gaps = explain(missing, merged_reasons(ledger, ticker, missing))
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
    if not record.sources:
        return source_gaps(ledger, series, wanted)
    missing = IntervalSet((wanted,)) - record.covered
    if not missing:
        return []
    return explain(missing, reasons_of(ledger, series, missing))


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
    """Why minutes are not merged; the intervals of the reasons are disjoint.

    What the exchanges that cover a minute lack to the minimum decides. Others that were not asked
    yet may make it up: `not_fetched`, also where enough are there and the run ended before it
    merged them. So may others of which an answer failed, or else others of which a row was
    rejected: their reason. Where all that can come is too little it is `below_minimum`, but for
    time of which no exchange has anything: `not_listed_yet`, or `beyond_reach`.
    """
    merging = ledger.record(ticker.merged).merging or Merging(ticker.basis)
    reasons: dict[GapReason, IntervalSet] = {}
    for basis, part in merging.parts(missing):
        for reason, intervals in _basis_reasons(ledger, basis, part).items():
            reasons[reason] = reasons.get(reason, EMPTY) | intervals
    return {reason: intervals for reason, intervals in reasons.items() if intervals}


def _basis_reasons(
    ledger: Ledger, basis: MergeBasis, part: IntervalSet
) -> dict[GapReason, IntervalSet]:
    prospects = [_Prospects.of(ledger.record(source), part) for source in basis.sources]
    reasons: dict[GapReason, IntervalSet] = {}
    unexplained = part
    for reason, may_come in (
        (GapReason.NOT_FETCHED, [each.unless_failed for each in prospects]),
        (GapReason.FETCH_FAILED, [each.unless_rejected for each in prospects]),
        (GapReason.REJECTED, [each.at_best for each in prospects]),
    ):
        reasons[reason] = unexplained & covered_at_least(may_come, basis.rules.min_exchanges)
        unexplained = unexplained - reasons[reason]
    unlisted = [each.not_listed_yet for each in prospects]
    nowhere = [each.not_listed_yet | each.beyond_reach for each in prospects]
    for reason, final in ((GapReason.NOT_LISTED_YET, unlisted), (GapReason.BEYOND_REACH, nowhere)):
        reasons[reason] = unexplained & covered_at_least(final, max(len(final), 1))
        unexplained = unexplained - reasons[reason]
    reasons[GapReason.BELOW_MINIMUM] = unexplained
    return reasons


class _Prospects(NamedTuple):
    """What of a part a source covers or may yet cover, and what it never will."""

    unless_failed: IntervalSet
    unless_rejected: IntervalSet
    at_best: IntervalSet
    not_listed_yet: IntervalSet
    beyond_reach: IntervalSet

    @classmethod
    def of(cls, record: SeriesRecord, part: IntervalSet) -> Self:
        covered = record.covered & part
        found = {reason: span & part for reason, span in record.coverage.reasons.items()}
        failed = found.get(GapReason.FETCH_FAILED, EMPTY)
        rejected = found.get(GapReason.REJECTED, EMPTY)
        # Nothing more can be asked of a market that its exchange lists no longer.
        is_delisted = record.listing.is_delisted
        at_best = covered if is_delisted else covered | record.fillable(part)
        return cls(
            (at_best - failed - rejected) | covered,
            (at_best - rejected) | covered,
            at_best,
            found.get(GapReason.NOT_LISTED_YET, EMPTY),
            found.get(GapReason.BEYOND_REACH, EMPTY),
        )


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
