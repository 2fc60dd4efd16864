"""--archive_dir: history files stand in for what an endpoint no longer reaches."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive_files import kraken_text, write_zip

from exchange_simulator import ExchangeSimulator, SimulatorClock, SimulatorConfig, running_simulator

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "market_minutes"
DAYS = ("2024-08-05", "2024-08-07")
LATER = "2024-08-06T18:00:30"
EXCHANGES = ("coinbaseexchange", "kraken")
QUARTER = "Kraken_OHLCVT_Q3_2024.zip"
MINUTE_MS = 60_000


@pytest.fixture
def market(ms_of: Any) -> Any:
    clock = SimulatorClock(ms_of(LATER), frozen=True)
    with running_simulator(SimulatorConfig(recordings=(SAMPLES,)), clock=clock) as simulator:
        yield simulator


@pytest.fixture
def backfill(job: Any, market: ExchangeSimulator) -> Any:
    """A job of a day and a half, of which Kraken's endpoint reaches the last twelve hours."""
    job.use(market)
    job.settings |= {
        "now": market.clock.now_ms(),
        "exchanges": ",".join(EXCHANGES),
        "symbols": "BTC/USD",
        "backfill_start_date": DAYS[0],
        "run_report_path": "report.json",
    }
    return job


@pytest.fixture
def span(market: ExchangeSimulator, ms_of: Any) -> tuple[int, int]:
    return ms_of(DAYS[0]), market.clock.now_ms() // MINUTE_MS * MINUTE_MS


@pytest.fixture
def write_quarter(
    market: ExchangeSimulator, truth: Any, span: tuple[int, int]
) -> Callable[..., Path]:
    """`write_quarter(folder)`: Kraken's zip of the quarter, with all that it ever said."""

    def write(folder: Path) -> Path:
        candles = truth.exchange_candles(market, "kraken", "BTC/USD", *span)
        rows = [(minute, *map(float, candle)) for minute, candle in candles.items()]
        folder.mkdir(parents=True, exist_ok=True)
        return write_zip(folder / QUARTER, {"XBTUSD_1.csv": kraken_text(rows)})

    return write


def test_a_run_takes_from_files_what_the_endpoint_does_not_reach(
    backfill: Any,
    market: ExchangeSimulator,
    truth: Any,
    span: tuple[int, int],
    write_quarter: Callable[..., Path],
) -> None:
    write_quarter(backfill.folder / "history")
    backfill.settings["archive_dir"] = "history"

    planned = backfill.run_well(run_mode="dry", run_report_path=None)
    plan = [line for line in planned.output.splitlines() if " kraken " in line]
    assert any("candle endpoint" in line for line in plan)
    assert any("archive" in line for line in plan)

    finished = backfill.run_well()

    series = {e: truth.exchange_candles(market, e, "BTC/USD", *span) for e in EXCHANGES}
    truth.assert_stored(backfill.stored.merged("BTC/USD"), truth.merged(series))
    assert finished.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"] == {}
    assert finished.report["downloads"] == []
    [[start_ms, end_ms]] = backfill.stored.record("kraken", "BTC/USD")["coverage"]["origins"][
        "archive"
    ]
    assert start_ms == span[0]
    assert span[1] - 721 * MINUTE_MS <= end_ms <= span[1] - 710 * MINUTE_MS

    before = backfill.stored.contents()
    again = backfill.run_well()
    assert again.ticker("BTC/USD")["exchanges"]["kraken"]["candles"] == 0
    assert backfill.stored.contents() == before


def test_without_files_the_gap_names_the_one_to_get_and_getting_it_fills_the_gap(
    backfill: Any, truth: Any, span: tuple[int, int], write_quarter: Callable[..., Path]
) -> None:
    backfill.settings["download_list_path"] = "downloads.csv"
    first = backfill.run_well()

    with (backfill.folder / "downloads.csv").open() as file:
        [wanted] = csv.DictReader(file)
    assert (wanted["exchange"], wanted["file"], wanted["archive"]) == (
        "kraken",
        "XBTUSD_1.csv",
        QUARTER,
    )
    missing = first.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"]
    assert missing == {"beyond_reach": int(wanted["candles"])}
    assert f"XBTUSD_1.csv of {QUARTER}" in first.output

    write_quarter(backfill.folder / "history")
    second = backfill.run_well(archive_dir="history")

    assert second.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"] == {}
    assert (backfill.folder / "downloads.csv").read_text().count("\n") == 1


