"""What a merged series is made by, and what becomes of its past when that changes (rule M10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from candle_ingestor.model.intervals import EMPTY, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord


def adopted(
    record: SeriesRecord, basis: MergeBasis, record_of: Callable[[Series], SeriesRecord]
) -> tuple[SeriesRecord, list[str]]:
    """The record of a merged series that goes on with `basis`, and what differs, in words.

    Other rules leave what is covered as it was made, but for provisional minutes that they can make
    themselves. A source that was not there before is no other rule: the minutes that it covers are
    to be merged again. What is not covered any more and cannot be made again by earlier rules, as
    after a prune of their exchanges, is left to `basis`. `record_of` has what is known of a series.
    """
    if record.merging is None:
        return replace(record, merging=Merging(basis)).withdrawn(record.covered), []
    former = _still_to_come(record, basis, record_of)
    record = replace(record, merging=replace(record.merging, former=former))
    assert record.merging is not None
    differences = _differences(record.merging.basis, basis, record_of)
    if differences:
        unfinished = _unfinished(basis, record_of) & record.covered
        merging = record.merging.adopting(basis, record.covered - unfinished)
        return replace(record, merging=merging).withdrawn(unfinished), differences
    if basis == record.merging.basis:
        return record, []
    stale = EMPTY
    for source in set(basis.sources) - set(record.merging.basis.sources):
        stale = stale | record_of(source).covered
    stale = (stale & record.covered) - record.merging.formerly_made
    return replace(record, merging=replace(record.merging, basis=basis)).withdrawn(stale), []


def _still_to_come(
    record: SeriesRecord, basis: MergeBasis, record_of: Callable[[Series], SeriesRecord]
) -> tuple[tuple[MergeBasis, IntervalSet], ...]:
    """The earlier bases with what they made that is there, or that they may yet make again."""
    assert record.merging is not None
    kept = []
    for former, made in record.merging.former:
        lost = made - record.covered
        if lost:
            may_come = (_may_cover(source, lost, basis, record_of) for source in former.sources)
            lost = lost - covered_at_least(may_come, former.rules.min_exchanges)
        if made - lost:
            kept.append((former, made - lost))
    return tuple(kept)


def _may_cover(
    source: Series,
    span: IntervalSet,
    basis: MergeBasis,
    record_of: Callable[[Series], SeriesRecord],
) -> IntervalSet:
    record = record_of(source)
    covered = record.covered & span
    # Only what is still merged is still asked for.
    return covered | record.fillable(span) if source in basis.sources else covered


def _unfinished(basis: MergeBasis, record_of: Callable[[Series], SeriesRecord]) -> IntervalSet:
    records = [record_of(source) for source in basis.sources]
    provisional = EMPTY
    for record in records:
        provisional = provisional | record.provisional
    enough = covered_at_least((record.covered for record in records), basis.rules.min_exchanges)
    return provisional & enough


def _differences(
    old: MergeBasis, new: MergeBasis, record_of: Callable[[Series], SeriesRecord]
) -> list[str]:
    differences = old.rules.differences(new.rules)
    before = {source.exchange: source for source in old.sources}
    for source in new.sources:
        former = before.get(source.exchange, source)
        if former != source and record_of(former).covered:
            differences.append(f"{source.exchange}: {former.symbol} -> {source.symbol}")
    return differences
