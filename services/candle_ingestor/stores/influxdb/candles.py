"""Candles in InfluxDB: written, read and deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import polars as pl

from candle_ingestor.model.candles import no_candles, schema_of
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.stores.base import SeriesChange, StoreError, StoreRefusedError
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.errors import RejectedLinesError
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import (
    LINES_PER_REQUEST,
    candle_lines,
    measurement_of,
    tag_value,
    tags_of,
)
from candle_ingestor.stores.influxdb.queries import (
    FIRST_NS,
    LAST_NS,
    candles_query,
    delete_predicate,
    last_open_query,
    newest_query,
    pieces_of,
    spans_among,
    spans_of,
    times_query,
)
from candle_ingestor.stores.influxdb.torn import TornReadError, read_untorn

_READS_AT_ONCE = 2
_MOST_LINES_SHOWN = 3
_MOST_DELETES = 4
_MS_IN_NS = 1_000_000

Sleep = Callable[[float], object]


@dataclass(frozen=True)
class _Page:
    """Candles of one series that go out in one request, with their lines in the column `line`."""

    series: Series
    candles: pl.DataFrame


def write_candles(http: InfluxDbHttp, changes: Iterable[SeriesChange], sleep: Sleep) -> None:
    """Inserts or replaces the candles of all changes, in requests of a few thousand.

    Raises:
        StoreRefusedError: if the server rejects lines; others may be written.
    """
    for pages in _requests(changes):
        try:
            http.write(pl.concat([page.candles["line"] for page in pages]), "ms")
        except RejectedLinesError as error:
            raise _rejected(http, pages, error, sleep) from None


def delete_candles(http: InfluxDbHttp, series: Series, open_times_ms: Sequence[int]) -> None:
    """Removes the candles of these open times, where they exist.

    Of many the times that are stored are looked at first: what has no other candle between goes in
    one request.
    """
    predicate = delete_predicate(measurement_of(series), tags_of(series))
    spans = spans_of(open_times_ms, series.timeframe.duration_ms)
    if len(spans) > _MOST_DELETES:
        stored = _open_times(http, series, Interval(spans[0][0], spans[-1][1] + 1))
        spans = spans_among(set(open_times_ms), stored)
    for first_ms, last_ms in spans:
        http.delete(predicate, first_ms * _MS_IN_NS, last_ms * _MS_IN_NS)


def delete_all(http: InfluxDbHttp, series: Series) -> None:
    """Removes every candle of a series."""
    http.delete(delete_predicate(measurement_of(series), tags_of(series)), FIRST_NS, LAST_NS)


def read_candles(
    http: InfluxDbHttp, series: Series, interval: Interval, sleep: Sleep
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


def read_newest(
    http: InfluxDbHttp, series: Collection[Series], since_ms: int, sleep: Sleep
) -> dict[Series, pl.DataFrame]:
    """The candles of each series from `since_ms` on, ascending, as `schema_of(series)`.

    Takes one request for exchanges' series and one for merged ones.

    Raises:
        TornReadError: if another program wrote points among them.
    """
    found = {one: no_candles(one) for one in series}
    for is_merged in (False, True):
        wanted = [one for one in found if one.is_merged is is_merged]
        if wanted:
            found |= read_untorn(partial(_read_newest, http, wanted, since_ms), sleep)
    return found


def last_open_ms(http: InfluxDbHttp, series: Series, before_ms: int) -> int | None:
    """The open time of the newest candle that opens before `before_ms`; None without one."""
    columns = {"time": pl.Int64()}
    times = http.query(
        last_open_query(series, before_ms), lambda body: parse_answer(body, columns)
    )["time"].to_list()
    return times[0] // _MS_IN_NS if times else None


def _open_times(http: InfluxDbHttp, series: Series, interval: Interval) -> list[int]:
    columns = {"time": pl.Int64()}
    found = http.query(times_query(series, interval), lambda body: parse_answer(body, columns))
    return sorted(time_ns // _MS_IN_NS for time_ns in found["time"])


def _requests(changes: Iterable[SeriesChange]) -> Iterator[list[_Page]]:
    pages: list[_Page] = []
    room = LINES_PER_REQUEST
    for change in changes:
        rest = no_candles(change.series) if change.candles is None else change.candles
        while not rest.is_empty():
            part, rest = rest.head(room), rest.slice(room)
            lines = candle_lines(change.series, part)
            pages.append(_Page(change.series, part.hstack([lines])))
            room -= part.height
            if room == 0:
                yield pages
                pages, room = [], LINES_PER_REQUEST
    if pages:
        yield pages


def _read_piece(
    http: InfluxDbHttp, series: Series, sleep: Sleep, interval: Interval
) -> pl.DataFrame:
    statement = candles_query(series, interval)
    columns = _columns_of(series)

    def read() -> pl.DataFrame:
        found = http.query(statement, lambda body: parse_answer(body, columns))
        return _candles(series, found)

    return read_untorn(read, sleep)


def _read_newest(
    http: InfluxDbHttp, series: Sequence[Series], since_ms: int
) -> dict[Series, pl.DataFrame]:
    """The candles of some series, exchanges' or merged ones, that have any."""
    by_tags = {tuple(map(tag_value, tags_of(one).values())): one for one in series}
    tags = dict.fromkeys(tags_of(series[0]), pl.String())
    columns = {**tags, **_columns_of(series[0])}
    rows = http.query(newest_query(series, since_ms), lambda body: parse_answer(body, columns))
    parts = rows.partition_by(list(tags), include_key=False, as_dict=True)
    return {
        by_tags[values]: _candles(by_tags[values], part)
        for values, part in parts.items()
        if values in by_tags
    }


def _columns_of(series: Series) -> dict[str, pl.DataType]:
    columns = {"time": pl.Int64(), **schema_of(series)}
    del columns["open_time_ms"]
    return columns


def _candles(series: Series, rows: pl.DataFrame) -> pl.DataFrame:
    times = rows["time"]
    if _has_nulls(rows) or not (times.diff().drop_nulls() > 0).all():
        raise TornReadError(
            f"among the candles of {series} are points with other fields or tags, "
            "which another program wrote"
        )
    return rows.select((times // _MS_IN_NS).alias("open_time_ms"), pl.exclude("time"))


def _rejected(
    http: InfluxDbHttp, pages: Iterable[_Page], error: RejectedLinesError, sleep: Sleep
) -> StoreRefusedError:
    """The error with the lines of a series that are not in the store, as far as can be told."""
    for page in pages:
        times = page.candles["open_time_ms"].to_list()
        span = Interval(min(times), max(times) + 1)
        try:
            stored = read_candles(http, page.series, span, sleep)
        except (StoreError, TornReadError):
            return error
        rejected = page.candles.join(stored, on=stored.columns, how="anti")
        if not rejected.is_empty():
            shown = "; ".join(rejected["line"].head(_MOST_LINES_SHOWN))
            return StoreRefusedError(
                f"{http.connection} rejected {rejected.height} of {page.candles.height} lines of "
                f"{page.series}, from {iso_text(rejected['open_time_ms'][0])} on: {shown}; "
                f"the reason: {error.reason}; {error.remedy}"
            )
    return error


def _has_nulls(frame: pl.DataFrame) -> bool:
    return any(column.null_count() for column in frame)
