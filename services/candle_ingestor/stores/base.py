"""What the job asks of a store; every store passes the same conformance suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from candle_ingestor.errors import DependencyError
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series


class StoreError(DependencyError):
    """A store that cannot do what was asked; the message names it, the cause and the remedy."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached now; the same call may succeed later."""


class StoreRefusedError(StoreError):
    """The store refuses the request, its data or its credentials; trying again does not help."""


@dataclass(frozen=True)
class CoverageRecord:
    """What is known of one series, and why the rest is not.

    Attributes:
        covered: the coverage: asked for, answered, and its candles durably written.
        reasons: reasons of intervals outside `covered`, where one is known.
        listed_from_ms: start of the first day with a candle, once it was looked for.
        listing_sought_from_ms: from where on it was looked for.
        merge_rules: the rules a merged series is made by (rule M10), as JSON values.
        former_rules: the part of a merged series' coverage that older rules made.
        unexported: what changed since its months were last exported.
        export_digits: price and volume digits of its last export (rule E2).
    """

    covered: IntervalSet = EMPTY
    reasons: Mapping[GapReason, IntervalSet] = field(default_factory=dict)
    listed_from_ms: int | None = None
    listing_sought_from_ms: int | None = None
    merge_rules: Mapping[str, Any] | None = None
    former_rules: IntervalSet = EMPTY
    unexported: IntervalSet = EMPTY
    export_digits: tuple[int, int] | None = None


class Store(Protocol):
    """Durable storage of series. A call that returns has taken effect.

    Any call may raise StoreUnavailableError or StoreRefusedError; none answers a failure with an
    empty result (rule C4).
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

    def write_candles(self, series: Series, candles: pl.DataFrame) -> None:
        """Inserts or replaces the candles, whole or not at all, by series and open time.

        `candles` has the columns of `schema_of(series)`, in any row order, no duplicate.
        """

    def delete_candles(self, series: Series, open_times_ms: Iterable[int]) -> None:
        """Removes the candles of these open times, where they exist."""

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`."""

    def list_series(self) -> list[Series]:
        """Every series that has a coverage record, sorted."""

    def read_coverage(self, series: Iterable[Series]) -> dict[Series, CoverageRecord]:
        """The record of each series asked for; one never written is an empty record."""

    def write_coverage(self, records: Mapping[Series, CoverageRecord]) -> None:
        """Replaces the records of these series."""

    def read_state(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key (rule C3)."""

    def write_state(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them."""

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first."""

    def close(self) -> None:
        """Releases what the store holds. Closing twice is harmless."""


def read_candles_in_parts(
    store: Store, series: Series, interval: Interval, longest_ms: int
) -> Iterator[pl.DataFrame]:
    """The candles of an interval in ascending frames of at most `longest_ms` each."""
    for part in interval.cut(longest_ms):
        yield store.read_candles(series, part)
