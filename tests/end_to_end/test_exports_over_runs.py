"""Partitions over several runs: several roots, digits, and when a month is complete."""

import json
from typing import Any

import pytest

import candle_loader
from exchange_simulator import Fault

HOUR_MS = 3_600_000
EXCHANGES = ("coinbaseexchange", "kraken")


@pytest.fixture
def february(simulate: Any, ms_of: Any) -> Any:
    """Ten seconds after February, when Kraken still revises the last candle."""
    return simulate(now_ms=ms_of("2024-03-01T00:00:10"), exchanges=EXCHANGES)


@pytest.fixture
def hourly(new_job: Any, february: Any) -> Any:
    job = new_job(
        "hourly",
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD",
        candle_granularity_minutes=60,
        backfill_start_date="2024-02-01",
    )
    job.use(february)
    return job


def test_a_month_is_complete_once_its_last_candles_were_read_again_on_every_exchange(
    hourly: Any, february: Any, truth: Any, ms_of: Any
) -> None:
    def is_complete() -> bool:
        complete: bool = hourly.stored.manifest("BTCUSD_1h")["months"]["2024-02"]["complete"]
        return complete

    hourly.run_well(now=february.clock.now_ms())
    assert not is_complete()

    february.clock.set(ms_of("2024-03-01T03:00:10"))
    february.set_faults([Fault("kraken", "451", 1)])
    assert hourly.run(now=february.clock.now_ms()).exit_code == 1
    assert not is_complete()

    february.clock.set(ms_of("2024-03-01T04:00:10"))
    february.set_faults([])
    hourly.run_well(now=february.clock.now_ms())
    assert is_complete()
    span = (ms_of("2024-02-01"), ms_of("2024-03-01"))
    series = {
        exchange: truth.exchange_candles(february, exchange, "BTC/USD", *span, HOUR_MS)
        for exchange in EXCHANGES
    }
    loaded = candle_loader.load(
        hourly.stored.data_root,
        "aggregated",
        "BTC/USD",
        *span,
        timeframe="1h",
        require_complete=True,
    )
    truth.assert_exported(loaded, truth.merged(series))


def test_a_month_that_one_exchange_could_not_be_asked_for_yet_is_not_complete_by_a_lower_minimum(
    hourly: Any, february: Any, truth: Any, ms_of: Any
) -> None:
    february.clock.set(ms_of("2024-03-02T00:00:40"))
    february.set_faults([Fault("coinbaseexchange", "503", 1)])
    flags = {"now": february.clock.now_ms(), "min_exchanges_required": 1}
    flags["backfill_start_date"] = "2024-02-02"
    degraded = hourly.run_well(**flags)
    assert degraded.report["status"] == "degraded"
    assert not hourly.stored.manifest("BTCUSD_1h")["months"]["2024-02"]["complete"]

    february.set_faults([])
    flags["backfill_start_date"] = "2024-02-01"
    hourly.run_well(**flags)
    span = (ms_of("2024-02-02"), ms_of("2024-03-01"))
    series = {
        exchange: truth.exchange_candles(february, exchange, "BTC/USD", *span, HOUR_MS)
        for exchange in EXCHANGES
    }
    loaded = candle_loader.load(
        hourly.stored.data_root, "aggregated", "BTC/USD", *span, timeframe="1h"
    )
    truth.assert_exported(loaded, truth.merged(series))


def test_a_data_root_that_was_not_written_to_for_a_while_is_brought_in_line(
    hourly: Any, february: Any, ms_of: Any
) -> None:
    hourly.run_well(now=february.clock.now_ms())
    february.clock.set(ms_of("2024-03-02T00:00:40"))
    hourly.run_well(now=february.clock.now_ms(), data_root="data/other")
    other = type(hourly.stored)(hourly.stored.sqlite_path, hourly.folder / "data/other")
    assert hourly.stored.files() != other.files()

    hourly.run_well(now=february.clock.now_ms())
    assert hourly.stored.files() == other.files()


def test_the_command_export_takes_the_digits_that_the_markets_said_when_they_were_asked(
    hourly: Any, february: Any
) -> None:
    hourly.run_well(now=february.clock.now_ms(), export_csv=False)
    assert not hourly.stored.data_root.exists()
    hourly.run_well("export", now=february.clock.now_ms())
    manifest = hourly.stored.manifest("BTCUSD_1h")
    assert (manifest["price_decimal_digits"], manifest["volume_decimal_digits"]) == (2, 8)


def test_a_fill_of_a_run_stays_with_the_folder(hourly: Any, february: Any, ms_of: Any) -> None:
    """Another is refused with what to do, and the run goes on without it."""
    hourly.run_well(now=february.clock.now_ms(), export_format="both", fill="flat")
    february.clock.set(ms_of("2024-03-02T00:00:40"))
    hourly.run_well(now=february.clock.now_ms(), export_format="both")
    table = "parquet/exchange=aggregated/symbol=BTCUSD/timeframe=1h/_manifest.json"
    parquet = json.loads((hourly.stored.data_root / table).read_text())
    for manifest in (hourly.stored.manifest("BTCUSD_1h"), parquet):
        assert manifest["fill"] == "flat"
        assert manifest["months"]["2024-03"]["rows"] == 24

    other = hourly.run("export", now=february.clock.now_ms(), fill="none")

    assert other.exit_code == 1
    assert "is written with --fill=flat, and --fill=none is asked for" in other.output


def test_a_month_from_its_middle_on_that_ends_without_trade_has_no_gap_at_its_end(
    new_job: Any, simulate: Any, ms_of: Any, tmp_path: Any, write_recording: Any
) -> None:
    start_ms, end_ms = ms_of("2024-05-15"), ms_of("2024-06-01")
    quiet = range(end_ms - 5 * HOUR_MS, end_ms + 2 * HOUR_MS, HOUR_MS)
    hours = range(start_ms, end_ms + 48 * HOUR_MS, HOUR_MS)
    traded = [t for t in hours if t not in quiet]
    write_recording("coinbaseexchange_SOL-USD", [f"{t},150.5,151,150,150.5,2" for t in traded])
    market = simulate(now_ms=ms_of("2024-06-05"), recordings=[tmp_path / "recordings"])
    job = new_job(
        "quiet",
        now=market.clock.now_ms(),
        exchanges="coinbaseexchange",
        symbols="SOL/USD",
        candle_granularity_minutes=60,
        backfill_start_date="2024-05-15",
        backfill_end_date="2024-06-01",
    )
    job.use(market)
    job.run_well()
    loaded = candle_loader.load(
        job.stored.data_root,
        "aggregated",
        "SOL/USD",
        start_ms,
        end_ms,
        timeframe="1h",
        require_complete=True,
    )
    assert loaded.frame["timestamp_ms"].to_list() == [t for t in traded if t < end_ms]
