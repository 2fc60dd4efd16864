"""How many candles each month of a series has, counted by the server."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import measurement_of, tag_value, tags_of
from candle_ingestor.stores.influxdb.queries import counts_query

_MOST_REQUESTS = 16
_DAYS_A_REQUEST = 100
"""The server counts some million candles a second, and an answer is waited for a few seconds."""

_MS_IN_NS = 1_000_000
_COLUMNS: dict[str, pl.DataType] = {
    "name": pl.String(),
    "tags": pl.String(),
    "time": pl.Int64(),
    "candles": pl.Int64(),
}


def count_candles(
    http: InfluxDbHttp, series: Collection[Series], span: Interval
) -> dict[Series, dict[Month, int]]:
    """The candles of each series within the span by month; months without one are left out."""
    by_name = {_name(one): one for one in series}
    counts: dict[Series, dict[Month, int]] = {one: {} for one in series}
    if not counts:
        return counts
    for piece in span.cut(_piece_ms(span)):
        rows = http.query(counts_query(piece), lambda body: parse_answer(body, _COLUMNS))
        for name, tags, time_ns, candles in rows.iter_rows():
            one = by_name.get((name, tags))
            if one is not None:
                month = Month.of(time_ns // _MS_IN_NS)
                counts[one][month] = counts[one].get(month, 0) + candles
    return counts


def _piece_ms(span: Interval) -> int:
    days = -(-span.duration_ms // DAY_MS)
    return max(_DAYS_A_REQUEST, -(-days // _MOST_REQUESTS)) * DAY_MS


def _name(series: Series) -> tuple[str, str]:
    """The measurement and the tags of a series as an answer names them."""
    tags = sorted(tags_of(series).items())
    return measurement_of(series), ",".join(f"{name}={tag_value(text)}" for name, text in tags)
