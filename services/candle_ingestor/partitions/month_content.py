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
from candle_ingestor.partitions.manifest import Digits, MonthEntry
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
        is_on_disk: whether the file holds exactly this.
    """

    entry: MonthEntry
    content: bytes
    is_on_disk: bool


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
        if on_disk is not None and before is not None:
            start_ms = facts.rows_hold_until_ms(before, changed_from_ms)
            if start_ms > facts.span.start_ms:
                position = position_of(on_disk, start_ms)
                kept = memoryview(on_disk)[:position]
                digest = hashlib.sha256(kept)
                whole = digest.copy()
                whole.update(memoryview(on_disk)[position:])
                if whole.hexdigest() == before.sha256:
                    lost_rows = on_disk.count(b"\n", position)
                    head = _Head(kept, before.rows - lost_rows, digest)
                    return self._made(facts, head, start_ms, on_disk)
        head = _Head(HEADER, 0, hashlib.sha256(HEADER))
        return self._made(facts, head, facts.span.start_ms, on_disk)

    def _made(
        self, facts: MonthFacts, head: _Head, start_ms: int, on_disk: bytes | None
    ) -> MonthContent:
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
        )
        return MonthContent(entry, content, is_on_disk=content == on_disk)

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
