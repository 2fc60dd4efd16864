"""How many candles series have in parts of months, counted by the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import measurement_of, tag_value, tags_of
from candle_ingestor.stores.influxdb.queries import count_query

_COLUMNS: dict[str, pl.DataType] = {
    "name": pl.String(),
    "tags": pl.String(),
    "candles": pl.Int64(),
}


def count_within(http: InfluxDbHttp, wanted: Sequence[tuple[Series, Interval]]) -> list[int]:
    """The candles of each series within its interval, in a request an interval."""
    symbols: dict[Interval, dict[str, None]] = {}
    for series, interval in wanted:
        symbols.setdefault(interval, {})[str(series.symbol)] = None
    counted = {interval: _counted(http, symbols[interval], interval) for interval in symbols}
    return [counted[interval].get(_name(series), 0) for series, interval in wanted]


def _counted(
    http: InfluxDbHttp, symbols: Iterable[str], interval: Interval
) -> dict[tuple[str, str], int]:
    statement = count_query(symbols, interval)
    rows = http.query(statement, lambda body: parse_answer(body, _COLUMNS))
    return {(name, tags): candles for name, tags, candles in rows.iter_rows()}


def _name(series: Series) -> tuple[str, str]:
    """The measurement and the tags of a series as an answer names them."""
    tags = sorted(tags_of(series).items())
    return measurement_of(series), ",".join(f"{name}={tag_value(text)}" for name, text in tags)
