"""Keeps the merged series in step with the exchanges' candles (rules M2 to M10)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from candle_ingestor.ingest.ledger import Ledger, lengths_of
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.merge.rules import MergeRules
from candle_ingestor.merge.weighting import merge_candles
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least

log = logging.getLogger(__name__)

CANDLES_PER_PIECE = 20_000


@dataclass
class MergeCounts:
    """What merging did to one symbol."""

    candles: int = 0
    disagreements: int = 0
    excluded: Counter[str] = field(default_factory=Counter)


def mergeable(ledger: Ledger, ticker: Ticker, minimum: int) -> IntervalSet:
    """The minutes that at least the minimum of the ticker's exchanges cover (rule M2)."""
    return covered_at_least((ledger.record(s).covered for s in ticker.merge_sources), minimum)


def adopt_rules(ledger: Ledger, ticker: Ticker, rules: MergeRules, refetch_ms: int) -> list[str]:
    """Makes `rules` those of the ticker's merged series (rule M10).

    Where other rules made it so far, its coverage is left as it is but for the newest candles,
    which are to be merged again.

    Returns:
        What differs, in words; empty for the same rules and for a new series.
    """
    record = ledger.record(ticker.merged)
    if record.merge_rules is None:
        ledger.update(ticker.merged, replace(record, merge_rules=rules.to_json()))
        return []
    differences = MergeRules.from_json(record.merge_rules).differences(rules)
    if differences:
        former = record.covered
        if former:
            former = former - IntervalSet.of(former.end_ms - refetch_ms, former.end_ms)
        ledger.update(
            ticker.merged,
            replace(
                record,
                covered=former,
                merge_rules=rules.to_json(),
                former_rules=former,
                unexported=record.unexported | (record.covered - former),
            ),
        )
    return differences


def unmerged_pieces(
    ledger: Ledger, ticker: Ticker, minimum: int, awaited: IntervalSet = EMPTY
) -> list[Interval]:
    """What can be merged and is not yet, but for the minutes still `awaited`, cut to pieces."""
    fresh = mergeable(ledger, ticker, minimum) - ledger.record(ticker.merged).covered - awaited
    return _pieces(fresh, ticker)


def merge_again(ledger: Ledger, ticker: Ticker, rules: MergeRules, counts: MergeCounts) -> None:
    """Recomputes the whole merged series from stored candles, without a request (rules M9, M10)."""
    whole = mergeable(ledger, ticker, rules.min_exchanges)
    unmerged = _span(ledger, ticker) - whole
    record = ledger.record(ticker.merged)
    lost = record.covered - whole
    if lost:
        ledger.update(
            ticker.merged,
            replace(record, covered=record.covered - lost, unexported=record.unexported | lost),
        )
    for piece in _pieces(unmerged, ticker):
        stale = ledger.store.read_candles(ticker.merged, piece)["open_time_ms"].to_list()
        if stale:
            ledger.store.delete_candles(ticker.merged, stale)
    for piece in _pieces(whole, ticker):
        merge_piece(ledger, ticker, rules, piece, counts)
    record = ledger.record(ticker.merged)
    ledger.update(ticker.merged, replace(record, merge_rules=rules.to_json(), former_rules=EMPTY))


def _span(ledger: Ledger, ticker: Ticker) -> IntervalSet:
    """From the first to the last thing known of the ticker."""
    known = ledger.record(ticker.merged).covered
    for source in ticker.merge_sources:
        known = known | ledger.record(source).covered
    return IntervalSet.of(known.start_ms, known.end_ms) if known else EMPTY


def _pieces(intervals: IntervalSet, ticker: Ticker) -> list[Interval]:
    longest_ms = CANDLES_PER_PIECE * ticker.merged.timeframe.duration_ms
    return [piece for interval in intervals for piece in interval.cut(longest_ms)]


def merge_piece(
    ledger: Ledger, ticker: Ticker, rules: MergeRules, piece: Interval, counts: MergeCounts
) -> None:
    """Merges a piece from the stored exchange candles, writes what changes, then its coverage."""
    store, series = ledger.store, ticker.merged
    span = IntervalSet((piece,))
    covered: Mapping[str, IntervalSet] = {
        s.exchange: ledger.record(s).covered & span for s in ticker.merge_sources
    }
    merged = merge_candles(
        {
            s.exchange: store.read_candles(s, piece)
            for s in ticker.merge_sources
            if covered[s.exchange]
        },
        covered,
        piece,
        series.timeframe,
        rules,
    )
    before = store.read_candles(series, piece)
    changed = merged.candles.join(before, on=before.columns, how="anti")
    vanished = before.join(merged.candles, on="open_time_ms", how="anti")["open_time_ms"].to_list()
    record = ledger.record(series)
    touched = (merged.covered - record.covered) | lengths_of(
        (*(changed["open_time_ms"].to_list() if before.height else ()), *vanished),
        series.timeframe.duration_ms,
    )
    if before.height and touched - record.unexported:
        # Before the candles, so that a crash after them does not leave the export behind.
        record = replace(record, unexported=record.unexported | touched)
        ledger.update(series, record)
    if not changed.is_empty():
        store.write_candles(series, changed)
    if vanished:
        store.delete_candles(series, vanished)
    ledger.update(
        series,
        replace(
            record,
            covered=record.covered | merged.covered,
            unexported=record.unexported | touched,
        ),
    )
    counts.candles += changed.height
    counts.disagreements += merged.disagreements
    counts.excluded.update(merged.excluded)
