"""The board of a symbol on the real server, over what the job wrote."""

from typing import Any

import polars as pl
import pytest

MINUTE_MS = 60_000
EXCHANGES = ("kraken", "coinbaseexchange", "binanceus")


def test_candle_by_candle_the_chart_shows_the_merged_candles(grafana: Any, world: Any) -> None:
    frame = grafana.only("symbol", "Candles of $symbol")
    merged = world.candles("aggregated")
    names = ["open", "high", "low", "close", "volume"]
    wanted = merged.select(pl.col("open_time_ms").alias("_time"), *names)
    assert pl.DataFrame(frame.columns).select("_time", *names).equals(wanted)


def test_zoomed_out_a_drawn_candle_sums_up_those_of_its_interval(grafana: Any, world: Any) -> None:
    frame = grafana.at(window="15m0s").only("symbol", "Candles of $symbol")
    quarter = (pl.col("open_time_ms") // (15 * MINUTE_MS) * (15 * MINUTE_MS)).alias("_time")
    wanted = (
        world.candles("aggregated")
        .group_by(quarter, maintain_order=True)
        .agg(pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    )
    assert len(frame.rows) == 4 * 14
    for row, expected in zip(frame.rows, wanted.iter_rows(named=True), strict=True):
        assert row.pop("volume") == pytest.approx(expected.pop("volume"), rel=1e-12)
        assert row == expected


def test_the_exchange_count_is_the_lowest_of_the_interval(grafana: Any, world: Any) -> None:
    frame = grafana.at(window="15m0s").only("symbol", "Exchanges in each candle")
    quarter = (pl.col("open_time_ms") // (15 * MINUTE_MS) * (15 * MINUTE_MS)).alias("time")
    merged = world.candles("aggregated")
    wanted = merged.group_by(quarter).agg(pl.min("exchange_count"))
    assert frame.values == dict(wanted.iter_rows())
    # An exchange without a trade in a minute is none of those that its candle is made of.
    assert len(set(frame.values.values())) > 1


@pytest.mark.parametrize(("window", "minutes"), [("1m0s", 1), ("15m0s", 15)])
def test_the_spread_is_that_of_the_closes_of_the_same_minute(
    grafana: Any, world: Any, window: str, minutes: int
) -> None:
    closes: dict[int, list[float]] = {}
    for exchange in EXCHANGES:
        candles = world.candles(exchange)
        for time_ms, close in candles.select("open_time_ms", "close").iter_rows():
            closes.setdefault(time_ms, []).append(close)
    wanted: dict[int, float] = {}
    for time_ms, found in closes.items():
        start_ms = time_ms // (minutes * MINUTE_MS) * (minutes * MINUTE_MS)
        spread = 10_000 * (max(found) - min(found)) / min(found)
        wanted[start_ms] = max(spread, wanted.get(start_ms, 0.0))
    frame = grafana.at(window=window).only("symbol", "Price spread between exchanges")
    assert frame.values == pytest.approx(wanted, rel=1e-9)
    assert 1 < max(wanted.values()) < 100


def test_closes_and_volumes_are_those_of_each_exchange(grafana: Any, world: Any) -> None:
    closes = grafana.by("exchange", "symbol", "Close by exchange")
    volumes = grafana.by("exchange", "symbol", "Volume by exchange")
    assert set(closes) == set(volumes) == set(EXCHANGES)
    for exchange in EXCHANGES:
        candles = world.candles(exchange)
        for name, drawn in (("close", closes), ("volume", volumes)):
            wanted = dict(candles.select("open_time_ms", name).iter_rows())
            assert drawn[exchange].values == wanted
        true = world.simulator.true_candles(
            exchange, "BTC/USD", MINUTE_MS, world.start_ms, world.now_ms
        )
        true_closes = {candle.open_ms: float(candle.close) for candle in true}
        assert closes[exchange].values.items() <= true_closes.items()


def test_candles_of_an_older_ingestor_are_not_mixed_with_those_of_this_one(
    grafana: Any, influx_server: Any
) -> None:
    """It wrote them without a timeframe."""
    prices = "open={0},high={0},low={0},close={0},volume=1"
    old = f"candles,currency_pair=BTC/USD {prices.format(1.5)} {grafana.start_ms}"
    new = f"candles,currency_pair=BTC/USD,timeframe=1m {prices.format(2.5)} {grafana.start_ms}"
    with influx_server.bucket() as connection:
        influx_server.write(connection.bucket, old, new, precision="ms")
        frame = grafana.at(bucket=connection.bucket).only("symbol", "Candles of $symbol")
    assert frame.row["open"] == 2.5
