"""Candles for an InfluxDB behind a proxy, and every call that its store makes."""

from collections.abc import Callable

import polars as pl
import pytest
from misbehaving_proxy import Fault
from storing import covering, keep, put, remove

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.store import InfluxDbStore

OpenStore = Callable[..., InfluxDbStore]
MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
RECORD = covering(IntervalSet.of(START_MS, START_MS + 10 * MINUTE_MS))
WRITE, QUERY, DELETE = "/api/v2/write", "/query", "/api/v2/delete"
DROPPED = Fault(is_dropped=True)


def candles(row_count: int, first_minute: int = 0) -> pl.DataFrame:
    times = [START_MS + (first_minute + minute) * MINUTE_MS for minute in range(row_count)]
    values = [float(first_minute + minute) for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )


CALLS: dict[str, tuple[str, Callable[[InfluxDbStore], object]]] = {
    "replace candles": (WRITE, lambda store: put(store, KRAKEN, candles(3), RECORD)),
    "replace records": (WRITE, lambda store: keep(store, {KRAKEN: RECORD})),
    "replace with a deletion": (DELETE, lambda store: remove(store, KRAKEN, [START_MS])),
    "read_candles": (QUERY, lambda store: store.read_candles(KRAKEN, EVERYTHING)),
    "read_newest": (QUERY, lambda store: store.read_newest([KRAKEN], START_MS)[KRAKEN]),
    "last_open_ms": (QUERY, lambda store: store.last_open_ms(KRAKEN, 2**60)),
    "read_records": (QUERY, lambda store: store.read_records()),
    "write_state": (WRITE, lambda store: store.write_state("s", {"k": 1})),
    "read_state": (QUERY, lambda store: store.read_state("s")),
    "write_run": (
        WRITE,
        lambda store: store.write_run({"run_id": "r", "started_ms": 1, "status": "ok"}),
    ),
    "read_runs": (QUERY, lambda store: store.read_runs(3)),
    "check": ("/ping", lambda store: store.check()),
    "require_retention": ("/api/v2/buckets", lambda store: store.require_retention(0, START_MS)),
}
every_call = pytest.mark.parametrize(("path", "call"), CALLS.values(), ids=CALLS.keys())
