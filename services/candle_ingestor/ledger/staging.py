"""What becomes of each series when replacements are made, and of all that is made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from candle_ingestor.ledger.comparison import Difference, compare
from candle_ingestor.ledger.replacement import Kept, Replacement
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import months_of
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange

if TYPE_CHECKING:
    from candle_ingestor.ledger.ledger import Ledger


@dataclass
class _Pending:
    """What becomes of one series, replacement by replacement."""

    before: SeriesRecord
    record: SeriesRecord
    frames: list[pl.DataFrame] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    disturbed: IntervalSet = EMPTY


class Staged:
    """Collects replacements into one change a series."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pending: dict[Series, _Pending] = {}

    def take(self, replacement: Replacement) -> Kept:
        series, span = replacement.series, replacement.span
        pending = self._of(series)
        stored = self._stored(series, span, pending)
        difference = compare(replacement.candles, stored)
        if difference.candles is not None:
            pending.frames.append(difference.candles)
            if pending.deleted:
                pending.deleted.difference_update(difference.candles["open_time_ms"])
        if difference.deleted:
            pending.deleted.update(difference.deleted)
        self._ledger.hold(series, span, replacement.candles)

        record = pending.record
        known = record.covered & span
        disturbed = _touched(difference, known, series.timeframe) | (known - replacement.answered)
        pending.disturbed = pending.disturbed | disturbed
        changed = disturbed | (replacement.answered - known)
        coverage = record.coverage.replaced(
            span, replacement.answered, replacement.provisional, replacement.origin
        )
        if replacement.reasons:
            coverage = coverage.with_reasons(replacement.reasons)
        counts = record.counts.changed(
            candles_within(stored, record.countable & span), replacement.candles
        )
        record = replace(record.with_change(coverage, changed), counts=counts)
        if replacement.listing is not None:
            record = replace(record, listing=replacement.listing)
        if record.merging is not None:
            merging = record.merging.without_stale(span)
            if replacement.basis is not None:
                merging = merging.made(replacement.basis, span)
            record = replace(record, merging=merging)
        if record.derivation is not None:
            derivation = record.derivation.made(span, replacement.partial)
            record = replace(record, derivation=derivation)
        pending.record = record
        self._make_stale(series, changed)
        return Kept(difference.new, difference.revised)

    def changes(self) -> list[SeriesChange]:
        made = []
        for series in sorted(self._pending, key=self._generation):
            pending = self._pending[series]
            candles = None
            if pending.frames:
                candles = _last_words(pending.frames, pending.deleted)
            if candles is None and not pending.deleted and pending.record == pending.before:
                continue
            made.append(
                SeriesChange(
                    series,
                    pending.record,
                    candles,
                    tuple(sorted(pending.deleted)),
                    _cautious(pending, has_candles=candles is not None or bool(pending.deleted)),
                )
            )
        return made

    def _generation(self, series: Series) -> int:
        """How many steps it is made in: what a series is made from has fewer (rule C1)."""
        pending = self._pending.get(series)
        sources = (self._ledger.record(series) if pending is None else pending.record).sources
        return 1 + max((self._generation(source) for source in sources), default=-1)

    def _of(self, series: Series) -> _Pending:
        if series not in self._pending:
            record = self._ledger.record(series)
            self._pending[series] = _Pending(record, record)
        return self._pending[series]

    def _stored(self, series: Series, span: IntervalSet, pending: _Pending) -> pl.DataFrame:
        """What the store will hold in the span once the replacements before are written."""
        in_hand = self._ledger.in_hand(series, span)
        if in_hand is not None:
            return in_hand
        stored = self._ledger.candles_in(series, span)
        earlier = [within for f in pending.frames if (within := candles_within(f, span)).height]
        if not earlier and pending.deleted.isdisjoint(stored["open_time_ms"]):
            return stored
        made = _last_words([stored, *earlier], pending.deleted)
        return no_candles(series) if made is None else made.sort("open_time_ms")

    def _make_stale(self, series: Series, changed: IntervalSet) -> None:
        if not changed:
            return
        for dependent in self._ledger.dependents(series):
            pending = self._of(dependent)
            stale = on_grid(changed, dependent.timeframe) & pending.record.covered
            if stale:
                pending.record = pending.record.withdrawn(stale)
                pending.disturbed = pending.disturbed | stale
                self._make_stale(dependent, stale)


def _touched(difference: Difference, known: IntervalSet, timeframe: Timeframe) -> IntervalSet:
    """The candle lengths within `known` whose candle is another one, or one more or less."""
    times = list(difference.deleted)
    if difference.candles is not None:
        times += candles_within(difference.candles, known)["open_time_ms"].to_list()
    return IntervalSet((time, time + timeframe.duration_ms) for time in times) & known


def _cautious(pending: _Pending, *, has_candles: bool) -> SeriesRecord | None:
    """The former record without what is about to be disturbed, should it say anything else."""
    if not pending.disturbed:
        return None
    if not has_candles:
        return pending.record
    record = pending.before.withdrawn(pending.disturbed)
    return replace(record, counts=record.counts.without(months_of(pending.disturbed)))


def _last_words(frames: list[pl.DataFrame], deleted: set[int]) -> pl.DataFrame | None:
    """The candles of pages in their order, each as the last page shows it."""
    if len(frames) == 1 and not deleted:
        return frames[0]
    if not deleted and _are_disjoint(frames):
        return pl.concat(frames)
    joined = pl.concat(frames).unique("open_time_ms", keep="last", maintain_order=True)
    remaining = joined.filter(~pl.col("open_time_ms").is_in(list(deleted)))
    return None if remaining.is_empty() else remaining


def _are_disjoint(frames: list[pl.DataFrame]) -> bool:
    times = [frame["open_time_ms"] for frame in frames if not frame.is_empty()]
    spans = sorted((each[0], each[-1]) for each in times)
    return all(last < first for (_, last), (first, _) in pairwise(spans))
