"""Accounts for every minute of a ticker: there, known to have had no trade, or a gap."""

from __future__ import annotations

from collections.abc import Mapping

from candle_ingestor.ingest.fetching import SeriesWork
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.plan import Window, wanted_interval
from candle_ingestor.ingest.report import TickerReport
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.gaps import GapReason, explain
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series

_REASONS_BY_WEIGHT = (
    GapReason.FETCH_FAILED,
    GapReason.REJECTED,
    GapReason.NOT_FETCHED,
    GapReason.BEYOND_REACH,
    GapReason.NOT_LISTED_YET,
)


def account_for(
    ticker: Ticker,
    ledger: Ledger,
    works: Mapping[Series, SeriesWork],
    window: Window,
    report: TickerReport,
) -> None:
    """Puts the gaps of the ticker and of each of its exchanges into its report."""
    for source, part in zip(ticker.sources, report.sources, strict=True):
        record = ledger.record(source)
        wanted = IntervalSet((_wanted_of(works[source], ledger),))
        part.gaps = explain(wanted - record.covered, record.reasons)
    record = ledger.record(ticker.merged)
    wanted_all = wanted_interval(window, record, ticker.merged.timeframe)
    if window.start_ms is None:
        # The merged series begins where the first of its exchanges does.
        start_ms = min(_wanted_of(works[source], ledger).start_ms for source in ticker.sources)
        wanted_all = Interval(start_ms, max(window.end_ms, start_ms))
    missing = IntervalSet((wanted_all,)) - record.covered
    report.gaps = explain(missing, merged_reasons(ticker, ledger, missing))
    length_ms = ticker.merged.timeframe.duration_ms
    report.wanted_candles = wanted_all.duration_ms // length_ms
    report.covered_candles = report.wanted_candles - missing.duration_ms // length_ms


def _wanted_of(work: SeriesWork, ledger: Ledger) -> Interval:
    if work.plan is not None:
        return work.plan.wanted
    return wanted_interval(work.window, ledger.record(work.series), work.series.timeframe)


def merged_reasons(
    ticker: Ticker, ledger: Ledger, missing: IntervalSet
) -> dict[GapReason, IntervalSet]:
    """Why minutes are not merged.

    Where some exchange covers a minute, too few do: `below_minimum`. Where none does, the
    exchanges' own reason counts, the one that can be mended first.
    """
    some = EMPTY
    by_reason: dict[GapReason, IntervalSet] = {}
    for source in ticker.merge_sources:
        record = ledger.record(source)
        some = some | record.covered
        unexplained = missing - record.covered
        for reason, intervals in record.reasons.items():
            by_reason[reason] = by_reason.get(reason, EMPTY) | (intervals & missing)
            unexplained = unexplained - intervals
        not_fetched = by_reason.get(GapReason.NOT_FETCHED, EMPTY)
        by_reason[GapReason.NOT_FETCHED] = not_fetched | unexplained
    reasons = {GapReason.BELOW_MINIMUM: some & missing}
    reasons |= {r: by_reason[r] for r in _REASONS_BY_WEIGHT if by_reason.get(r)}
    return reasons
