"""How many candles each month of a series has, counted by the server."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of
from candle_ingestor.model.series import Series
from candle_ingestor.stores.influxdb.answers import parse_answer
from candle_ingestor.stores.influxdb.http import InfluxDbHttp
from candle_ingestor.stores.influxdb.lines import measurement_of, tag_value, tags_of
from candle_ingestor.stores.influxdb.queries import counts_query

_READS_AT_ONCE = 2
_COLUMNS: dict[str, pl.DataType] = {
    "name": pl.String(),
    "tags": pl.String(),
    "candles": pl.Int64(),
}


def count_candles(
    http: InfluxDbHttp, series: Collection[Series], span: Interval
) -> dict[Series, dict[Month, int]]:
    """The candles of each series within the span by month; months without one are left out.

    Takes a request a month for all series, since grouping by days costs the server more.
    """
    by_name = {_name(one): one for one in series}
    counts: dict[Series, dict[Month, int]] = {one: {} for one in series}
    months = months_of(IntervalSet((span,))) if counts else []

    def read(month: Month) -> pl.DataFrame:
        statement = counts_query(month.interval)
        return http.query(statement, lambda body: parse_answer(body, _COLUMNS))

    with ThreadPoolExecutor(_READS_AT_ONCE, "influxdb") as readers:
        for month, rows in zip(months, readers.map(read, months), strict=True):
            for name, tags, candles in rows.iter_rows():
                one = by_name.get((name, tags))
                if one is not None:
                    counts[one][month] = candles
    return counts


def _name(series: Series) -> tuple[str, str]:
    """The measurement and the tags of a series as an answer names them."""
    tags = sorted(tags_of(series).items())
    return measurement_of(series), ",".join(f"{name}={tag_value(text)}" for name, text in tags)
