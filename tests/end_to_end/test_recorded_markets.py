"""Recorded markets against an exact computation: samples, and real ones where they are there."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exchange_simulator import (
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

SAMPLES = Path(__file__).resolve().parents[1] / "data"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
MINUTE_MS = 60_000
MOST_TOLD = 20
HOUR_MS = 3_600_000

Days = tuple[str, str]
"""The first day and the one after the last."""


@dataclass(frozen=True)
class Minutes:
    """A recorded market of minutes, in which quotes part, and a bad print stands alone.

    Attributes:
        days: all that is recorded.
        sparse_days: when some exchanges of BTC/USDT leave out many minutes.
        parted_days: when BTC/USDT is more than half a percent off BTC/USD.
        print_days: the last day, with the bad print of binanceus at 14:24 in BTC/USDC.
        later: a day after the recording ended.
    """

    folder: Path
    days: Days
    sparse_days: Days
    parted_days: Days
    print_days: Days
    later: str


@dataclass(frozen=True)
class Hours:
    """A recorded market of hours from a day on, for more than a month."""

    folder: Path
    symbols: tuple[str, ...]
    start: str
    month_start: str
    next_month: str
    thirty_days_on: str
    end: str


MINUTES = {
    "sample": Minutes(
        SAMPLES / "market_minutes",
        days=("2024-08-05", "2024-08-07"),
        sparse_days=("2024-08-05", "2024-08-07"),
        parted_days=("2024-08-06", "2024-08-07"),
        print_days=("2024-08-06", "2024-08-07"),
        later="2024-08-12",
    ),
    "recorded": Minutes(
        RECORDED / "market_2023_03_1m",
        days=("2023-03-01", "2023-03-15"),
        sparse_days=("2023-03-09", "2023-03-13"),
        parted_days=("2023-03-11", "2023-03-12"),
        print_days=("2023-03-14", "2023-03-15"),
        later="2023-03-20",
    ),
}
HOURS = {
    "sample": Hours(
        SAMPLES / "market_hours",
        ("BTC/USD", "ETH/USD"),
        start="2024-08-15",
        month_start="2024-08-01",
        next_month="2024-09-01",
        thirty_days_on="2024-09-14",
        end="2024-09-19",
    ),
    "recorded": Hours(
        RECORDED / "market_2019_06_1h",
        ("BTC/USD", "ETH/USD", "LTC/USD"),
        start="2019-06-15",
        month_start="2019-06-01",
        next_month="2019-07-01",
        thirty_days_on="2019-07-15",
        end="2019-07-20",
    ),
}


def those_there(markets: dict[str, Any]) -> list[Any]:
    return [pytest.param(m, id=kind) for kind, m in markets.items() if m.folder.is_dir()]


@pytest.fixture(scope="module", params=those_there(MINUTES))
def minutes(request: pytest.FixtureRequest) -> Minutes:
    market: Minutes = request.param
    return market


@pytest.fixture(scope="module")
def simulated_minutes(minutes: Minutes) -> Iterator[ExchangeSimulator]:
    config = SimulatorConfig(recordings=(minutes.folder,))
    with running_simulator(config, clock=SimulatorClock(frozen=True)) as simulator:
        yield simulator


@pytest.fixture
def market(
    minutes: Minutes, simulated_minutes: ExchangeSimulator, ms_of: Callable[[str], int]
) -> ExchangeSimulator:
    """The market of minutes, days after the recording ended."""
    simulated_minutes.clock.set(ms_of(f"{minutes.later}T00:00:30"))
    return simulated_minutes


@pytest.fixture
def replay(job: Any, market: ExchangeSimulator, minutes: Minutes) -> Callable[..., Any]:
    """`replay(days, **flags)`: what a run over these days of the market ended with."""

    def run(days: Days, **flags: Any) -> Any:
        job.use(market)
        return job.run_well(
            now=market.clock.now_ms(),
            backfill_start_date=days[0],
            backfill_end_date=days[1],
            export_format="both",
            **flags,
        )

    return run


def recorded_candles(minutes: Minutes, name: str) -> int:
    content = gzip.decompress((minutes.folder / f"{name}.csv.gz").read_bytes())
    return len(content.splitlines()) - 1


def gap(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": f"{start}:00Z", "end": f"{end}:00Z", "reason": reason}


def beyond_krakens_reach(start: str, end: str, file: str) -> dict[str, Any]:
    """A gap of Kraken within a quarter, with the published file that has it."""
    year, month = start[:4], int(start[5:7])
    archive = f"Kraken_OHLCVT_Q{(month + 2) // 3}_{year}.zip"
    return gap(start, end, "beyond_reach") | {"files": [f"{file} of {archive}"]}


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
        exported = job.stored.exported(symbol, timeframe=timeframe)
        truth.assert_exported(exported, expected)
        table = verified_table(job.stored.data_root, symbol, timeframe)
        assert table.equals(exported.frame)
        assert job.stored.coverage("aggregated", symbol, timeframe) == [span]
        assert ticker["merged_candles"] == len(expected)
        assert ticker["disagreements"] == sum(row.disagrees for row in expected.values())
        disagreeing = [time_ms for time_ms, row in sorted(expected.items()) if row.disagrees]
        assert times_of(ticker["disagreement_minutes"]) == list(map(iso, disagreeing[:MOST_TOLD]))
        for exchange in served:
            part = ticker["exchanges"][exchange]
            excluded = [ms for ms, row in sorted(expected.items()) if exchange in row.excluded]
            assert part["excluded"] == len(excluded)
            assert times_of(part["excluded_minutes"]) == list(map(iso, excluded[:MOST_TOLD]))
        return expected

    return check


def verified_table(data_root: Path, symbol: str, timeframe: str) -> pl.DataFrame:
    """The rows of the merged series in the Parquet table, whose digests are those of its manifest.

    Times are in UTC ms, as the loader gives them. Every row is in the file of its month.
    """
    name = f"symbol={symbol.replace('/', '')}/timeframe={timeframe}"
    folder = data_root / "parquet/exchange=aggregated" / name
    manifest = json.loads((folder / "_manifest.json").read_text())
    months = []
    for month, entry in manifest["months"].items():
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        rows = pl.read_parquet(io.BytesIO(content))
        assert rows["timestamp"].dt.strftime("%Y-%m").unique().to_list() == [month]
        months.append(rows)
    times = pl.col("timestamp").dt.epoch("ms").alias("timestamp_ms")
    return pl.concat(months).select(times, "open", "high", "low", "close", "volume")


def iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def times_of(minutes: list[dict[str, Any]]) -> list[str]:
    return [minute["time"] for minute in minutes]


def test_a_recorded_market_is_merged_exactly_and_every_minute_accounted_for(
    job: Any,
    market: ExchangeSimulator,
    minutes: Minutes,
    replay: Callable[..., Any],
    assert_merged: Any,
    ms_of: Any,
) -> None:
    finished = replay(
        minutes.days,
        exchanges="coinbaseexchange,binanceus,cryptocom,kraken",
        symbols="BTC/USD",
        min_exchanges_required=3,
        report="full",
    )

    ticker = finished.ticker("BTC/USD")
    start, end = minutes.days
    span = (ms_of(start), ms_of(end))
    count = (span[1] - span[0]) // MINUTE_MS
    sources = ("coinbaseexchange", "binanceus", "cryptocom")
    expected = assert_merged(job, market, ticker, dict.fromkeys(sources, "BTC/USD"), span)
    # Every minute is accounted for: there, or covered without a trade.
    assert len(expected) == count
    for exchange in sources:
        assert job.stored.coverage(exchange, "BTC/USD") == [span]
        name = f"{exchange.removesuffix('exchange')}_BTC-USD"
        candles = recorded_candles(minutes, name)
        assert ticker["exchanges"][exchange]["candles"] == candles
        assert candles <= count
    assert (ticker["covered_candles"], ticker["wanted_candles"]) == (count, count)
    assert ticker["gaps"] == []
    kraken = ticker["exchanges"]["kraken"]
    assert kraken["gap_candles"] == {"beyond_reach": count}
    assert kraken["gaps"] == [
        beyond_krakens_reach(f"{start}T00:00", f"{end}T00:00", "XBTUSD_1.csv")
    ]
    assert (kraken["requests"], kraken["candles"]) == (0, 0)
    assert f"kraken lacks: beyond_reach {count:,}" in finished.output
    month = start[:7]
    manifest = job.stored.manifest("BTCUSD")["months"][month]
    assert manifest["complete"] is False
    gaps = [
        gap(f"{first}T00:00", f"{until}T00:00", "not_fetched")
        for first, until in ((f"{month}-01", start), (end, minutes.later))
        if first != until
    ]
    assert manifest["gaps"] == gaps


def test_sparse_exchanges_take_part_with_what_they_have(
    job: Any,
    market: ExchangeSimulator,
    minutes: Minutes,
    replay: Callable[..., Any],
    assert_merged: Any,
    ms_of: Any,
) -> None:
    finished = replay(
        minutes.sparse_days,
        exchanges="binance,binanceus,coinbaseexchange",
        symbols="BTCUSDT",
        min_exchanges_required=2,
        high_low="extremes",
    )

    ticker = finished.ticker("BTC/USDT")
    exchanges = ("binance", "binanceus", "coinbaseexchange")
    span = (ms_of(minutes.sparse_days[0]), ms_of(minutes.sparse_days[1]))
    served = dict.fromkeys(exchanges, "BTC/USDT")
    expected = assert_merged(job, market, ticker, served, span, extremes=True)
    counts = {len(row.source_exchanges) for row in expected.values()}
    assert counts == {2, 3}  # Coinbase has no candle in many minutes, and covers them all.
    assert (ticker["covered_candles"], ticker["gaps"]) == (ticker["wanted_candles"], [])


def test_a_bad_print_where_no_other_exchange_trades_is_kept_as_it_is(
    job: Any,
    market: ExchangeSimulator,
    minutes: Minutes,
    replay: Callable[..., Any],
    assert_merged: Any,
    ms_of: Any,
) -> None:
    day, end = minutes.print_days
    market.clock.set(ms_of(f"{end}T00:00:10"))
    finished = replay(minutes.print_days, exchanges="binanceus,kraken", symbols="BTC/USDC")

    ticker = finished.ticker("BTC/USDC")
    served = dict.fromkeys(("binanceus", "kraken"), "BTC/USDC")
    # Kraken shows 720 candles, the one that has just begun among them; two are a margin. Silence
    # from there to the first one is no trade, since the days before had some.
    noon = f"{day}T12:03"
    expected = assert_merged(job, market, ticker, served, (ms_of(noon), ms_of(end)))
    bad_print = expected[ms_of(f"{day}T14:24")]
    assert bad_print.values[1] > bad_print.values[3] * Fraction(115, 100)
    assert bad_print.source_exchanges == ("binanceus",)
    morning = (f"{day}T00:00", noon)
    assert ticker["gaps"] == [gap(*morning, "below_minimum")]
    assert ticker["exchanges"]["kraken"]["gaps"] == [
        beyond_krakens_reach(*morning, "XBTUSDC_1.csv")
    ]
    assert ticker["exchanges"]["binanceus"]["gaps"] == []


def test_too_few_exchanges_in_reach_merge_nothing_and_say_so(
    job: Any, minutes: Minutes, replay: Callable[..., Any]
) -> None:
    finished = replay(minutes.parted_days, exchanges="binanceus,kraken", symbols="BTC/USD")

    assert job.stored.merged("BTC/USD") == {}
    assert len(job.stored.of_exchange("binanceus", "BTC/USD")) == 1440
    ticker = finished.ticker("BTC/USD")
    start, end = minutes.parted_days
    assert ticker["gaps"] == [gap(f"{start}T00:00", f"{end}T00:00", "below_minimum")]
    assert ticker["covered_candles"] == 0
    assert (
        f"BTC/USD 1,440 of 1,440 1m intervals missing, the first at {start}T00:00Z: "
        "below_minimum 1,440" in finished.output
    )
    assert "0 of 1 complete" in finished.output


def test_a_quote_alias_lets_another_market_serve_and_the_report_names_it(
    job: Any,
    market: ExchangeSimulator,
    minutes: Minutes,
    replay: Callable[..., Any],
    assert_merged: Any,
    ms_of: Any,
) -> None:
    finished = replay(
        minutes.parted_days,
        exchanges="binance,coinbaseexchange,kraken,binanceus",
        symbols="BTC/USD",
        min_exchanges_required=3,
        quote_aliases="USD:USDT",
        max_price_deviation_pct=0.5,
    )

    # Binance has BTC/USDT only; the others have both, and serve what was asked for.
    served = {"binance": "BTC/USDT", "coinbaseexchange": "BTC/USD", "binanceus": "BTC/USD"}
    span = (ms_of(minutes.parted_days[0]), ms_of(minutes.parted_days[1]))
    expected = assert_merged(
        job, market, finished.ticker("BTC/USD"), served, span, deviation=Decimal("0.005")
    )
    assert any("binance" in row.excluded for row in expected.values())
    assert finished.ticker("BTC/USD")["stand_ins"] == {"binance": "BTC/USDT"}
    assert "binance serves BTC/USDT in place of BTC/USD" in finished.output
    assert job.stored.of_exchange("binance", "BTC/USD") == {}
    assert len(job.stored.of_exchange("binance", "BTC/USDT")) == 1440


@pytest.mark.parametrize("hours", those_there(HOURS))
def test_hourly_candles_across_a_month_boundary_and_krakens_edge_of_reach(
    job: Any, hours: Hours, assert_merged: Any, simulate: Any, ms_of: Any
) -> None:
    now_ms = ms_of(f"{hours.thirty_days_on}T00:00:10")
    simulator = simulate(now_ms=now_ms, recordings=(hours.folder,))
    job.use(simulator)
    finished = job.run_well(
        now=now_ms,
        candle_granularity_minutes=60,
        exchanges="coinbasepro,kraken",
        symbols=",".join(hours.symbols),
        backfill_start_date=hours.start,
        backfill_end_date=hours.end,
        export_format="both",
    )

    assert "'coinbasepro' is called 'coinbaseexchange' now" in finished.errors
    # The 720th candle back from the one in progress, 00:00, opens at 01:00 thirty days before; two
    # are a margin.
    first_hours = (f"{hours.start}T00:00", f"{hours.start}T03:00")
    span = (ms_of(first_hours[1]), ms_of(hours.thirty_days_on))
    month, next_month = hours.month_start[:7], hours.next_month[:7]
    for symbol in hours.symbols:
        served = dict.fromkeys(("coinbaseexchange", "kraken"), symbol)
        ticker = finished.ticker(symbol)
        assert_merged(job, simulator, ticker, served, span, timeframe="1h")
        assert ticker["gaps"] == [gap(*first_hours, "below_minimum")]
        assert ticker["exchanges"]["kraken"]["gaps"] == [
            beyond_krakens_reach(
                *first_hours, f"{symbol.replace('BTC', 'XBT').replace('/', '')}_60.csv"
            )
        ]
        assert ticker["exchanges"]["coinbaseexchange"]["gaps"] == []
        assert ticker["wanted_candles"] == 720
        manifest = job.stored.manifest(f"{symbol.replace('/', '')}_1h")
        assert manifest["timeframe"] == "1h"
        assert list(manifest["months"]) == [month, next_month]
        assert manifest["months"][month]["gaps"] == [
            gap(f"{hours.month_start}T00:00", f"{hours.start}T00:00", "not_fetched"),
            gap(*first_hours, "below_minimum"),
        ]
        first_timestamp = manifest["months"][next_month]["first_timestamp"]
        assert first_timestamp == f"{hours.next_month}T00:00:00Z"
