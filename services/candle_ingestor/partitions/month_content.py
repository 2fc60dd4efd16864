"""The content of one month's file: made anew, or the file on disk with its end made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.export_forms import Fill
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.partitions.files import read_file
from candle_ingestor.partitions.filling import (
    ReadCandles,
    carried_to,
    filled_flat,
    run_start_ms,
)
from candle_ingestor.partitions.formats.base import FileSubject, Format, MonthHead
from candle_ingestor.partitions.manifest import MonthEntry, told_bytes_of
from candle_ingestor.partitions.month_facts import MonthFacts


@dataclass(frozen=True)
class MonthContent:
    """What a month's file is to hold.

    Attributes:
        entry: what the manifest is to say of it.
        on_disk: what the file holds; None where there is none.
        told_bytes: how many leading bytes of it are what the manifest tells of; None where it is
            not the file that the manifest tells of, or the manifest tells of none.
    """

    entry: MonthEntry
    content: bytes
    on_disk: bytes | None
    told_bytes: int | None

    @property
    def is_on_disk(self) -> bool:
        """Whether the file holds exactly this."""
        return self.content == self.on_disk

    @property
    def kept_bytes(self) -> int:
        """How many leading bytes stay where only the end of the file changes; 0 where more does."""
        if self.on_disk is None or not self.told_bytes:
            return 0
        told = self.on_disk[: self.told_bytes]
        return len(told) if self.content.startswith(told) else 0


class MonthMaker:
    """Makes the contents of a series' months.

    Args:
        coverage: candles outside are left out.
        unsettled: minutes that may still change (rule E3). A month that begins with flat bars is
            not complete while one lies between it and the candle that they repeat.
    """

    def __init__(
        self,
        file_format: Format,
        subject: FileSubject,
        read: ReadCandles,
        coverage: IntervalSet,
        unsettled: IntervalSet = EMPTY,
    ) -> None:
        self._format = file_format
        self._subject = subject
        self._series = subject.series
        self._read = read
        self._coverage = coverage
        self._unsettled = unsettled

    def make(
        self, path: Path, facts: MonthFacts, before: MonthEntry | None, changed_from_ms: int | None
    ) -> MonthContent:
        """The content of the month's file.

        Args as `prepare`.

        Raises:
            PartitionError: if the file cannot be read, or a value does not fit int64.
            ValueError: if candles do not ascend.
        """
        return self.prepare(path, facts, before, changed_from_ms)()

    def prepare(
        self, path: Path, facts: MonthFacts, before: MonthEntry | None, changed_from_ms: int | None
    ) -> Callable[[], MonthContent]:
        """Reads what is needed, and leaves the making of the content to a call on any thread.

        Args:
            path: the file.
            before: what the manifest says of it.
            changed_from_ms: where rows may differ from the file that `before` describes; None if
                anywhere. A file that is not as described is made anew.

        Raises:
            PartitionError: if the file cannot be read; from the call, if a value does not fit
                int64.
            ValueError: if candles do not ascend.
        """
        on_disk = read_file(path)
        told_bytes = None
        if on_disk is not None and before is not None:
            told_bytes = told_bytes_of(before, on_disk)
            told = on_disk[:told_bytes]
            start_ms = facts.rows_hold_until_ms(before, changed_from_ms)
            head = self._format.head(self._subject, told, before, start_ms)
            if head is not None:
                return self._making(facts, head, start_ms, on_disk, told_bytes)
            if hashlib.sha256(told).hexdigest() != before.sha256:
                told_bytes = None
        head = self._format.no_rows(self._subject)
        return self._making(facts, head, facts.span.start_ms, on_disk, told_bytes)

    def _making(
        self,
        facts: MonthFacts,
        head: MonthHead,
        start_ms: int,
        on_disk: bytes | None,
        told_bytes: int | None,
    ) -> Callable[[], MonthContent]:
        rows = self._rows(Interval(start_ms, facts.span.end_ms))
        complete = facts.complete and not self._begins_unsettled(facts.span.start_ms)

        def make() -> MonthContent:
            made = head.followed_by(rows)
            entry = MonthEntry(
                rows=made.rows,
                first_open_ms=made.first_open_ms,
                last_open_ms=made.last_open_ms,
                sha256=made.sha256,
                complete=complete,
                known_until_ms=facts.known_until_ms,
                gaps=facts.gaps,
                partial=facts.partial,
                content_bytes=len(made.content) if self._format.grows else None,
            )
            return MonthContent(entry, made.content, on_disk, told_bytes)

        return make

    def _rows(self, interval: Interval) -> pl.DataFrame:
        known = self._coverage & IntervalSet((interval,))
        if not known:
            return no_candles(self._series)
        candles = candles_within(self._candles(interval), known)
        if self._subject.fill is Fill.NONE:
            return candles
        is_idle_at_start = known.start_ms == interval.start_ms and (
            candles.is_empty() or candles["open_time_ms"][0] > interval.start_ms
        )
        carried = None
        if is_idle_at_start:
            carried = carried_to(interval.start_ms, self._coverage, self._read)
        return filled_flat(
            candles, known, self._series.timeframe, None if carried is None else carried.close
        )

    def _candles(self, interval: Interval) -> pl.DataFrame:
        candles = self._read(interval)
        opens = candles["open_time_ms"]
        if candles.height > 1 and not (opens.slice(1) > opens.slice(0, candles.height - 1)).all():
            raise ValueError(f"the candles of {self._series} do not ascend by open time")
        return candles

    def _begins_unsettled(self, start_ms: int) -> bool:
        """Whether flat bars that the month begins with may still come to be others."""
        before = self._unsettled & IntervalSet.of(0, start_ms)
        if self._subject.fill is Fill.NONE or not before:
            return False
        length_ms = self._series.timeframe.duration_ms
        if not self._read(Interval(start_ms, start_ms + length_ms)).is_empty():
            return False
        carried = carried_to(start_ms, self._coverage, self._read)
        if carried is not None:
            return before.meets((carried.open_ms, start_ms))
        return before.meets((run_start_ms(start_ms, self._coverage) - length_ms, start_ms))
