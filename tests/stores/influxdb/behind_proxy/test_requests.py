"""How many requests reading and writing take."""

import gzip

import polars as pl
from faulty_influxdb import KRAKEN, MINUTE_MS, QUERY, RECORD, START_MS, WRITE, OpenStore, candles
from misbehaving_proxy import MisbehavingProxy
from storing import covering, put

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import (
    SeriesChange,
)
from candle_ingestor.stores.influxdb.store import InfluxDbStore


def test_lines_go_out_as_gzip_in_requests_of_a_few_thousand(
    store: InfluxDbStore, proxy: MisbehavingProxy
) -> None:
    put(store, KRAKEN, candles(12_000), RECORD)

    *writes, _ = [request for request in proxy.requests if request.path.startswith(WRITE)]
    assert {request.headers["Content-Encoding"] for request in writes} == {"gzip"}
    lines = [gzip.decompress(request.body).decode().splitlines() for request in writes]
    assert [len(batch) for batch in lines] == [5_000, 5_000, 2_000]
    assert lines[0][0] == (
        "exchange_candles,currency_pair=BTC/USD,exchange=kraken,timeframe=1m "
        f"open=0.0,high=0.0,low=0.0,close=0.0,volume=0.0 {START_MS}"
    )


ALL_SERIES = [
    Series(exchange, Symbol(f"A{number}", "USD"), Timeframe(1))
    for number in range(200)
    for exchange in ("kraken", "binance", "coinbaseexchange", "aggregated")
]


def candles_of(series: Series, row_count: int) -> pl.DataFrame:
    frame = candles(row_count)
    if not series.is_merged:
        return frame
    return frame.with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


def test_200_symbols_are_read_in_four_requests_over_one_connection(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    """What every series is known to be, its newest candles, and the state."""
    records = {
        one: covering(
            RECORD.covered,
            reasons={GapReason.REJECTED: IntervalSet.of(0, (number + 1) * MINUTE_MS)},
        )
        for number, one in enumerate(ALL_SERIES)
    }
    state = {f"A{number}/USD-catch_up": number for number in range(200)}
    filler = open_store()
    filler.replace([SeriesChange(one, records[one], candles_of(one, 3)) for one in ALL_SERIES])
    filler.write_state("ingestor", state)
    store = open_store()
    proxy.requests.clear()
    connections = proxy.connections

    assert store.read_records() == records
    newest = store.read_newest(ALL_SERIES, START_MS + MINUTE_MS)
    assert store.read_state("ingestor") == state
    assert proxy.paths() == [QUERY] * 4
    store.write_state("ingestor", state)

    assert [*proxy.paths("GET"), *proxy.paths()] == ["/api/v2/buckets", *[QUERY] * 4, WRITE]
    assert proxy.connections - connections == 1
    for one in ALL_SERIES:
        assert newest[one].equals(candles_of(one, 3).tail(2))


def test_200_symbols_are_written_in_three_requests(
    open_store: OpenStore, proxy: MisbehavingProxy
) -> None:
    """The cautious records, the candles, the records; what is true already is written once."""
    store = open_store()
    store.replace([SeriesChange(one, RECORD, candles_of(one, 3)) for one in ALL_SERIES])
    cautious = covering(IntervalSet.of(START_MS, START_MS + MINUTE_MS))
    proxy.requests.clear()

    store.replace(
        [
            SeriesChange(one, RECORD, candles_of(one, 5), cautious=cautious)
            for one in ALL_SERIES[:-1]
        ]
        + [SeriesChange(ALL_SERIES[-1], RECORD, cautious=RECORD)]
    )

    assert proxy.paths() == [WRITE] * 3
    measurements = [
        {line.partition(",")[0] for line in gzip.decompress(request.body).decode().splitlines()}
        for request in proxy.requests
    ]
    assert measurements == [
        {"candle_coverage"},
        {"candles", "exchange_candles"},
        {"candle_coverage"},
    ]
    assert gzip.decompress(proxy.requests[0].body).count(b"A199") == 4
    assert gzip.decompress(proxy.requests[2].body).count(b"A199") == 3
    assert open_store().read_records() == dict.fromkeys(ALL_SERIES, RECORD)
