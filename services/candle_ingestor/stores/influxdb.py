"""The production store: a bucket of an InfluxDB 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.stores import influxdb_candles as table
from candle_ingestor.stores import influxdb_checks as checks
from candle_ingestor.stores import influxdb_queries as queries
from candle_ingestor.stores.base import CoverageRecord, StoreRefusedError
from candle_ingestor.stores.influxdb_answers import all_columns, parse_answer
from candle_ingestor.stores.influxdb_connection import InfluxDbConnection
from candle_ingestor.stores.influxdb_coverage import (
    COVERAGE_COLUMNS,
    SERIES_COLUMNS,
    kept_records,
    named_series,
    record_lines,
    without_expired,
)
from candle_ingestor.stores.influxdb_errors import no_bucket
from candle_ingestor.stores.influxdb_http import Bucket, InfluxDbHttp
from candle_ingestor.stores.influxdb_lines import (
    INGESTION_RUNS,
    PROCESSING_STATE,
    batches,
    point_line,
    tag_text,
)
from candle_ingestor.stores.influxdb_patience import Patience
from candle_ingestor.stores.influxdb_runs import (
    other_statuses,
    run_line,
    run_reports,
    run_time_ns,
)
from candle_ingestor.stores.influxdb_torn import TornReadError, read_untorn
from candle_ingestor.stores.record_json import RecordError

EPOCH_NS = 0
FAR_FUTURE_NS = 7_258_118_400_000_000_000
"""Times of records that are not of a time: 1970, and 2200 where retention would drop 1970."""

_Answer = TypeVar("_Answer")


class InfluxDbStore:
    """A Store in one bucket. Threads may share it; all calls go over one connection pool.

    InfluxDB has no transactions. Candles are written in requests of a few thousand; one that fails
    leaves those before it written, and a reader may meet a candle half replaced. A coverage
    record is replaced whole for every reader.

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
    ) -> None:
        """With `create_bucket`, `check` makes a bucket that is not there."""
        self._patience = patience or Patience()
        self._http = InfluxDbHttp(connection, self._patience)
        self._create_bucket = create_bucket
        self._bucket: Bucket | None = None
        self._horizon_ms: int | None = None
        self._coverage_times_ns: dict[Series, int] = {}
        self._state_times_ns: dict[str, dict[str, int]] = {}

    @property
    def description(self) -> str:
        return str(self._http.connection)

    def check(self) -> None:
        """Proves that the server is an InfluxDB 2 and the bucket can be read and written.

        Leaves nothing behind but, if asked for, a new bucket.
        """
        checks.check_version(self._http)
        self._bucket = self._http.find_bucket()
        if self._bucket is None and self._create_bucket:
            self._make_bucket()
        checks.check_access(self._http, self._timeless_ns())

    def require_retention(self, earliest_ms: int, now_ms: int) -> None:
        """Proves that the bucket keeps candles from `earliest_ms` on, before any is fetched.

        From then on, what the bucket has dropped by `now_ms` is no longer read as covered.

        Raises:
            StoreRefusedError: if the bucket would drop them without a word.
        """
        retention_ms = self._found_bucket().retention_ms
        checks.check_retention(self._http.connection, retention_ms, earliest_ms, now_ms)
        if retention_ms is not None:
            self._horizon_ms = now_ms - retention_ms

    def write_candles(self, series: Series, candles: pl.DataFrame) -> None:
        """Inserts or replaces the candles by series and open time.

        Raises:
            ValueError: if the columns are not those of `schema_of(series)`.
            StoreRefusedError: if a value is missing or no finite number; nothing is written. If
                the server rejects lines; others may be written.
        """
        table.write_candles(self._http, series, candles, self._patience.sleep)

    def delete_candles(self, series: Series, open_times_ms: Iterable[int]) -> None:
        """Removes the candles of these open times, where they exist."""
        table.delete_candles(self._http, series, open_times_ms)

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`.

        Raises:
            StoreRefusedError: if another program wrote points among them.
        """
        try:
            return table.read_candles(self._http, series, interval, self._patience.sleep)
        except TornReadError as error:
            raise self._damaged(error) from error

    def list_series(self) -> list[Series]:
        """Every series that has a coverage record, sorted."""
        rows = self._rows(queries.series_query(), SERIES_COLUMNS)
        try:
            return named_series(rows)
        except ValueError as error:
            raise self._refused(f"candle_coverage names no series: {error}") from error

    def read_coverage(self, series: Iterable[Series]) -> dict[Series, CoverageRecord]:
        """The record of each series asked for, in one request; none written is an empty record."""
        wanted = list(series)
        if not wanted:
            return {}
        statement = queries.coverage_query(wanted)
        kept = self._untorn(lambda: kept_records(self._rows(statement, COVERAGE_COLUMNS), wanted))
        self._coverage_times_ns |= {
            one: kept[one].time_ns if one in kept else EPOCH_NS for one in wanted
        }
        records = {one: kept[one].record if one in kept else CoverageRecord() for one in wanted}
        horizon_ms = self._horizon_ms
        if horizon_ms is None:
            return records
        return {one: without_expired(record, horizon_ms) for one, record in records.items()}

    def write_coverage(self, records: Mapping[Series, CoverageRecord]) -> None:
        """Replaces the records of these series."""
        self.read_coverage(records.keys() - self._coverage_times_ns.keys())
        timeless_ns = self._timeless_ns() if records else EPOCH_NS
        times_ns = {one: max(self._coverage_times_ns[one], timeless_ns) for one in records}
        groups = (record_lines(one, record, times_ns[one]) for one, record in records.items())
        self._write(groups)
        self._coverage_times_ns |= times_ns

    def read_state(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key (rule C3), the newest of each."""
        columns = {"time": pl.Int64(), "key": pl.String(), "value": pl.Int64()}
        rows = self._rows(queries.state_query(service_identifier), columns)
        if any(column.null_count() for column in rows):
            raise self._refused(f"processing_state of {service_identifier!r} lacks a value")
        times_ns, keys, values = (rows[name].to_list() for name in columns)
        names = [tag_text(key) for key in keys]
        self._state_times_ns[service_identifier] = dict(zip(names, times_ns, strict=True))
        return dict(zip(names, values, strict=True))

    def write_state(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""
        if not state:
            return
        if service_identifier not in self._state_times_ns:
            self.read_state(service_identifier)
        known_ns = self._state_times_ns[service_identifier]
        timeless_ns = self._timeless_ns()
        times_ns = {key: max(known_ns.get(key, EPOCH_NS), timeless_ns) for key in state}
        lines = [
            point_line(
                PROCESSING_STATE,
                {"service_identifier": service_identifier, "key": key},
                {"last_processed_timestamp_ms": value},
                times_ns[key],
            )
            for key, value in state.items()
        ]
        self._write([line] for line in lines)
        known_ns |= times_ns

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them.

        Raises:
            ValueError: if one of the three is missing, or a value is none of JSON's.
        """
        line = run_line(report)
        time_ns = run_time_ns(report)
        columns = {"run_id": pl.String(), "status": pl.String()}
        rows = self._rows(queries.statuses_query(time_ns), columns)
        self._write([[line]])
        for status in other_statuses(rows, report):
            predicate = queries.delete_predicate(INGESTION_RUNS, {"status": status})
            self._http.delete(predicate, time_ns, time_ns)

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first."""
        if newest < 1:
            return []
        statement = queries.runs_query(newest)
        return self._untorn(lambda: run_reports(self._http.query(statement, all_columns)))

    def close(self) -> None:
        """Closes the connections. Closing twice is harmless."""
        self._http.close()

    def _rows(self, statement: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        return self._http.query(statement, lambda body: parse_answer(body, columns))

    def _write(self, groups: Iterable[list[str]]) -> None:
        for lines in batches(groups):
            self._http.write(pl.Series(lines), "ns")

    def _make_bucket(self) -> None:
        try:
            self._http.create_bucket()
        except StoreRefusedError:
            # Another run, started at the same moment, may have made it.
            if self._http.find_bucket() is None:
                raise

    def _found_bucket(self) -> Bucket:
        if self._bucket is None:
            self._bucket = self._http.find_bucket()
            if self._bucket is None:
                raise no_bucket(self._http.connection)
        return self._bucket

    def _timeless_ns(self) -> int:
        """The time of a record that is not of a time, and that the bucket keeps."""
        return EPOCH_NS if self._found_bucket().retention_ms is None else FAR_FUTURE_NS

    def _untorn(self, read: Callable[[], _Answer]) -> _Answer:
        try:
            return read_untorn(read, self._patience.sleep)
        except TornReadError as error:
            raise self._damaged(error) from error
        except RecordError as error:
            raise self._refused(str(error)) from error

    def _damaged(self, error: TornReadError) -> StoreRefusedError:
        return self._refused(f"{error}; delete these points, or restore the bucket from a backup")

    def _refused(self, message: str) -> StoreRefusedError:
        return StoreRefusedError(f"{self.description}: {message}")
