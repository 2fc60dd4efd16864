"""InfluxQL and delete predicates, with every value from outside quoted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from candle_ingestor.model.candles import schema_of
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.stores.influxdb.lines import (
    CANDLE_COVERAGE,
    CANDLES,
    EXCHANGE_CANDLES,
    IMPORTED_FILES,
    INGESTION_RUNS,
    PROCESSING_STATE,
    measurement_of,
    tag_value,
    tags_of,
)

FIRST_NS = -(2**63) + 2
LAST_NS = 2**63 - 2
"""The times that InfluxDB can keep."""

_WEEK_MS = 7 * DAY_MS
_A_MONDAY_MS = 4 * DAY_MS
_LEAST_CANDLES_TO_CUT = 10_000
_MOST_PIECES = 16


def text_literal(text: str) -> str:
    """The text as an InfluxQL string.

    Raises:
        ValueError: if it holds a carriage return or NUL, which InfluxQL has no words for.
    """
    return "'" + _escaped(text).replace("'", "\\'") + "'"


def identifier(text: str) -> str:
    """The text as a quoted InfluxQL identifier.

    Raises:
        ValueError: if it holds a carriage return or NUL, which InfluxQL has no words for.
    """
    return '"' + _escaped(text).replace('"', '\\"') + '"'


def pieces_of(interval: Interval, length_ms: int) -> list[Interval]:
    """The interval in ascending pieces that are read faster one by one.

    InfluxDB keeps a week (with short retention a day) in a shard, from Monday on, and merges row
    by row what it reads from more than one. An interval of few candles, or of no bounds to speak
    of, stays whole.
    """
    first_ms = interval.start_ms - (interval.start_ms - _A_MONDAY_MS) % _WEEK_MS + _WEEK_MS
    edges = range(first_ms, interval.end_ms, _WEEK_MS)
    if interval.duration_ms < _LEAST_CANDLES_TO_CUT * length_ms or len(edges) >= _MOST_PIECES:
        return [interval]
    bounds = (interval.start_ms, *edges, interval.end_ms)
    return [Interval(*piece) for piece in pairwise(bounds)]


def with_end_mark(statement: str, database: str) -> str:
    """The statement, and another one whose answer proves that the first came to its end.

    An answer in CSV does not say that its statement failed: it is then empty, as if there were no
    data. What follows a failed statement is not executed, so that its answer is missing too.
    """
    return f"{statement}; SHOW RETENTION POLICIES ON {identifier(database)}"


def candles_query(series: Series, interval: Interval) -> str:
    """The candles whose open time lies in the interval."""
    return (
        f"SELECT {_columns(_value_columns(series))} FROM {identifier(measurement_of(series))}"
        f" WHERE {_all_equal(tags_of(series))} AND time >= {_time_ns(interval.start_ms)}"
        f" AND time < {_time_ns(interval.end_ms)}"
    )


def newest_query(series: Sequence[Series], since_ms: int) -> str:
    """The candles from `since_ms` on, with their tags, of these series and of others.

    The series are exchanges' ones or merged ones, and at least one. Only the timeframes are named:
    a server finds by time what is new of all series faster than what it is of each.
    """
    columns = [*tags_of(series[0]), *_value_columns(series[0])]
    timeframes = sorted({str(one.timeframe) for one in series})
    return (
        f"SELECT {_columns(columns)} FROM {identifier(measurement_of(series[0]))}"
        f" WHERE {_any_equal('timeframe', timeframes)}"
        f" AND time >= {_time_ns(since_ms)} AND time <= {LAST_NS}"
    )


def count_query(symbols: Iterable[str], span: Interval) -> str:
    """How many candles each series of these symbols has that open in the span."""
    return (
        f'SELECT COUNT("open") AS "candles" FROM {CANDLES}, {EXCHANGE_CANDLES}'
        f" WHERE {_any_equal('currency_pair', symbols)}"
        f" AND time >= {_time_ns(span.start_ms)} AND time < {_time_ns(span.end_ms)}"
        ' GROUP BY "exchange", "currency_pair", "timeframe"'
    )


def last_open_query(series: Series, before_ms: int) -> str:
    """The newest candle that opens before `before_ms`."""
    return (
        f'SELECT "open" FROM {identifier(measurement_of(series))}'
        f" WHERE {_all_equal(tags_of(series))} AND time >= {FIRST_NS}"
        f" AND time < {_time_ns(before_ms)} ORDER BY time DESC LIMIT 1"
    )


def records_query() -> str:
    """The records of all series."""
    columns = (
        "exchange",
        "currency_pair",
        "timeframe",
        "part",
        "part_count",
        "digest",
        "intervals",
    )
    return f"SELECT {_columns(columns)} FROM {CANDLE_COVERAGE}"


def imported_files_query(columns: Iterable[str]) -> str:
    """These tags and fields of every record of a file."""
    return f"SELECT {_columns(columns)} FROM {IMPORTED_FILES}"


def state_query(service_identifier: str) -> str:
    """The newest value of each key."""
    return (
        'SELECT LAST("last_processed_timestamp_ms") AS "value", "key"'
        f" FROM {PROCESSING_STATE} WHERE {_all_equal({'service_identifier': service_identifier})}"
        f' AND "key" != \'\' AND time >= {FIRST_NS} AND time <= {LAST_NS} GROUP BY "key"'
    )


def runs_query(newest: int) -> str:
    """The newest runs, newest first."""
    return (
        'SELECT "run_id", "status", "report_digest", "report_parts", /^report_part_[0-9]+$/'
        f" FROM {INGESTION_RUNS} ORDER BY time DESC LIMIT {newest}"
    )


def statuses_query(time_ns: int) -> str:
    """Which runs are kept at that time, and as what."""
    return f'SELECT "run_id", "status" FROM {INGESTION_RUNS} WHERE time = {time_ns}'


def field_query(measurement: str, tags: Mapping[str, str], field: str) -> str:
    """One field of every point with these tags."""
    return f"SELECT {identifier(field)} FROM {identifier(measurement)} WHERE {_all_equal(tags)}"


def delete_predicate(measurement: str, tags: Mapping[str, str]) -> str:
    """What a point must match to be deleted."""
    pairs = {"_measurement": measurement, **{name: tag_value(tags[name]) for name in tags}}
    return " AND ".join(f"{name}={identifier(value)}" for name, value in pairs.items())


def time_text(time_ns: int) -> str:
    """The time as a delete takes it, to the nanosecond."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def spans_of(open_times_ms: Iterable[int], length_ms: int) -> list[tuple[int, int]]:
    """The open times as spans `(first, last)` of neighbours, both included, ascending."""
    spans: list[tuple[int, int]] = []
    for time_ms in sorted(set(open_times_ms)):
        if spans and time_ms - spans[-1][1] == length_ms:
            spans[-1] = (spans[-1][0], time_ms)
        else:
            spans.append((time_ms, time_ms))
    return spans


def _value_columns(series: Series) -> list[str]:
    return [name for name in schema_of(series) if name != "open_time_ms"]


def _time_ns(time_ms: int) -> int:
    """The time in ns, or the nearest that InfluxDB can keep."""
    return min(max(time_ms * 1_000_000, FIRST_NS), LAST_NS + 1)


def _columns(names: Iterable[str]) -> str:
    return ", ".join(map(identifier, names))


def _all_equal(tags: Mapping[str, str]) -> str:
    return " AND ".join(_equal(name, text) for name, text in tags.items())


def _any_equal(name: str, texts: Iterable[str]) -> str:
    return "(" + " OR ".join(_equal(name, text) for text in texts) + ")"


def _equal(name: str, text: str) -> str:
    return f"{identifier(name)} = {text_literal(tag_value(text))}"


def _escaped(text: str) -> str:
    if "\r" in text or "\0" in text:
        raise ValueError("InfluxQL can say no text with a carriage return or NUL")
    return text.replace("\\", "\\\\").replace("\n", "\\n")
