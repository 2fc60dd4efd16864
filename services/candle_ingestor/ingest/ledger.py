"""What is known of every series, kept in step with the store (rules C1 and C2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from candle_ingestor.model.gaps import GapReason, with_reason, without
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.stores.base import CoverageRecord, Store

_END_OF_TIME_MS = 1 << 62
_NEAR_CANDLES = 16
"""Nearly always the last known candle is among so many; looking further back costs more."""


@dataclass(frozen=True)
class KeptPage:
    """How many candles a page changed in the store."""

    new: int
    revised: int


class Ledger:
    """The coverage records of a run's series, changed in the store first and here after.

    `merged_from` names the merged series that each exchange series goes into: what changes in one
    is no longer merged in the other. All calls belong on one thread.
    """

    def __init__(self, store: Store, merged_from: Mapping[Series, tuple[Series, ...]]) -> None:
        self._store = store
        self._merged_from = merged_from
        series = {*merged_from, *(m for merged in merged_from.values() for m in merged)}
        self._records = store.read_coverage(sorted(series))

    @property
    def store(self) -> Store:
        return self._store

    def record(self, series: Series) -> CoverageRecord:
        return self._records[series]

    def update(self, series: Series, record: CoverageRecord) -> None:
        """Replaces a record, in the store first; nothing is written where nothing changes."""
        if record != self._records[series]:
            self._store.write_coverage({series: record})
            self._records[series] = record

    def keep_page(self, series: Series, candles: pl.DataFrame, answered: IntervalSet) -> KeptPage:
        """Writes a page's candles, then its coverage.

        Of what was known before, only what now differs is written, and a candle that the exchange
        no longer shows is removed. Merged minutes that build on a changed one are first taken out
        of the merged coverage, so that a crash costs merging them again.
        """
        record = self._records[series]
        within = candles_within(candles, answered)
        change = self._compare(series, within, answered & record.covered)
        changed = change.in_known
        grown = answered - record.covered
        self._mark_unmerged(series, changed | grown)
        if changed:
            # Before the candles, so that a crash after them does not leave the export behind.
            record = replace(record, unexported=record.unexported | changed)
            self.update(series, record)
        if not change.candles.is_empty():
            self._store.write_candles(series, change.candles)
        if change.vanished:
            self._store.delete_candles(series, change.vanished)
        if changed or grown:
            covered = record.covered | answered
            self.update(
                series,
                replace(
                    record,
                    covered=covered,
                    reasons=without(record.reasons, covered),
                    unexported=record.unexported | changed | grown,
                ),
            )
        return KeptPage(new=change.new, revised=change.revised + len(change.vanished))

    def note_reason(self, series: Series, reason: GapReason, intervals: IntervalSet) -> None:
        """Keeps why intervals outside coverage are missing; what is covered has no reason."""
        record = self._records[series]
        news = intervals - record.covered - record.reasons.get(reason, EMPTY)
        if news:
            self.update(
                series,
                replace(
                    record,
                    reasons=with_reason(record.reasons, reason, news),
                    unexported=record.unexported | news,
                ),
            )

    def last_known_ms(self, series: Series, before_ms: int, longest_ms: int) -> int | None:
        """The open time of the last stored and covered candle in the time before `before_ms`."""
        near_ms = min(_NEAR_CANDLES * series.timeframe.duration_ms, longest_ms)
        for start_ms, end_ms in (
            (before_ms - near_ms, before_ms),
            (before_ms - longest_ms, before_ms - near_ms),
        ):
            span = IntervalSet.of(start_ms, end_ms) & self._records[series].covered
            for interval in reversed(span.intervals):
                candles = self._store.read_candles(series, interval)
                if not candles.is_empty():
                    return int(candles["open_time_ms"][-1])
        return None

    def _mark_unmerged(self, series: Series, intervals: IntervalSet) -> None:
        for merged in self._merged_from.get(series, ()):
            record = self._records[merged]
            stale = (intervals & record.covered) - record.former_rules
            if stale:
                self.update(
                    merged,
                    replace(
                        record,
                        covered=record.covered - stale,
                        unexported=record.unexported | stale,
                    ),
                )

    def _compare(self, series: Series, candles: pl.DataFrame, known: IntervalSet) -> _Change:
        fresh = candles_within(candles, IntervalSet.of(0, _END_OF_TIME_MS) - known)
        if not known:
            return _Change(fresh, fresh.height, 0, ())
        shown = candles_within(candles, known)
        span = Interval(known.start_ms, known.end_ms)
        stored = candles_within(self._store.read_candles(series, span), known)
        if shown.equals(stored):
            return _Change(fresh, fresh.height, 0, ())
        differing = shown.join(stored, on=shown.columns, how="anti")
        revised = differing.join(stored, on="open_time_ms", how="semi").height
        vanished = stored.join(shown, on="open_time_ms", how="anti")["open_time_ms"].to_list()
        return _Change(
            pl.concat([differing, fresh]),
            differing.height - revised + fresh.height,
            revised,
            tuple(vanished),
            lengths_of(
                (*differing["open_time_ms"].to_list(), *vanished), series.timeframe.duration_ms
            ),
        )


@dataclass(frozen=True)
class _Change:
    candles: pl.DataFrame
    new: int
    revised: int
    vanished: tuple[int, ...]
    in_known: IntervalSet = EMPTY


def lengths_of(open_times_ms: Iterable[int], length_ms: int) -> IntervalSet:
    """The intervals that candles of these open times fill."""
    return IntervalSet((time, time + length_ms) for time in open_times_ms)
