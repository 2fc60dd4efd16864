"""The records of all series and their candles, changed in one way (rules C1 and C2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import polars as pl

from candle_ingestor.ledger.hand import CandlesInHand
from candle_ingestor.ledger.replacement import Kept, Replacement
from candle_ingestor.ledger.staging import Staged
from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.grid import on_grid
from candle_ingestor.model.intervals import END_OF_TIME_MS, Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.stores.base import SeriesChange, Store

_CANDLES_READ_AHEAD = 20_000
"""Time of which nothing is known is nearly always empty, and looked at once for many pages."""


_MOST_READS = 4
"""Of the pieces of a span; many are read at once, with what lies between them."""


class Ledger:
    """What is known of every series, changed in the store first and here after.

    What one series is made from is read from the records. Whatever changes is no longer covered in
    the series that are made from it, until they are made again. All calls belong on one thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records = {
            series: _without_doubtful_counts(record)
            for series, record in store.read_records().items()
        }
        self._dependents: dict[Series, set[Series]] = {}
        for series, record in self._records.items():
            self._note_sources(series, record)
        self._hand = CandlesInHand()

    @property
    def store(self) -> Store:
        return self._store

    @property
    def records(self) -> Mapping[Series, SeriesRecord]:
        """What is known of every series of which anything is known; it changes with the store."""
        return self._records

    def record(self, series: Series) -> SeriesRecord:
        """What is known of the series; of one never heard of, nothing."""
        return self._records.get(series, NOTHING_KNOWN)

    def take_newest(self, series: Collection[Series], since_ms: int) -> None:
        """Reads the candles from `since_ms` on into the hand, of all these series at once."""
        everything_since = IntervalSet.of(since_ms, END_OF_TIME_MS)
        for one, candles in self._store.read_newest(series, since_ms).items():
            self._hand.put(one, everything_since, candles)
        self._hand.shrink()

    def candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The stored candles that open in the interval, ascending."""
        in_hand = self._hand.candles(series, interval)
        return self._read(series, interval) if in_hand is None else in_hand

    def candles_in(self, series: Series, span: IntervalSet) -> pl.DataFrame:
        """The stored candles that open in the span, ascending."""
        in_hand = self.in_hand(series, span)
        if in_hand is not None:
            return in_hand
        parts = [self.candles(series, interval) for interval in _to_read(span)]
        return candles_within(parts[0] if len(parts) == 1 else pl.concat(parts), span)

    def read_ahead(self, wanted: Iterable[tuple[Series, IntervalSet]]) -> None:
        """Tells the store what `candles_in` will be asked for next, in this order."""
        self._store.read_ahead(
            [
                (series, self._with_unknown_after(series, interval))
                for series, span in wanted
                if self._hand.missing(series, span)
                for interval in _to_read(span)
            ]
        )

    def in_hand(self, series: Series, span: IntervalSet) -> pl.DataFrame | None:
        """What the store holds in the span, or will once the change in hand is written.

        None where that is not known without reading.
        """
        parts = []
        for interval in span:
            part = self._hand.candles(series, interval)
            if part is None:
                return None
            parts.append(part)
        return pl.concat(parts) if parts else no_candles(series)

    def last_open_ms(self, series: Series, before_ms: int) -> int | None:
        """The open time of the newest stored candle that opens before `before_ms`."""
        if not self.record(series).covered:
            return None
        in_hand = self._hand.last_open_ms(series, before_ms)
        return self._store.last_open_ms(series, before_ms) if in_hand is None else in_hand

    def counts(self, series: Series) -> Mapping[Month, int]:
        """How many candles of the series are stored, by month; months without one are left out.

        What the record does not know is counted, a month at a time.
        """
        return self._counted(series, self.record(series).counts.unknown).by_month

    def count_unknown(self, series: Iterable[Series]) -> None:
        """Counts what the records of these series do not know, and keeps it.

        A month that the store is dropping stays unknown: it has fewer candles at each look.
        """
        first_kept_ms = self._store.keeps_from_ms or 0
        counted = {}
        for one in series:
            record = self.record(one)
            unknown = {month for month in record.counts.unknown if month.start_ms >= first_kept_ms}
            if unknown:
                counted[one] = replace(record, counts=self._counted(one, unknown))
        self.update(counted)

    def _counted(self, series: Series, months: Collection[Month]) -> CandleCounts:
        record = self.record(series)
        if not months:
            return record.counts
        return record.counts.with_counted(
            {
                month: self.candles_in(
                    series, record.countable & IntervalSet((month.interval,))
                ).height
                for month in months
            }
        )

    def update(self, records: Mapping[Series, SeriesRecord]) -> None:
        """Replaces what is known beside the candles; unchanged records are not written.

        What a record covers no longer, is not covered either in what is made from its series.
        """
        changed = {s: r for s, r in records.items() if r != self.record(s)}
        withdrawn: set[Series] = set()
        for series in list(changed):
            lost = self.record(series).covered - changed[series].covered
            self._withdraw_dependents(series, lost, changed, withdrawn)
        if changed:
            self._write(
                [
                    SeriesChange(s, r, cautious=r if s in withdrawn else None)
                    for s, r in changed.items()
                ]
            )

    def replace(self, replacements: Iterable[Replacement]) -> list[Kept]:
        """Makes the replacements in their order, as one write to the store.

        Only what differs from what is stored is written, and what the spans no longer hold is
        removed. Nothing else reaches the store.
        """
        staged = Staged(self)
        batch = list(replacements)
        try:
            kept = [staged.take(replacement) for replacement in batch]
            self._write(staged.changes())
            # Not before: what the batch holds is not in the store yet.
            self._hand.shrink()
        except BaseException:
            # What is in hand may be ahead of the store.
            self._hand.clear()
            for each in batch:
                self._doubt_counts(each.series, each.span)
            raise
        return kept

    def hold(self, series: Series, span: IntervalSet, candles: pl.DataFrame) -> None:
        """Takes into the hand what the store holds, or will once the change in hand is written."""
        self._hand.put(series, span, candles)

    def let_go(self, series: Series, span: IntervalSet) -> None:
        """Drops what is in hand there: it is not needed soon."""
        self._hand.drop(series, span)

    def dependents(self, series: Series) -> Collection[Series]:
        """The series that are made from this one."""
        return self._dependents.get(series, ())

    def _read(self, series: Series, interval: Interval) -> pl.DataFrame:
        read = self._with_unknown_after(series, interval)
        candles = self._store.read_candles(series, read)
        ahead = IntervalSet.of(interval.end_ms, read.end_ms)
        self._hand.put(series, self._hand.missing(series, ahead), candles)
        return candles_within(candles, IntervalSet((interval,)))

    def _with_unknown_after(self, series: Series, interval: Interval) -> Interval:
        end_ms = interval.end_ms
        ahead_ms = end_ms + _CANDLES_READ_AHEAD * series.timeframe.duration_ms
        unknown = IntervalSet.of(end_ms, ahead_ms) - self.record(series).covered
        if unknown and unknown.start_ms == end_ms:
            end_ms = unknown.intervals[0].end_ms
        return Interval(interval.start_ms, end_ms)

    def _write(self, changes: list[SeriesChange]) -> None:
        if changes:
            self._store.replace(changes)
        for change in changes:
            self._records[change.series] = change.record
            self._note_sources(change.series, change.record)

    def _withdraw_dependents(
        self,
        series: Series,
        lost: IntervalSet,
        changed: dict[Series, SeriesRecord],
        withdrawn: set[Series],
    ) -> None:
        if not lost:
            return
        for dependent in self.dependents(series):
            record = changed.get(dependent, self.record(dependent))
            stale = on_grid(lost, dependent.timeframe) & record.covered
            if stale:
                changed[dependent] = record.withdrawn(stale)
                withdrawn.add(dependent)
                self._withdraw_dependents(dependent, stale, changed, withdrawn)

    def _doubt_counts(self, series: Series, span: IntervalSet) -> None:
        record = self._records.get(series)
        if record is not None:
            doubtful = months_of(record.countable & span)
            self._records[series] = replace(record, counts=record.counts.without(doubtful))

    def _note_sources(self, series: Series, record: SeriesRecord) -> None:
        for source in record.sources:
            self._dependents.setdefault(source, set()).add(series)


def _without_doubtful_counts(record: SeriesRecord) -> SeriesRecord:
    """Where candles are stale, a run that died may have written some that it did not count."""
    if not record.stale:
        return record
    return replace(record, counts=record.counts.without(months_of(record.stale)))


def _to_read(span: IntervalSet) -> tuple[Interval, ...]:
    if len(span.intervals) <= _MOST_READS:
        return tuple(span)
    return (Interval(span.start_ms, span.end_ms),)
