"""Keeps merged series in step with the exchanges' candles (rules M2 to M10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.merge.weighting import MergedCandles, merge_candles
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import (
    EMPTY,
    END_OF_TIME_MS,
    Interval,
    IntervalSet,
    covered_at_least,
)
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.settle.outcome import MergeCounts
from candle_ingestor.settle.ticker import Ticker

CANDLES_PER_PIECE = 40_000
_CANDLES_PER_WRITE = 5_000
_ALL_TIME = IntervalSet.of(0, END_OF_TIME_MS)


@dataclass(frozen=True)
class MergeTask:
    """Minutes of a merged series, and what makes them; `span` fits into one piece."""

    series: Series
    basis: MergeBasis
    span: IntervalSet
    counts: MergeCounts

    @property
    def candles(self) -> int:
        return self.span.duration_ms // self.series.timeframe.duration_ms


def mergeable(ledger: Ledger, basis: MergeBasis) -> IntervalSet:
    """The minutes that at least the minimum of the exchanges cover (rule M2)."""
    covered = (ledger.record(source).covered for source in basis.sources)
    return covered_at_least(covered, basis.rules.min_exchanges)


def made_by(
    ledger: Ledger, basis: MergeBasis, timeframe: Timeframe, span: IntervalSet
) -> MergedCandles:
    """What the stored candles of its sources are merged to by a basis, in a span (rule M9).

    Raises:
        StoreError: if the store cannot be read.
    """
    covered = {s.exchange: ledger.record(s).covered & span for s in basis.sources}
    candles = {s.exchange: ledger.candles_in(s, covered[s.exchange]) for s in basis.sources}
    hull = Interval(span.start_ms, span.end_ms)
    return merge_candles(candles, covered, hull, timeframe, basis.rules)


def pieces(timeframe: Timeframe, intervals: IntervalSet) -> Iterator[IntervalSet]:
    """The intervals in ascending parts, each of as much time as is merged at once."""
    longest_ms = CANDLES_PER_PIECE * timeframe.duration_ms
    rest = intervals
    while rest:
        window = IntervalSet.of(rest.start_ms, rest.start_ms + longest_ms)
        yield rest & window
        rest = rest - window


def unmerged(
    ledger: Ledger, ticker: Ticker, counts: MergeCounts, awaited: IntervalSet = EMPTY
) -> list[MergeTask]:
    """What can be merged and is not, but for the minutes still `awaited`."""
    record = ledger.record(ticker.merged)
    if record.merging is None:
        raise ValueError(f"{ticker.merged} has no basis yet")
    tasks: list[MergeTask] = []
    for basis, part in record.merging.parts(_ALL_TIME):
        missing = (mergeable(ledger, basis) & part) - record.covered - awaited
        tasks += _tasks(ticker, basis, missing, counts)
    return tasks


def everything(ledger: Ledger, ticker: Ticker, counts: MergeCounts) -> list[MergeTask]:
    """The whole time of which anything is known of the symbol, to be made by its basis."""
    return _tasks(ticker, ticker.basis, _known_span(ledger, ticker), counts)


def sweep(ledger: Ledger, ticker: Ticker, counts: MergeCounts) -> None:
    """Removes merged candles outside coverage: what a crash left, and no rule would make again.

    What is to be merged again stays until then, so that only what differs changes.
    """
    outside = _known_span(ledger, ticker) - ledger.record(ticker.merged).covered
    for task in unmerged(ledger, ticker, counts):
        outside = outside - task.span
    for task in _tasks(ticker, ticker.basis, outside, counts):
        nothing = no_candles(ticker.merged)
        (gone,) = ledger.replace([Replacement(ticker.merged, task.span, nothing, EMPTY)])
        counts.candles += gone.revised


def sweep_stale(ledger: Ledger, ticker: Ticker, counts: MergeCounts) -> None:
    """Removes merged candles whose sources changed, and which cannot be made again yet."""
    merging = ledger.record(ticker.merged).merging
    if merging is not None and merging.stale:
        nothing = no_candles(ticker.merged)
        (gone,) = ledger.replace([Replacement(ticker.merged, merging.stale, nothing, EMPTY)])
        counts.candles += gone.revised


def merge(ledger: Ledger, batch: Iterable[MergeTask]) -> None:
    """Merges the tasks from stored candles, in one write; what it cannot write is not counted."""
    tasks = list(batch)
    merged = [made_by(ledger, task.basis, task.series.timeframe, task.span) for task in tasks]
    kept = ledger.replace(map(_replacement, tasks, merged))
    for task, made, change in zip(tasks, merged, kept, strict=True):
        task.counts.note(made)
        task.counts.candles += change.new + change.revised
        for source in task.basis.sources:
            ledger.let_go(source, task.span)


def read_ahead(ledger: Ledger, tasks: Iterable[MergeTask]) -> None:
    """Tells the store what the tasks will be made from, when they are merged next."""
    ledger.read_ahead(
        (source, ledger.record(source).covered & task.span)
        for task in tasks
        for source in task.basis.sources
    )


def batches(tasks: Iterable[MergeTask]) -> Iterator[list[MergeTask]]:
    """The tasks in groups that are written together, in their order."""
    batch: list[MergeTask] = []
    candles = 0
    for task in tasks:
        if batch and candles + task.candles > _CANDLES_PER_WRITE:
            yield batch
            batch, candles = [], 0
        batch.append(task)
        candles += task.candles
    if batch:
        yield batch


def _replacement(task: MergeTask, merged: MergedCandles) -> Replacement:
    return Replacement(task.series, task.span, merged.candles, merged.covered, basis=task.basis)


def _tasks(
    ticker: Ticker, basis: MergeBasis, intervals: IntervalSet, counts: MergeCounts
) -> list[MergeTask]:
    found = pieces(ticker.merged.timeframe, intervals)
    return [MergeTask(ticker.merged, basis, piece, counts) for piece in found]


def _known_span(ledger: Ledger, ticker: Ticker) -> IntervalSet:
    record = ledger.record(ticker.merged)
    known = record.covered
    for source in (*ticker.sources, *record.sources):
        known = known | ledger.record(source).covered
    if record.merging is not None:
        known = known | record.merging.formerly_made
    return IntervalSet.of(known.start_ms, known.end_ms) if known else EMPTY
