"""Series and candles kept in a bucket, and what Flux shows of it."""

import csv
import io

import polars as pl
from influxd import InfluxServer
from storing import covering

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

MINUTE_MS = 60_000
DAY_MS = 86_400_000
START_MS = 1_700_000_040_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
LONG_RECORD = covering(
    IntervalSet((2 * n * MINUTE_MS, (2 * n + 1) * MINUTE_MS) for n in range(20_000))
)
SHORT_RECORD = covering(IntervalSet.of(0, MINUTE_MS))


def candles(row_count: int, start_ms: int = START_MS) -> pl.DataFrame:
    times = [start_ms + minute * MINUTE_MS for minute in range(row_count)]
    values = [minute + 0.5 for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )


def merged_candles(row_count: int) -> pl.DataFrame:
    return candles(row_count).with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


def points(
    server: InfluxServer, bucket: InfluxDbConnection, measurement: str, stop: str = "now()"
) -> list[dict[str, str]]:
    """What Flux shows of a measurement, a row a point, as a dashboard reads it."""
    text = server.flux(
        f'from(bucket: "{bucket.bucket}") |> range(start: 0, stop: {stop})'
        f' |> filter(fn: (r) => r._measurement == "{measurement}")'
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        ' |> drop(columns: ["_start", "_stop", "_measurement"])'
    )
    return [
        {name: value for name, value in row.items() if name not in ("", "result", "table")}
        for table in text.replace("\r", "").split("\n\n")
        for row in csv.DictReader(io.StringIO(table.strip()))
    ]
