"""What the job asks of a store; every store passes the same conformance suite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from candle_ingestor.errors import DependencyError
from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord


class StoreError(DependencyError):
    """A store that cannot do what was asked; the message names it, the cause and the remedy."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached now; the same call may succeed later."""


class StoreRefusedError(StoreError):
    """The store refuses the request, its data or its credentials; trying again does not help."""


@dataclass(frozen=True)
class SeriesChange:
    """What becomes of one series.

    Attributes:
        series: whose it is.
        record: the record from then on.
        candles: inserted or replaced, by open time; columns of `schema_of(series)`, any row order,
            no duplicate. None for none.
        deleted: open times of candles to remove; none of `candles`. They may not exist.
        cautious: the record that must be durable before any candle of the batch changes, since
            `record` is not true before all of them have; None where the former one may stand until
            then. Where candles and records change in one step it is never written.
    """

    series: Series
    record: SeriesRecord
    candles: pl.DataFrame | None = None
    deleted: Sequence[int] = ()
    cautious: SeriesRecord | None = None


class Store(Protocol):
    """Durable storage of series. A call that returns has taken effect.

    Any call may raise StoreUnavailableError or StoreRefusedError; none answers a failure with an
    empty result (rule C4).
    """

    @property
    def is_local(self) -> bool:
        """Whether calls take no longer than this machine needs, as nothing elsewhere is asked."""

    @property
    def keeps_from_ms(self) -> int | None:
        """The time before which it dropped candles by itself when the records were read.

        None for a store that keeps everything.
        """

    @property
    def description(self) -> str:
        """What a person calls this store in a message, without secrets."""

    def check(self) -> None:
        """Proves that the store can be read and written, and leaves nothing behind."""

    def require_retention(self, earliest_ms: int, now_ms: int) -> None:
        """Proves that candles from `earliest_ms` on will be kept; nothing to prove in a file.

        Raises:
            StoreRefusedError: if the store would drop them by itself.
        """

    def replace(self, changes: Sequence[SeriesChange]) -> None:
        """Makes the changes, one a series at most (rule C1).

        What a series is made from comes before it. A store with transactions makes all or none.
        Another one writes the cautious records, the last first, then candles, then the records, so
        that a crash in between leaves no record that claims more than is stored.
        """

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`."""

    def read_ahead(self, wanted: Sequence[tuple[Series, Interval]]) -> None:
        """Hears what `read_candles` will be asked for next, in this order. A hint, no more."""

    def read_newest(self, series: Collection[Series], since_ms: int) -> dict[Series, pl.DataFrame]:
        """The candles of each series that open at or after `since_ms`, ascending.

        Every series asked for has a frame, an empty one where it has no such candle. However many
        series there are, it is asked in a few requests.
        """

    def last_open_ms(self, series: Series, before_ms: int) -> int | None:
        """The open time of the newest candle that opens before `before_ms`; None without one."""

    def count_within(self, wanted: Sequence[tuple[Series, Interval]]) -> list[int]:
        """How many candles open in each of these intervals of a series; none is read.

        Counts by month are in the records. This is for parts of months. Where many series are
        counted in one interval, it takes one request.
        """

    def size_bytes(self) -> int | None:
        """How much the store takes on disk; None for one that does not tell."""

    def read_records(self) -> dict[Series, SeriesRecord]:
        """The record of every series that has one."""

    def read_state(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key (rule C3)."""

    def write_state(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them."""

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first."""

    def read_imported_files(self) -> list[ImportedFile]:
        """The record of every file that was imported, by path and series."""

    def write_imported_files(self, files: Sequence[ImportedFile]) -> None:
        """Keeps these records, each in place of the one of the same path and series."""

    def close(self) -> None:
        """Releases what the store holds. Closing twice is harmless."""
