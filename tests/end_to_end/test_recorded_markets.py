"""Recorded markets of real exchanges, against an exact computation written here."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_simulator import (
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def recorded_march(recordings_of: Callable[[str], Path]) -> Iterator[ExchangeSimulator]:
    config = SimulatorConfig(recordings=(recordings_of("market_2023_03_1m"),))
    with running_simulator(config, clock=SimulatorClock(frozen=True)) as simulator:
        yield simulator


@pytest.fixture
def march(recorded_march: ExchangeSimulator, ms_of: Callable[[str], int]) -> ExchangeSimulator:
    """The market of March 2023, five days after the recording ended."""
    recorded_march.clock.set(ms_of("2023-03-20"))
    return recorded_march


def gap(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": f"{start}:00Z", "end": f"{end}:00Z", "reason": reason}


@pytest.fixture
def assert_merged(truth: Any) -> Callable[..., Any]:
    """Compares what a job stored, exported and counted with the exact computation.

    `served` is what each exchange serves, in flag order. Returns the exact merged candles.
    """

    def check(
        job: Any,
        simulator: ExchangeSimulator,
        ticker: dict[str, Any],
        served: dict[str, str],
        span: tuple[int, int],
        *,
        timeframe: str = "1m",
        **rules: Any,
    ) -> Any:
        step_ms = {"1m": MINUTE_MS, "1h": HOUR_MS}[timeframe]
        series = {
            exchange: truth.exchange_candles(simulator, exchange, market, *span, step_ms)
            for exchange, market in served.items()
        }
        expected = truth.merged(series, **rules)
        symbol = ticker["symbol"]
        truth.assert_stored(job.stored.merged(symbol, timeframe), expected)
        truth.assert_exported(job.stored.exported(symbol), expected)
        assert job.stored.coverage("aggregated", symbol, timeframe) == [span]
        assert ticker["merged_candles"] == len(expected)
        assert ticker["disagreements"] == sum(row.disagrees for row in expected.values())
        excluded = [exchange for row in expected.values() for exchange in row.excluded]
        for exchange in served:
            assert ticker["exchanges"][exchange]["excluded"] == excluded.count(exchange)
        return expected

    return check


def test_the_recorded_market_of_march_2023_is_merged_exactly(
    job: Any, march: ExchangeSimulator, assert_merged: Any, ms_of: Any
) -> None:
    job.use(march)
    finished = job.run_well(
        now="2023-03-20",
        exchanges="coinbaseexchange,binanceus,cryptocom,kraken",
        symbols="BTC/USD",
        min_exchanges_required=3,
        backfill_start_date="2023-03-01",
        backfill_end_date="2023-03-15",
    )

    ticker = finished.ticker("BTC/USD")
    span = (ms_of("2023-03-01"), ms_of("2023-03-15"))
    sources = ("coinbaseexchange", "binanceus", "cryptocom")
    expected = assert_merged(job, march, ticker, dict.fromkeys(sources, "BTC/USD"), span)
    # Every minute is accounted for: there, or covered without a trade.
    assert len(expected) == 20_160
    for exchange in sources:
        assert job.stored.coverage(exchange, "BTC/USD") == [span]
    assert (ticker["covered_candles"], ticker["wanted_candles"]) == (20_160, 20_160)
    assert ticker["gaps"] == []
    assert ticker["exchanges"]["coinbaseexchange"]["candles"] == 19_870
    assert ticker["exchanges"]["binanceus"]["candles"] == 20_160
    assert ticker["exchanges"]["cryptocom"]["candles"] == 20_093
    kraken = ticker["exchanges"]["kraken"]
    assert kraken["gap_candles"] == {"beyond_reach": 20_160}
    assert kraken["gaps"] == [gap("2023-03-01T00:00", "2023-03-15T00:00", "beyond_reach")]
    assert (kraken["requests"], kraken["candles"]) == (0, 0)
    assert "kraken lacks: beyond_reach 20,160" in finished.output
    manifest = job.stored.manifest("BTCUSD")["months"]["2023-03"]
    assert manifest["complete"] is False
    assert manifest["gaps"] == [gap("2023-03-15T00:00", "2023-03-19T23:59", "not_fetched")]


@pytest.mark.parametrize(("minimum", "high_low"), [(2, "weighted"), (3, "extremes")])
def test_sparse_exchanges_take_part_with_what_they_have(
    job: Any, march: ExchangeSimulator, assert_merged: Any, ms_of: Any, minimum: int, high_low: str
) -> None:
    job.use(march)
    finished = job.run_well(
        now="2023-03-20",
        exchanges="binance,binanceus,coinbaseexchange",
        symbols="BTCUSDT",
        min_exchanges_required=minimum,
        high_low=high_low,
        backfill_start_date="2023-03-09",
        backfill_end_date="2023-03-13",
    )

    ticker = finished.ticker("BTC/USDT")
    exchanges = ("binance", "binanceus", "coinbaseexchange")
    expected = assert_merged(
        job,
        march,
        ticker,
        dict.fromkeys(exchanges, "BTC/USDT"),
        (ms_of("2023-03-09"), ms_of("2023-03-13")),
        extremes=high_low == "extremes",
    )
    counts = {len(row.source_exchanges) for row in expected.values()}
    assert counts == {2, 3}  # Coinbase has no candle in many minutes, and covers them all.
    assert (ticker["covered_candles"], ticker["gaps"]) == (4 * 1440, [])


def test_a_bad_print_where_no_other_exchange_trades_is_kept_as_it_is(
    job: Any, march: ExchangeSimulator, assert_merged: Any, ms_of: Any
) -> None:
    now_ms = ms_of("2023-03-15T00:00:10")
    march.clock.set(now_ms)
    job.use(march)
    finished = job.run_well(
        now=now_ms,
        exchanges="binanceus,kraken",
        symbols="BTC/USDC",
        backfill_start_date="2023-03-14",
        backfill_end_date="2023-03-15",
    )

    ticker = finished.ticker("BTC/USDC")
    served = dict.fromkeys(("binanceus", "kraken"), "BTC/USDC")
    # Kraken shows 720 candles, the one that has just begun among them.
    span = (ms_of("2023-03-14T12:01"), ms_of("2023-03-15"))
    expected = assert_merged(job, march, ticker, served, span)
    bad_print = expected[ms_of("2023-03-14T14:24")]
    assert (bad_print.values[1], bad_print.source_exchanges) == (31_000, ("binanceus",))
    morning = ("2023-03-14T00:00", "2023-03-14T12:01")
    assert ticker["gaps"] == [gap(*morning, "below_minimum")]
    assert ticker["exchanges"]["kraken"]["gaps"] == [gap(*morning, "beyond_reach")]
    assert ticker["exchanges"]["binanceus"]["gaps"] == []


def test_too_few_exchanges_in_reach_merge_nothing_and_say_so(
    job: Any, march: ExchangeSimulator
) -> None:
    job.use(march)
    finished = job.run_well(
        now="2023-03-20",
        exchanges="binance,kraken",
        symbols="BTC/USDT",
        backfill_start_date="2023-03-12",
        backfill_end_date="2023-03-13",
    )

    assert job.stored.merged("BTC/USDT") == {}
    assert len(job.stored.of_exchange("binance", "BTC/USDT")) == 1440
    ticker = finished.ticker("BTC/USDT")
    assert ticker["gaps"] == [gap("2023-03-12T00:00", "2023-03-13T00:00", "below_minimum")]
    assert ticker["covered_candles"] == 0
    assert "gaps in candles: below_minimum 1,440" in finished.output


def test_a_quote_alias_lets_another_market_serve_and_the_report_names_it(
    job: Any, march: ExchangeSimulator, assert_merged: Any, ms_of: Any
) -> None:
    job.use(march)
    finished = job.run_well(
        now="2023-03-20",
        exchanges="binance,coinbaseexchange,kraken,binanceus",
        symbols="BTC/USD",
        min_exchanges_required=3,
        quote_aliases="USD:USDT",
        max_price_deviation_pct=0.5,
        backfill_start_date="2023-03-11",
        backfill_end_date="2023-03-12",
    )

    # Binance has BTC/USDT only; the others have both, and serve what was asked for.
    served = {"binance": "BTC/USDT", "coinbaseexchange": "BTC/USD", "binanceus": "BTC/USD"}
    span = (ms_of("2023-03-11"), ms_of("2023-03-12"))
    expected = assert_merged(
        job, march, finished.ticker("BTC/USD"), served, span, deviation=Decimal("0.005")
    )
    assert any("binance" in row.excluded for row in expected.values())
    assert finished.ticker("BTC/USD")["stand_ins"] == {"binance": "BTC/USDT"}
    assert "binance serves BTC/USDT in its place" in finished.output
    assert job.stored.of_exchange("binance", "BTC/USD") == {}
    assert len(job.stored.of_exchange("binance", "BTC/USDT")) == 1440


def test_hourly_candles_across_a_month_boundary_and_krakens_edge_of_reach(
    job: Any, recordings_of: Any, assert_merged: Any, simulate: Any, ms_of: Any
) -> None:
    now_ms = ms_of("2019-07-15T00:00:10")
    simulator = simulate(now_ms=now_ms, recordings=(recordings_of("market_2019_06_1h"),))
    job.use(simulator)
    finished = job.run_well(
        now=now_ms,
        candle_granularity_minutes=60,
        exchanges="coinbasepro,kraken",
        symbols="BTC/USD,ETH/USD,LTC/USD",
        backfill_start_date="2019-06-15",
        backfill_end_date="2019-07-20",
    )

    assert "'coinbasepro' is called 'coinbaseexchange' now" in finished.errors
    # The 720th candle back from the one in progress, 00:00, opens at 01:00 thirty days before.
    reach_ms = ms_of("2019-06-15T01:00")
    span = (reach_ms, ms_of("2019-07-15"))
    for symbol in ("BTC/USD", "ETH/USD", "LTC/USD"):
        served = dict.fromkeys(("coinbaseexchange", "kraken"), symbol)
        ticker = finished.ticker(symbol)
        assert_merged(job, simulator, ticker, served, span, timeframe="1h")
        first_hour = ("2019-06-15T00:00", "2019-06-15T01:00")
        assert ticker["gaps"] == [gap(*first_hour, "below_minimum")]
        assert ticker["exchanges"]["kraken"]["gaps"] == [gap(*first_hour, "beyond_reach")]
        assert ticker["exchanges"]["coinbaseexchange"]["gaps"] == []
        assert ticker["wanted_candles"] == 720
        asset = symbol.replace("/", "")
        manifest = job.stored.manifest(asset)
        assert manifest["timeframe"] == "1h"
        assert list(manifest["months"]) == ["2019-06", "2019-07"]
        assert manifest["months"]["2019-06"]["gaps"] == [
            gap("2019-06-01T00:00", "2019-06-15T00:00", "not_fetched"),
            gap(*first_hour, "below_minimum"),
        ]
        assert manifest["months"]["2019-07"]["first_timestamp"] == "2019-07-01T00:00:00Z"
