"""The content of one month's file: made anew, or the file on disk with its end made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.partitions.csv_content import HEADER, csv_rows, position_of
from candle_ingestor.partitions.files import read_file
from candle_ingestor.partitions.manifest import Digits, MonthEntry, told_bytes_of
from candle_ingestor.partitions.month_facts import MonthFacts
from candle_ingestor.partitions.timestamps import parse_timestamp

ReadCandles = Callable[[Interval], pl.DataFrame]
"""The candles of a series in an interval, ascending by open time."""

_TIMESTAMP_LENGTH = len("2024-01-15T00:00:00Z")


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
        told = memoryview(self.on_disk)[: self.told_bytes]
        is_longer = len(self.content) >= len(told)
        return len(told) if is_longer and memoryview(self.content)[: len(told)] == told else 0


class _Head(NamedTuple):
    """The part of a file that stays; the digest is of it."""

    content: bytes | memoryview
    rows: int
    digest: hashlib._Hash


class MonthMaker:
    """Makes the contents of a series' months."""

    def __init__(
        self, series: Series, digits: Digits, read: ReadCandles, coverage: IntervalSet
    ) -> None:
        self._series = series
        self._digits = digits
        self._read = read
        self._coverage = coverage

    def make(
        self, path: Path, facts: MonthFacts, before: MonthEntry | None, changed_from_ms: int | None
    ) -> MonthContent:
        """The content of the month's file.

        Args:
            path: the file.
            before: what the manifest says of it.
            changed_from_ms: where rows may differ from the file that `before` describes; None if
                anywhere. A file that is not as described is made anew.

        Raises:
            PartitionError: if the file cannot be read, or a value does not fit int64.
            ValueError: if candles do not ascend.
        """
        on_disk = read_file(path)
        told_bytes = None
        if on_disk is not None and before is not None:
            told_bytes = told_bytes_of(before, on_disk)
            told = on_disk[:told_bytes]
            start_ms = facts.rows_hold_until_ms(before, changed_from_ms)
            position = position_of(told, start_ms)
            kept = memoryview(told)[:position]
            digest = hashlib.sha256(kept)
            whole = digest.copy()
            whole.update(memoryview(told)[position:])
            if whole.hexdigest() != before.sha256:
                told_bytes = None
            elif start_ms > facts.span.start_ms:
                lost_rows = told.count(b"\n", position)
                head = _Head(kept, before.rows - lost_rows, digest)
                content, entry = self._made(facts, head, start_ms)
                return MonthContent(entry, content, on_disk, told_bytes)
        head = _Head(HEADER, 0, hashlib.sha256(HEADER))
        content, entry = self._made(facts, head, facts.span.start_ms)
        return MonthContent(entry, content, on_disk, told_bytes)

    def _made(self, facts: MonthFacts, head: _Head, start_ms: int) -> tuple[bytes, MonthEntry]:
        candles = self._candles(Interval(start_ms, facts.span.end_ms))
        tail = b"" if candles is None else csv_rows(self._series, self._digits, candles)
        content = b"".join((head.content, tail))
        rows = head.rows + (0 if candles is None else candles.height)
        head.digest.update(tail)
        entry = MonthEntry(
            rows=rows,
            first_open_ms=_open_time_at(content, len(HEADER)) if rows else None,
            last_open_ms=_open_time_at(content, content.rfind(b"\n", 0, -1) + 1) if rows else None,
            sha256=head.digest.hexdigest(),
            complete=facts.complete,
            known_until_ms=facts.known_until_ms,
            gaps=facts.gaps,
            content_bytes=len(content),
        )
        return content, entry

    def _candles(self, interval: Interval) -> pl.DataFrame | None:
        known = self._coverage & IntervalSet((interval,))
        if not known:
            return None
        candles = self._read(interval)
        opens = candles["open_time_ms"]
        if candles.height > 1 and not (opens.slice(1) > opens.slice(0, candles.height - 1)).all():
            raise ValueError(f"the candles of {self._series} do not ascend by open time")
        candles = candles_within(candles, known)
        return candles if candles.height else None


def _open_time_at(content: bytes, position: int) -> int:
    return parse_timestamp(content[position : position + _TIMESTAMP_LENGTH].decode("ascii"))
