"""Writes that fail at a chosen one: the process is gone, or the store is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

from sequence import Breakdown

from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.operations import atomic_file
from candle_ingestor.stores.base import SeriesChange, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

_WRITING = (
    *("replace", "write_state", "write_run"),
    *("forget", "remove_state", "remove_imported_files"),
)


class Crash(BaseException):
    """The end of the process: nothing that catches errors may catch it."""


@dataclass
class Writes:
    """Counts writes, and lets one of them fail, with all that comes after.

    Attributes:
        breakdown: which one; None for none.
        is_over: whether it has happened.
    """

    breakdown: Breakdown | None
    is_over: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"store": 0, "file": 0})

    def guard(self, place: str, write: Callable[[], None]) -> None:
        """Makes the write, unless this is the one that fails."""
        self.require_alive(place)
        self.counts[place] += 1
        breakdown = self.breakdown
        if breakdown is None or (breakdown.place, breakdown.at) != (place, self.counts[place]):
            write()
            return
        if breakdown.is_after:
            write()
        self.is_over = True
        self.require_alive(place)

    def require_alive(self, place: str) -> None:
        """Raises: Crash, StoreUnavailableError: if the breakdown has happened."""
        if not self.is_over or self.breakdown is None:
            return
        if self.breakdown.is_crash:
            raise Crash
        if place == "store":
            raise StoreUnavailableError("the store is gone")


@contextmanager
def breaking(breakdown: Breakdown | None, splits_writes: bool) -> Iterator[Writes]:
    """Every write of the job to a store or a file in the meantime goes through what is given.

    With `splits_writes` changes are written one by one, in the order of a store without
    transactions, so that they may end between any two.
    """
    writes = Writes(breakdown)
    with ExitStack() as stack:
        for name in _WRITING:
            made = _writing(writes, getattr(SqliteStore, name), splits_writes and name == "replace")
            stack.enter_context(patch.object(SqliteStore, name, made))
        for name in ("read_candles", "read_newest", "last_open_ms", "read_records", "read_state"):
            made = _reading(writes, getattr(SqliteStore, name))
            stack.enter_context(patch.object(SqliteStore, name, made))
        stack.enter_context(patch.object(atomic_file, "os", _WatchedOs(writes)))
        yield writes


def in_order(
    changes: Sequence[SeriesChange], records: Mapping[Series, SeriesRecord]
) -> list[list[SeriesChange]]:
    """The changes as single writes: cautious records, candles, deletions, records.

    `records` are those before; a write that has no news of a record repeats what stands there.
    """
    cautious = {c.series: c.cautious for c in changes if c.cautious is not None}
    standing = {**records, **cautious}
    writes = [[SeriesChange(series, record) for series, record in cautious.items()]]
    for change in changes:
        record = standing.get(change.series, NOTHING_KNOWN)
        if change.candles is not None and not change.candles.is_empty():
            writes.append([SeriesChange(change.series, record, change.candles)])
    for change in changes:
        record = standing.get(change.series, NOTHING_KNOWN)
        if change.deleted:
            writes.append([SeriesChange(change.series, record, deleted=change.deleted)])
    writes.append([SeriesChange(change.series, change.record) for change in changes])
    return [write for write in writes if write]


def _writing(writes: Writes, method: Callable[..., None], splits: bool) -> Callable[..., None]:
    def write_guarded(store: SqliteStore, *arguments: Any) -> None:
        if not splits:
            writes.guard("store", partial(method, store, *arguments))
            return
        (changes,) = arguments
        for write in in_order(changes, store.read_records()):
            writes.guard("store", partial(method, store, write))

    return write_guarded


def _reading(writes: Writes, method: Callable[..., Any]) -> Callable[..., Any]:
    def read(store: SqliteStore, *arguments: Any, **named: Any) -> Any:
        writes.require_alive("store")
        return method(store, *arguments, **named)

    return read


class _WatchedOs:
    """The module `os` for those who write files; each fsync counts as a write.

    A file that is replaced is synchronised before and its folder after, so that a crash at either
    leaves the old one or the new one. Nothing needs to reach the disk.
    """

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def fsync(self, _descriptor: int) -> None:
        self._writes.guard("file", lambda: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)
