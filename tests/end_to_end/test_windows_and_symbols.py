"""What a run wants: symbols of their own history, listings, bounds, digits, exports, the report."""

import json
import re
from typing import Any

import pytest

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def gap(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": f"{start}:00Z", "end": f"{end}:00Z", "reason": reason}


@pytest.fixture
def new_run(new_job: Any, simulate: Any) -> Any:
    """`new_run(now_ms, simulator_settings, **flags)`: a job and its simulator."""

    def make(now_ms: int, simulator_settings: dict[str, Any], **flags: Any) -> tuple[Any, Any]:
        simulator = simulate(now_ms=now_ms, **simulator_settings)
        job = new_job("run", now=now_ms, **flags)
        job.use(simulator)
        return job, simulator

    return make


def test_a_symbols_file_gives_each_symbol_its_own_history_and_digits(
    new_run: Any, ms_of: Any, truth: Any
) -> None:
    job, simulator = new_run(
        ms_of("2024-05-10T00:00:10"),
        {},
        exchanges="coinbaseexchange,bitstamp",
        candle_granularity_minutes=60,
        backfill_start_date="2_days_ago",
    )
    symbols = [
        {"symbol": "BTC/USD", "tier": 1, "history_start": "2024-04-28"},
        {"symbol": "ethusd", "price_decimal_digits": 5, "volume_decimal_digits": 3},
        "SOL-USD",
    ]
    (job.folder / "symbols.json").write_text(json.dumps(symbols))
    finished = job.run_well(symbols_file="symbols.json", volume_decimal_digits=6)

    now_ms = ms_of("2024-05-10")
    starts = {"BTC/USD": ms_of("2024-04-28"), "ETH/USD": now_ms - 2 * DAY_MS}
    starts["SOL/USD"] = starts["ETH/USD"]
    for symbol, start_ms in starts.items():
        assert job.stored.coverage("aggregated", symbol, "1h") == [(start_ms, now_ms)]
        assert finished.ticker(symbol)["wanted_candles"] == (now_ms - start_ms) // HOUR_MS
        series = {
            exchange: truth.exchange_candles(simulator, exchange, symbol, start_ms, now_ms, HOUR_MS)
            for exchange in ("coinbaseexchange", "bitstamp")
        }
        expected = truth.merged(series)
        truth.assert_stored(job.stored.merged(symbol, "1h"), expected)
        truth.assert_exported(job.stored.exported(symbol, timeframe="1h"), expected)
    digits = {
        asset: tuple(
            job.stored.manifest(f"{asset}_1h")[f"{kind}_decimal_digits"]
            for kind in ("price", "volume")
        )
        for asset in ("BTCUSD", "ETHUSD", "SOLUSD")
    }
    # The finest of the markets' own prices, where nothing is said of them.
    assert digits == {"BTCUSD": (2, 6), "ETHUSD": (5, 3), "SOLUSD": (2, 6)}
    assert list(job.stored.manifest("BTCUSD_1h")["months"]) == ["2024-04", "2024-05"]


def test_an_exchanges_own_candles_are_exported_on_request_with_its_own_digits(
    new_run: Any, ms_of: Any, truth: Any
) -> None:
    span = (ms_of("2024-05-08"), ms_of("2024-05-09"))
    job, simulator = new_run(
        ms_of("2024-05-10"),
        {},
        exchanges="coinbaseexchange,bitstamp",
        symbols="BTC/USD",
        backfill_start_date="2024-05-08",
        backfill_end_date="2024-05-09",
        export_exchange_candles=True,
    )
    job.run_well()
    for exchange, digits in (("coinbaseexchange", 2), ("bitstamp", 0)):
        own = truth.exchange_candles(simulator, exchange, "BTC/USD", *span)
        exported = job.stored.exported("BTC/USD", exchange)
        assert exported.price_decimal_digits == digits
        truth.assert_exported(exported, truth.merged({exchange: own}))
    assert job.stored.exported("BTC/USD").price_decimal_digits == 2


def test_without_export_no_csv_is_written_and_a_later_run_catches_up_on_it(
    new_run: Any, ms_of: Any
) -> None:
    job, _ = new_run(
        ms_of("2024-05-10"),
        {},
        exchanges="bitstamp",
        symbols="BTC/USD",
        candle_granularity_minutes=60,
        backfill_start_date="2024-04-20",
        backfill_end_date="2024-05-09",
    )
    job.run_well(export_csv=False)
    assert not job.stored.data_root.exists()
    finished = job.run_well()
    assert len(finished.ticker("BTC/USD")["files_written"]) == 2
    rows = job.stored.merged("BTC/USD", "1h")
    exported = job.stored.exported("BTC/USD", timeframe="1h")
    assert exported.frame["timestamp_ms"].to_list() == sorted(rows)


def test_a_symbol_listed_later_on_is_not_listed_yet_before(
    new_run: Any, ms_of: Any, truth: Any
) -> None:
    listed_ms = ms_of("2024-05-08T15:30")
    job, simulator = new_run(
        ms_of("2024-05-10T00:00:10"),
        {"listed_since_ms": {"SOL": listed_ms}},
        exchanges="coinbaseexchange,binanceus",
        symbols="SOL/USD,BTC/USD",
        backfill_start_date="2024-05-06",
    )
    finished = job.run_well(report="full")

    # Found by daily candles: of the day it was listed every minute is asked for.
    before = gap("2024-05-06T00:00", "2024-05-08T00:00", "not_listed_yet")
    ticker = finished.ticker("SOL/USD")
    assert ticker["gaps"] == [before]
    assert ticker["covered_candles"] == 2 * 1440
    for part in ticker["exchanges"].values():
        assert part["gaps"] == [before]
    assert "missing: not_listed_yet 2,880" in finished.output
    # What was never there is not waited for.
    assert "2 of 2 complete" in finished.output
    assert finished.ticker("BTC/USD")["gaps"] == []
    series = {
        exchange: truth.exchange_candles(
            simulator, exchange, "SOL/USD", listed_ms, ms_of("2024-05-10")
        )
        for exchange in ("coinbaseexchange", "binanceus")
    }
    truth.assert_stored(job.stored.merged("SOL/USD"), truth.merged(series))
    assert min(job.stored.merged("SOL/USD")) >= listed_ms

    # Known from now on, and not looked for again.
    simulator.requests.reset()
    job.run_well()
    assert simulator.requests.candle_request_count("coinbaseexchange") == 2


def test_a_symbol_that_is_not_traded_yet_at_all_is_accounted_for(new_run: Any, ms_of: Any) -> None:
    job, _ = new_run(
        ms_of("2024-05-10T00:00:10"),
        {"listed_since_ms": {"SOL": ms_of("2024-06-01")}},
        exchanges="coinbaseexchange,bitstamp",
        symbols="SOL/USD",
        backfill_start_date="2024-05-08",
    )
    finished = job.run_well()
    ticker = finished.ticker("SOL/USD")
    assert ticker["gap_candles"] == {"not_listed_yet": 2 * 1440}
    assert job.stored.merged("SOL/USD") == {}


def test_exchanges_that_list_different_symbols_serve_what_they_have(
    new_run: Any, ms_of: Any
) -> None:
    job, _ = new_run(
        ms_of("2024-05-10"),
        {},
        exchanges="binance,binanceus,bitstamp",
        symbols="BTC/USD,BTC/USDT",
        min_exchanges_required=2,
        backfill_start_date="2024-05-08",
        backfill_end_date="2024-05-09",
    )
    finished = job.run_well()
    assert list(finished.ticker("BTC/USD")["exchanges"]) == ["binanceus", "bitstamp"]
    assert list(finished.ticker("BTC/USDT")["exchanges"]) == ["binance", "binanceus"]
    for symbol in ("BTC/USD", "BTC/USDT"):
        assert job.stored.coverage("aggregated", symbol) == [
            (ms_of("2024-05-08"), ms_of("2024-05-09"))
        ]


def test_a_market_quiet_for_longer_than_a_page_is_covered_all_the_same(
    new_run: Any, ms_of: Any, tmp_path: Any, write_recording: Any
) -> None:
    start_ms, end_ms = ms_of("2024-05-06"), ms_of("2024-05-09")
    # Coinbase answers 300 candles a page, and nothing was traded for 36 hours.
    traded = [t for t in range(start_ms, end_ms, 60_000) if not 6 <= (t - start_ms) / HOUR_MS < 42]
    write_recording("coinbaseexchange_SOL-USD", [f"{t},150.5,151,150,150.5,2" for t in traded])
    job, _ = new_run(
        ms_of("2024-05-10"),
        {"recordings": [tmp_path / "recordings"]},
        exchanges="coinbaseexchange",
        symbols="SOL/USD",
        backfill_start_date="2024-05-06",
        backfill_end_date="2024-05-09",
    )
    finished = job.run_well()
    assert "Single-exchange mode: using coinbaseexchange" in finished.errors
    assert finished.ticker("SOL/USD")["gaps"] == []
    assert job.stored.coverage("coinbaseexchange", "SOL/USD") == [(start_ms, end_ms)]
    assert sorted(job.stored.merged("SOL/USD")) == traded
    assert job.stored.exported("SOL/USD").frame.height == len(traded)


def test_a_backfill_that_starts_earlier_later_on_fetches_only_what_lies_before(
    new_run: Any, ms_of: Any
) -> None:
    job, simulator = new_run(
        ms_of("2024-05-10T00:00:10"),
        {},
        exchanges="coinbaseexchange,bitstamp",
        symbols="BTC/USD",
        backfill_start_date="2024-05-09",
    )
    job.run_well()
    before = job.stored.merged("BTC/USD")
    simulator.requests.reset()
    finished = job.run_well(backfill_start_date="2024-05-08")
    coinbase = finished.ticker("BTC/USD")["exchanges"]["coinbaseexchange"]
    assert coinbase["candles"] == 1440 - idle_minutes(simulator, ms_of("2024-05-08"))
    after = job.stored.merged("BTC/USD")
    assert {minute: after[minute] for minute in before} == before
    assert job.stored.coverage("aggregated", "BTC/USD") == [
        (ms_of("2024-05-08"), ms_of("2024-05-10"))
    ]


def idle_minutes(simulator: Any, day_ms: int) -> int:
    candles = simulator.true_candles("coinbaseexchange", "BTC/USD", 60_000, day_ms, day_ms + DAY_MS)
    return 1440 - len(candles)


def test_the_run_report_is_the_same_in_file_and_store_and_names_every_figure(
    new_run: Any, ms_of: Any
) -> None:
    job, simulator = new_run(
        ms_of("2024-05-10"),
        {},
        exchanges="coinbaseexchange,bitstamp",
        symbols="BTC/USD,ETH/USD",
        backfill_start_date="2024-05-08",
        backfill_end_date="2024-05-09",
    )
    finished = job.run_well()
    report = finished.report
    assert job.stored.runs() == [report]
    assert report["status"] == "ok"
    # The job's clock runs on while it loads.
    assert re.fullmatch(r"2024-05-10T00:00:[0-2]\dZ", report["started"])
    assert report["exchanges"] == ["coinbaseexchange", "bitstamp"]
    assert report["min_exchanges_required"] == 2
    assert report["timeframe"] == "1m"
    assert 0 < report["seconds"] < 30
    asked = {"coinbaseexchange": 0, "bitstamp": 0}
    for ticker in report["tickers"]:
        assert ticker["status"] == "ok"
        symbol = ticker["symbol"]
        assert ticker["merged_candles"] == len(job.stored.merged(symbol))
        for exchange, part in ticker["exchanges"].items():
            assert part["candles"] == len(job.stored.of_exchange(exchange, symbol))
            assert {"rejected", "excluded", "retries", "gaps", "seconds"} <= part.keys()
            asked[exchange] += part["requests"]
    for exchange, requests in asked.items():
        assert requests == simulator.requests.candle_request_count(exchange)
    assert sorted(path for ticker in report["tickers"] for path in ticker["files_written"]) == [
        f"data/csv/aggregated/{asset}/2024/2024-05.csv" for asset in ("BTCUSD", "ETHUSD")
    ]
    lines = finished.errors.splitlines()
    for ticker in report["tickers"]:
        candles, symbol = f"{ticker['merged_candles']:,}", ticker["symbol"]
        told = f" Successfully processed {candles} candles for {symbol}"
        assert sum(line.endswith(told) for line in lines) == 1
    # The table fits a narrow terminal, or no terminal at all.
    table = [line for line in finished.output.splitlines() if line.startswith(" ") or "  " in line]
    assert max(map(len, table)) <= 80

    # Nothing comes a second time.
    again = job.run_well(report="none")
    assert again.output == ""
    assert again.errors.splitlines()[-1].endswith(": 2 of 2 complete")
    assert "Successfully processed" not in again.errors
