"""Measures the InfluxDB store against influxdb-client's own ways of writing and reading.

Writes and reads a month of minutes of one series, each way in turn against the same real server.
The figures are ratios within this run; the exit code is 1 when a bound is missed, and 2 when there
is no server or no pandas to measure against.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from random import Random

import polars as pl
from influxd import InfluxServer
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS, WriteApi
from measuring import Cost, at_least, best_of_each, cost_of
from real_influxdb import NO_SERVER, influx_server
from storing import put

from candle_ingestor.model.candles import EXCHANGE_CANDLES, VALUE_COLUMNS
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.lines import LINES_PER_REQUEST
from candle_ingestor.stores.influxdb.store import InfluxDbStore

try:
    import pandas as pd
except ImportError:
    pd = None

START_MS = 1_677_628_800_000  # 2023-03-01
MINUTE_MS = 60_000
ROWS = 31 * 1440
MEASUREMENT = "exchange_candles"
ROUNDS = 8

LEAST_WRITE_RATIO = 8.0
LEAST_READ_RATIO = 10.0


def main() -> int:
    if pd is None:
        print("pandas is missing, which influxdb-client's data frames need: pip install pandas")
        return 2
    with influx_server() as server:
        if server is None:
            print(NO_SERVER)
            return 2
        candles = month_of_candles()
        frame = candles.drop("open_time_ms").to_dict(as_series=False)
        times = pd.to_datetime(candles["open_time_ms"].to_list(), unit="ms")
        results = [
            *measure_writing(server, candles, pd.DataFrame(frame, index=times)),
            measure_reading(server, candles),
        ]
    return 0 if all(results) else 1


def measure_writing(
    server: InfluxServer, candles: pl.DataFrame, frame: pd.DataFrame
) -> Iterator[bool]:
    """CPU time of this process for the same lines, written and confirmed; all send gzip."""
    costs: dict[str, Cost] = {}
    rows = candles.rows()
    tags = tags_of(series_of("points"))
    for is_compressed in (True, False):
        with client_of(server, is_compressed) as client, server.bucket() as bucket:
            writer = client.write_api(write_options=SYNCHRONOUS)
            kind = "gzip" if is_compressed else "plain"
            costs[f"points, {kind}"] = best(partial(write_points, writer, bucket, tags, rows))
            costs[f"frames, {kind}"] = best(partial(write_frames, writer, bucket, tags, frame))
    with server.bucket() as bucket, closing(InfluxDbStore(bucket)) as store:
        ours = best(lambda: put(store, series_of("ours"), candles))

    print(f"writing {ROWS:,} lines: {lines_per_second(ours)}")
    for name, cost in costs.items():
        ratio = cost.cpu_seconds / ours.cpu_seconds
        print(f"  {ratio:5.1f} times the CPU with {name}: {lines_per_second(cost)}")
    fastest = min(costs[f"{kind}, gzip"].cpu_seconds for kind in ("points", "frames"))
    yield at_least(
        "writing, times the faster of the two", fastest / ours.cpu_seconds, LEAST_WRITE_RATIO
    )


def measure_reading(server: InfluxServer, candles: pl.DataFrame) -> bool:
    """Time from asking to a frame of columns."""
    series = series_of("kraken")
    month = Interval(START_MS, START_MS + ROWS * MINUTE_MS)
    with server.bucket() as bucket, closing(InfluxDbStore(bucket)) as store:
        put(store, series, candles)
        assert store.read_candles(series, month).equals(candles)
        with client_of(server, is_compressed=False) as client:
            query = pivot_query(bucket, series)
            ours, theirs = costs_of_each(
                lambda: store.read_candles(series, month),
                lambda: client.query_api().query_data_frame(query),
            )
    print(f"reading {ROWS:,} candles: {ours.seconds:.3f} s against {theirs.seconds:.3f} s")
    return at_least(
        "reading, times query_data_frame", theirs.seconds / ours.seconds, LEAST_READ_RATIO
    )


def write_points(
    writer: WriteApi,
    bucket: InfluxDbConnection,
    tags: dict[str, str],
    rows: list[tuple[float, ...]],
) -> None:
    for start in range(0, len(rows), LINES_PER_REQUEST):
        points = []
        for open_time_ms, *values in rows[start : start + LINES_PER_REQUEST]:
            point = Point(MEASUREMENT).time(open_time_ms, "ms")
            for name, text in tags.items():
                point.tag(name, text)
            for name, value in zip(VALUE_COLUMNS, values, strict=True):
                point.field(name, value)
            points.append(point)
        writer.write(bucket.bucket, bucket.org, points, write_precision="ms")


def write_frames(
    writer: WriteApi, bucket: InfluxDbConnection, tags: dict[str, str], frame: pd.DataFrame
) -> None:
    tagged = frame.assign(**tags)
    for start in range(0, len(tagged), LINES_PER_REQUEST):
        writer.write(
            bucket.bucket,
            bucket.org,
            tagged.iloc[start : start + LINES_PER_REQUEST],
            data_frame_measurement_name=MEASUREMENT,
            data_frame_tag_columns=list(tags),
            write_precision="ms",
        )


def pivot_query(bucket: InfluxDbConnection, series: Series) -> str:
    conditions = " and ".join(
        f'r.{name} == "{text}"'
        for name, text in {"_measurement": MEASUREMENT, **tags_of(series)}.items()
    )
    return (
        f'from(bucket: "{bucket.bucket}") |> range(start: 2023-03-01T00:00:00Z,'
        f" stop: 2023-04-01T00:00:00Z) |> filter(fn: (r) => {conditions})"
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    )


def month_of_candles() -> pl.DataFrame:
    random = Random(4)
    opens = [round(20_000 + random.random() * 5_000, 2) for _ in range(ROWS)]
    return pl.DataFrame(
        {
            "open_time_ms": [START_MS + row * MINUTE_MS for row in range(ROWS)],
            "open": opens,
            "high": [round(price + 3.25, 2) for price in opens],
            "low": [round(price - 2.5, 2) for price in opens],
            "close": [round(price + 0.75, 2) for price in opens],
            "volume": [round(random.random() * 10, 8) for _ in range(ROWS)],
        },
        schema=EXCHANGE_CANDLES,
    )


def series_of(exchange: str) -> Series:
    return Series(exchange, Symbol("BTC", "USD"), Timeframe(1))


def tags_of(series: Series) -> dict[str, str]:
    return {"exchange": series.exchange, "currency_pair": "BTC/USD", "timeframe": "1m"}


def client_of(server: InfluxServer, is_compressed: bool) -> InfluxDBClient:
    return InfluxDBClient(server.url, server.token, org=server.org, enable_gzip=is_compressed)


def best(call: Callable[[], object]) -> Cost:
    return costs_of_each(call)[0]


def costs_of_each(*calls: Callable[[], object]) -> list[Cost]:
    return best_of_each([partial(cost_of, call) for call in calls], ROUNDS)


def lines_per_second(cost: Cost) -> str:
    return (
        f"{ROWS / cost.cpu_seconds:,.0f} lines a second of client CPU, "
        f"{ROWS / cost.seconds:,.0f} end to end"
    )


if __name__ == "__main__":
    sys.exit(main())
