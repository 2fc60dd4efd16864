"""Candles in InfluxDB: written, read and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl

from candle_ingestor.model.candles import VALUE_COLUMNS, no_candles, schema_of
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.stores.base import StoreError, StoreRefusedError
from candle_ingestor.stores.influxdb_answers import parse_answer
from candle_ingestor.stores.influxdb_errors import RejectedLinesError
from candle_ingestor.stores.influxdb_http import InfluxDbHttp
from candle_ingestor.stores.influxdb_lines import (
    LINES_PER_REQUEST,
    candle_lines,
    measurement_of,
    tags_of,
)
from candle_ingestor.stores.influxdb_queries import (
    candles_query,
    delete_predicate,
    pieces_of,
    spans_of,
)
from candle_ingestor.stores.influxdb_torn import TornReadError, read_untorn

_READS_AT_ONCE = 2
_MOST_LINES_SHOWN = 3
_MS_IN_NS = 1_000_000


def write_candles(
    http: InfluxDbHttp,
    series: Series,
    candles: pl.DataFrame,
    sleep: Callable[[float], object],
) -> None:
    """Inserts or replaces the candles, in requests of a few thousand.

    Raises:
        ValueError: if the columns are not those of `schema_of(series)`.
        StoreRefusedError: if a value is missing or no finite number; nothing is written. If the
            server rejects lines; others may be written.
    """
    if dict(candles.schema) != schema_of(series):
        raise ValueError(f"candles of {series} have other columns: {dict(candles.schema)}")
    if not _is_complete(candles):
        raise StoreRefusedError(
            f"candles of {series} hold a value that is missing or no finite number; "
            "none of them was written"
        )
    for batch in candles.iter_slices(LINES_PER_REQUEST):
        lines = candle_lines(series, batch)
        try:
            http.write(lines, "ms")
        except RejectedLinesError as error:
            raise _rejected(http, series, batch.with_columns(lines), error, sleep) from None


def read_candles(
    http: InfluxDbHttp, series: Series, interval: Interval, sleep: Callable[[float], object]
) -> pl.DataFrame:
    """The candles whose open time lies in the interval, ascending, as `schema_of(series)`.

    Raises:
        TornReadError: if another program wrote points among them.
    """
    if interval.duration_ms == 0:
        return no_candles(series)
    read = partial(_read_piece, http, series, sleep)
    pieces = pieces_of(interval, series.timeframe.duration_ms)
    if len(pieces) == 1:
        return read(interval)
    with ThreadPoolExecutor(_READS_AT_ONCE, "influxdb") as readers:
        return pl.concat(readers.map(read, pieces), rechunk=True)


def delete_candles(http: InfluxDbHttp, series: Series, open_times_ms: Iterable[int]) -> None:
    """Removes the candles of these open times, where they exist."""
    predicate = delete_predicate(measurement_of(series), tags_of(series))
    for first_ms, last_ms in spans_of(open_times_ms, series.timeframe.duration_ms):
        http.delete(predicate, first_ms * _MS_IN_NS, last_ms * _MS_IN_NS)


def _read_piece(
    http: InfluxDbHttp, series: Series, sleep: Callable[[float], object], interval: Interval
) -> pl.DataFrame:
    statement = candles_query(series, interval)
    columns = {"time": pl.Int64(), **schema_of(series)}
    del columns["open_time_ms"]

    def read() -> pl.DataFrame:
        found = http.query(statement, lambda body: parse_answer(body, columns))
        times = found["time"]
        if _has_nulls(found) or not (times.diff().drop_nulls() > 0).all():
            raise TornReadError(
                f"among the candles of {series} are points with other fields or tags, "
                "which another program wrote"
            )
        return found.select((times // _MS_IN_NS).alias("open_time_ms"), pl.exclude("time"))

    return read_untorn(read, sleep)


def _rejected(
    http: InfluxDbHttp,
    series: Series,
    candles: pl.DataFrame,
    error: RejectedLinesError,
    sleep: Callable[[float], object],
) -> StoreRefusedError:
    """The error with the lines that are not in the store, as far as they can be told."""
    times = candles["open_time_ms"].to_list()
    try:
        stored = read_candles(http, series, Interval(min(times), max(times) + 1), sleep)
    except (StoreError, TornReadError):
        return error
    rejected = candles.join(stored, on=stored.columns, how="anti")
    if rejected.is_empty():
        return error
    shown = "; ".join(rejected["line"].head(_MOST_LINES_SHOWN))
    return StoreRefusedError(
        f"{http.connection} rejected {rejected.height} of {candles.height} lines of {series}, "
        f"from {iso_text(rejected['open_time_ms'][0])} on: {shown}; the reason: "
        f"{error.reason}; {error.remedy}"
    )


def _is_complete(candles: pl.DataFrame) -> bool:
    if _has_nulls(candles) or not all(candles[name].is_finite().all() for name in VALUE_COLUMNS):
        return False
    # InfluxDB's answers do not tell an empty text from a missing one.
    return "source_exchanges" not in candles.columns or (candles["source_exchanges"] != "").all()


def _has_nulls(frame: pl.DataFrame) -> bool:
    return any(column.null_count() for column in frame)