def test_a_damaged_file_fails_the_ticker_and_is_named(backfill: Any) -> None:
    history = backfill.folder / "history"
    history.mkdir()
    write_zip(history / QUARTER, {"XBTUSD_1.csv": "1722816000,1,2\n"})

    finished = backfill.run(archive_dir="history")

    assert finished.exit_code == 1
    assert f"history/{QUARTER}: none of its rows is a candle" in finished.errors
    gaps = finished.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"]
    assert list(gaps) == ["fetch_failed"]


def test_a_folder_that_is_not_there_ends_with_2(backfill: Any) -> None:
    finished = backfill.run(archive_dir="nowhere")

    assert finished.exit_code == 2
    assert "--archive_dir: nowhere is not there" in finished.errors
    assert "Traceback" not in finished.errors


@pytest.mark.parametrize("run_mode", ["wet", "dry"])
def test_a_folder_without_a_file_that_can_serve_says_so_and_names_what_is_damaged(
    backfill: Any, run_mode: str
) -> None:
    history = backfill.folder / "history"
    history.mkdir()
    (history / QUARTER).write_bytes(b"PK half of a zip")
    (history / "notes.csv").touch()

    empty = backfill.run(archive_dir="history", run_mode=run_mode, run_report_path=None)

    assert f"history/{QUARTER}: it is a damaged zip" in empty.errors
    assert "--archive_dir: no file of candles is in history" in empty.errors

    (history / "XBTUSD_5.csv").write_text("1722816000,1,1,1,1,1,1\n")
    other = backfill.run(archive_dir="history", run_mode=run_mode, run_report_path=None)

    assert (
        "--archive_dir: no file in history has 1m candles of coinbaseexchange or kraken; they are "
        "of kraken 5m"
    ) in other.errors


def test_a_run_says_what_its_folder_of_files_holds(
    backfill: Any, write_quarter: Callable[..., Path]
) -> None:
    write_quarter(backfill.folder / "history")

    finished = backfill.run_well(archive_dir="history")

    assert "History files in history: 1 of kraken 1m" in finished.errors


HOUR_MS = 3_600_000


@pytest.fixture
def closed_month(new_job: Any, simulate: Any, truth: Any, ms_of: Any) -> Any:
    """A job with the whole of March 2024 in hours, of which Kraken's endpoint reaches nothing."""
    market = simulate(now_ms=ms_of("2024-05-15"), exchanges=("coinbaseexchange", "kraken"))
    job = new_job(
        "closed_month",
        now=market.clock.now_ms(),
        exchanges="coinbaseexchange,kraken",
        min_exchanges_required=1,
        symbols="BTC/USD",
        candle_granularity_minutes=60,
        backfill_start_date="2024-03-01",
        backfill_end_date="2024-04-01",
    )
    job.use(market)
    job.run_well()
    span = ms_of("2024-03-01"), ms_of("2024-04-01")
    job.series = {
        exchange: truth.exchange_candles(market, exchange, "BTC/USD", *span, HOUR_MS)
        for exchange in EXCHANGES
    }
    job.file = job.folder / "XBTUSD_60.csv"
    rows = [(time_ms, *map(float, row)) for time_ms, row in job.series["kraken"].items()]
    job.file.write_text(kraken_text(rows))
    return job


@pytest.mark.parametrize("restate", [False, True])
def test_candles_that_come_late_are_merged_at_once_and_a_complete_month_waits_for_restate(
    closed_month: Any, truth: Any, restate: bool
) -> None:
    job = closed_month
    assert job.stored.manifest("BTCUSD_1h")["months"]["2024-03"]["complete"] is True
    assert {row[5] for row in job.stored.merged("BTC/USD", "1h").values()} == {"coinbaseexchange"}
    files = job.stored.files()

    finished = job.run_well("import", str(job.file), restate=restate)

    truth.assert_stored(job.stored.merged("BTC/USD", "1h"), truth.merged(job.series))
    if restate:
        assert "the complete month 2024-03 was restated" in finished.errors
    else:
        assert "the month 2024-03 is marked complete and was left as it is" in finished.errors
        assert job.stored.files() == files
        job.run_well("export", restate=True)
    truth.assert_exported(job.stored.exported("BTC/USD", timeframe="1h"), truth.merged(job.series))
