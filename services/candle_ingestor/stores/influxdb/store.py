"""The production store: a bucket of an InfluxDB 2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import polars as pl

from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.stores.base import SeriesChange
from candle_ingestor.stores.changes import check_changes
from candle_ingestor.stores.influxdb import candles as table
from candle_ingestor.stores.influxdb import checks, imported_files, queries
from candle_ingestor.stores.influxdb.answers import all_columns
from candle_ingestor.stores.influxdb.bucket import EPOCH_NS, StoreBucket
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.counting import count_within
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import (
    CANDLE_COVERAGE,
    IMPORTED_FILES,
    INGESTION_RUNS,
)
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.records import (
    RECORD_COLUMNS,
    kept_records,
    record_lines,
    record_tags,
    without_expired,
)
from candle_ingestor.stores.influxdb.runs import (
    other_statuses,
    run_line,
    run_reports,
    run_time_ns,
)
from candle_ingestor.stores.influxdb.state import ProcessingState
from candle_ingestor.stores.influxdb.torn import read_untorn


class InfluxDbStore:
    """A Store in one bucket. Threads may share it; all calls go over one connection pool.

    InfluxDB has no transactions. Candles are written in requests of a few thousand; one that fails
    leaves those before it written, and a reader may meet a candle half replaced. The record of a
    series is replaced whole for every reader.

    A record is written over the newest one of its key, whatever the time of that is, and the newest
    is read. So state that an older service wrote at its server's time is honoured, and is no longer
    read, by whomever, once there is state of this program.
    """

    def __init__(
        self,
        connection: InfluxDbConnection,
        *,
        create_bucket: bool = False,
        patience: Patience | None = None,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        """With `create_bucket`, `check` makes a bucket that is not there.

        `now_ms` tells what a bucket with retention has dropped; without it nothing counts as such.
        """
        self._patience = patience or Patience()
        self._http = InfluxDbHttp(connection, self._patience)
        self._bucket = StoreBucket(self._http, may_create=create_bucket)
        self._state = ProcessingState(self._http, self._bucket)
        self._now_ms = now_ms
        self._record_times_ns: dict[Series, int] | None = None
        self._keeps_from_ms: int | None = None

    @property
    def is_local(self) -> bool:
        return False

    @property
    def keeps_from_ms(self) -> int | None:
        return self._keeps_from_ms

    @property
    def description(self) -> str:
        return str(self._http.connection)

    def check(self) -> None:
        """Proves that the server is an InfluxDB 2 and the bucket can be read and written.

        Leaves nothing behind but, if asked for, a new bucket.
        """
        checks.check_version(self._http)
        self._bucket.look_up()
        checks.check_access(self._http, self._bucket.timeless_ns)

    def require_retention(self, earliest_ms: int, now_ms: int) -> None:
        """Proves that the bucket keeps candles from `earliest_ms` on, before any is fetched.

        Raises:
            StoreRefusedError: if the bucket would drop them without a word.
        """
        retention_ms = self._bucket.retention_ms
        checks.check_retention(self._http.connection, retention_ms, earliest_ms, now_ms)

    def replace(self, changes: Sequence[SeriesChange]) -> None:
        """Makes the changes: cautious records, the last first, then all candles, then records.

        Where a change has no candles and its two records are the same, the first is enough.

        Raises:
            ValueError: if a series has two changes, or candles have other columns than
                `schema_of(series)`.
            StoreRefusedError: if a value is missing or no finite number; nothing is written. If
                the server rejects lines; others may be written.
        """
        check_changes(changes)
        self._write_records(
            {each.series: each.cautious for each in reversed(changes) if each.cautious is not None}
        )
        table.write_candles(self._http, changes, self._patience.sleep)
        for change in changes:
            table.delete_candles(self._http, change.series, change.deleted)
        self._write_records(
            {change.series: change.record for change in changes if change.record != change.cautious}
        )

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`.

        Raises:
            StoreRefusedError: if another program wrote points among them.
        """
        with self._bucket.naming_damage():
            return table.read_candles(self._http, series, interval, self._patience.sleep)

    def read_ahead(self, wanted: Sequence[tuple[Series, Interval]]) -> None:
        """Does nothing: an answer is asked for when it is needed."""

    def read_newest(self, series: Collection[Series], since_ms: int) -> dict[Series, pl.DataFrame]:
        """The candles of each series from `since_ms` on, ascending, as `schema_of(series)`.

        Takes one request for exchanges' series and one for merged ones.

        Raises:
            StoreRefusedError: if another program wrote points among them.
        """
        with self._bucket.naming_damage():
            return table.read_newest(self._http, series, since_ms, self._patience.sleep)

    def last_open_ms(self, series: Series, before_ms: int) -> int | None:
        """The open time of the newest candle that opens before `before_ms`; None without one."""
        return table.last_open_ms(self._http, series, before_ms)

    def count_within(self, wanted: Sequence[tuple[Series, Interval]]) -> list[int]:
        """How many candles open in each of these intervals of a series; the server counts."""
        return count_within(self._http, wanted)

    def size_bytes(self) -> int | None:
        """None: a bucket does not tell."""
        return None

    def read_records(self) -> dict[Series, SeriesRecord]:
        """The record of every series that has one, in one request.

        What the bucket has dropped by now is not covered.
        """
        statement = queries.records_query()
        with self._bucket.naming_damage():
            kept = read_untorn(
                lambda: kept_records(self._bucket.rows(statement, RECORD_COLUMNS)),
                self._patience.sleep,
            )
        self._record_times_ns = {series: one.time_ns for series, one in kept.items()}
        retention_ms = None if self._now_ms is None else self._bucket.retention_ms
        if retention_ms is None or self._now_ms is None:
            return {series: one.record for series, one in kept.items()}
        horizon_ms = self._now_ms() - retention_ms
        self._keeps_from_ms = horizon_ms
        return {
            series: without_expired(one.record, series.timeframe.ceil_ms(horizon_ms))
            for series, one in kept.items()
        }

    def forget(self, series: Collection[Series]) -> None:
        """Removes all that is kept of these series: what is known, every candle, the records.

        The records are emptied before and removed after, so that nothing is left without one.
        """
        there = self.read_records()
        self._write_records({one: NOTHING_KNOWN for one in series if one in there})
        for one in series:
            table.delete_all(self._http, one)
            predicate = queries.delete_predicate(CANDLE_COVERAGE, record_tags(one))
            self._http.delete(predicate, queries.FIRST_NS, queries.LAST_NS)
            if self._record_times_ns is not None:
                self._record_times_ns.pop(one, None)

    def read_state(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key (rule C3), the newest of each."""
        return self._state.read(service_identifier)

    def write_state(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""
        self._state.write(service_identifier, state)

    def remove_state(self, service_identifier: str, keys: Collection[str]) -> None:
        """Removes these keys, where they are there."""
        self._state.remove(service_identifier, keys)

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them.

        Raises:
            ValueError: if one of the three is missing, or a value is none of JSON's.
        """
        line = run_line(report)
        time_ns = run_time_ns(report)
        columns = {"run_id": pl.String(), "status": pl.String()}
        rows = self._bucket.rows(queries.statuses_query(time_ns), columns)
        self._bucket.write([[line]])
        for status in other_statuses(rows, report):
            predicate = queries.delete_predicate(INGESTION_RUNS, {"status": status})
            self._http.delete(predicate, time_ns, time_ns)

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first; of one start, by run id in reverse."""
        if newest < 1:
            return []
        statement = queries.runs_query(newest)
        with self._bucket.naming_damage():
            return read_untorn(
                lambda: run_reports(self._http.query(statement, all_columns)),
                self._patience.sleep,
            )

    def read_imported_files(self) -> list[ImportedFile]:
        """The record of every file that was imported, by path and series."""
        statement = queries.imported_files_query(imported_files.COLUMNS)
        with self._bucket.naming_damage():
            return imported_files.of_rows(self._bucket.rows(statement, imported_files.COLUMNS))

    def write_imported_files(self, files: Sequence[ImportedFile]) -> None:
        """Keeps these records, each in place of the one of the same path and series."""
        if files:
            timeless_ns = self._bucket.timeless_ns
            self._bucket.write([imported_files.line_of(file, timeless_ns)] for file in files)

    def remove_imported_files(self, files: Sequence[ImportedFile]) -> None:
        """Removes the records of these paths and series, where they are there."""
        for file in files:
            predicate = queries.delete_predicate(IMPORTED_FILES, imported_files.tags_of(file))
            self._http.delete(predicate, queries.FIRST_NS, queries.LAST_NS)

    def close(self) -> None:
        """Closes the connections. Closing twice is harmless."""
        self._http.close()

    def _write_records(self, records: Mapping[Series, SeriesRecord]) -> None:
        if not records:
            return
        if self._record_times_ns is None:
            self.read_records()
        known_ns = self._record_times_ns or {}
        timeless_ns = self._bucket.timeless_ns
        times_ns = {one: max(known_ns.get(one, EPOCH_NS), timeless_ns) for one in records}
        self._bucket.write(
            record_lines(one, record, times_ns[one]) for one, record in records.items()
        )
        self._record_times_ns = known_ns | times_ns
