"""Runs one after the other while simulated time moves on."""

from typing import Any

import pytest

MINUTE_MS = 60_000
EXCHANGES = ("kraken", "coinbaseexchange", "binanceus")


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    """10 s after 11:40, when Kraken still revises its candle of 11:39."""
    return simulate(now_ms=ms_of("2024-05-02T11:40:10"), exchanges=EXCHANGES)


@pytest.fixture
def catching_up(new_job: Any, market: Any) -> Any:
    job = new_job(
        "catching_up",
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD,SOL/USD",
        backfill_start_date="2024-05-02",
    )
    job.use(market)
    return job


def test_a_run_adds_the_minutes_that_closed_and_corrects_the_revised_last_candles(
    catching_up: Any, market: Any, truth: Any, ms_of: Any
) -> None:
    job = catching_up
    job.run_well(now=market.clock.now_ms())
    before = {symbol: job.stored.merged(symbol) for symbol in ("BTC/USD", "SOL/USD")}
    kraken_before = job.stored.of_exchange("kraken", "BTC/USD")
    last_ms = ms_of("2024-05-02T11:39")
    final = truth.exchange_candles(market, "kraken", "BTC/USD", last_ms, last_ms + MINUTE_MS)
    assert kraken_before[last_ms].volume < float(final[last_ms].volume)  # Still short.

    market.clock.advance(7 * MINUTE_MS)
    market.requests.reset()
    finished = job.run_well(now=market.clock.now_ms())

    for symbol in ("BTC/USD", "SOL/USD"):
        series = {
            exchange: truth.exchange_candles(
                market, exchange, symbol, ms_of("2024-05-02"), ms_of("2024-05-02T11:47")
            )
            for exchange in EXCHANGES
        }
        expected = truth.merged(series)
        after = job.stored.merged(symbol)
        assert [minute for minute in after if minute not in before[symbol]] == [
            minute for minute in expected if minute > last_ms
        ]
        untouched = [minute for minute in before[symbol] if minute < last_ms - MINUTE_MS]
        assert len(untouched) > 690
        assert all(after[minute] == before[symbol][minute] for minute in untouched)
        newest_ms = last_ms + 7 * MINUTE_MS
        settled = {minute: row for minute, row in expected.items() if minute < newest_ms}
        truth.assert_right({m: row for m, row in after.items() if m < newest_ms}, settled)
        assert after.keys() == expected.keys()
        assert after.keys() <= {row[0] for row in job.stored.exported(symbol).frame.iter_rows()}
    kraken = finished.ticker("BTC/USD")["exchanges"]["kraken"]
    assert (kraken["candles"], kraken["revised"]) == (7, 1)
    assert job.stored.of_exchange("kraken", "BTC/USD")[last_ms].volume == float(
        final[last_ms].volume
    )
    for exchange in EXCHANGES:
        # One page a symbol; the markets come from the cache.
        assert market.requests.candle_request_count(exchange) == 2
        assert market.requests.other_request_count(exchange) == 0


def test_a_run_at_the_same_time_changes_nothing_at_all(catching_up: Any, market: Any) -> None:
    job = catching_up
    job.run_well(now=market.clock.now_ms())
    market.clock.advance(7 * MINUTE_MS)
    job.run_well(now=market.clock.now_ms())
    contents, files = job.stored.contents(), job.stored.files()
    times = modification_times(job)

    finished = job.run_well(now=market.clock.now_ms())

    assert job.stored.contents() == contents
    assert job.stored.files() == files
    assert modification_times(job) == times
    for symbol in ("BTC/USD", "SOL/USD"):
        ticker = finished.ticker(symbol)
        assert ticker["files_written"] == []
        assert ticker["merged_candles"] == 0
        assert all(part["candles"] == 0 for part in ticker["exchanges"].values())
    assert [run["status"] for run in job.stored.runs()] == ["ok", "ok", "ok"]


def modification_times(job: Any) -> dict[str, int]:
    folder = job.stored.data_root
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_minute_that_closed_but_has_not_settled_is_not_stored(
    catching_up: Any, market: Any, ms_of: Any
) -> None:
    # The job's clock runs while its libraries load.
    market.clock.set(ms_of("2024-05-02T11:40:01"))
    catching_up.run_well(now=market.clock.now_ms(), settle_seconds=50)

    newest_ms = ms_of("2024-05-02T11:38")
    assert max(catching_up.stored.merged("BTC/USD")) == newest_ms
    assert max(catching_up.stored.of_exchange("binanceus", "BTC/USD")) == newest_ms
    assert catching_up.stored.state() == {
        f"{symbol}-{kind}": newest_ms
        for symbol in ("BTC/USD", "SOL/USD")
        for kind in ("backfill", "catch_up")
    }


def test_without_a_backfill_catch_up_starts_where_it_is_told_and_goes_on_from_there(
    catching_up: Any, market: Any, ms_of: Any
) -> None:
    flags = {"backfill_start_date": "skip", "catch_up_initial_days": 0.125}
    finished = catching_up.run_well(now=market.clock.now_ms(), **flags)
    assert catching_up.stored.coverage("aggregated", "BTC/USD") == [
        (ms_of("2024-05-02T08:40"), ms_of("2024-05-02T11:40"))
    ]
    assert finished.ticker("BTC/USD")["wanted_candles"] == 180

    # After longer than that, what lies between is not skipped.
    market.clock.advance(200 * MINUTE_MS)
    finished = catching_up.run_well(now=market.clock.now_ms(), **flags)
    assert catching_up.stored.coverage("aggregated", "BTC/USD") == [
        (ms_of("2024-05-02T08:40"), ms_of("2024-05-02T15:00"))
    ]
    assert finished.ticker("BTC/USD")["gaps"] == []
    assert list(catching_up.stored.state()) == ["BTC/USD-catch_up", "SOL/USD-catch_up"]


def test_after_a_long_pause_krakens_gap_beyond_its_reach_is_told_and_the_rest_goes_on(
    catching_up: Any, market: Any, ms_of: Any
) -> None:
    catching_up.run_well(now=market.clock.now_ms(), symbols="BTC/USD")
    market.clock.set(ms_of("2024-05-03T06:00:40"))
    finished = catching_up.run_well(
        now=market.clock.now_ms(), symbols="BTC/USD", min_exchanges_required=3
    )

    ticker = finished.ticker("BTC/USD")
    # 720 candles back from 06:00, itself included, and a margin of two.
    pause = {"start": "2024-05-02T11:40:00Z", "end": "2024-05-02T18:03:00Z"}
    assert ticker["gaps"] == [pause | {"reason": "below_minimum"}]
    assert ticker["exchanges"]["kraken"]["gaps"] == [
        pause | {"reason": "beyond_reach", "files": ["XBTUSD_1.csv of Kraken_OHLCVT_Q2_2024.zip"]}
    ]
    assert ticker["exchanges"]["coinbaseexchange"]["gaps"] == []
    manifest = catching_up.stored.manifest("BTCUSD")["months"]["2024-05"]
    assert pause | {"reason": "below_minimum"} in manifest["gaps"]
