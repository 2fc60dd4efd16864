"""Runs that are killed, told to stop, out of time, or in each other's way."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

import pytest
from job_server import JobProcess

from candle_ingestor.ingest.fetching import REQUESTS_AT_ONCE
from exchange_simulator import (
    ExchangeSimulator,
    Fault,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
    server,
)

EXCHANGES = ("coinbaseexchange", "binanceus", "bitstamp")
SYMBOLS = ("BTC/USD", "ETH/USD")
LISTING_REQUESTS = 12
SEED = 7
MOST_SECONDS_TO_LEAVE = 20
MOMENTS = 6


class Undisturbed(NamedTuple):
    """What a run that nothing disturbs stores, and what it took."""

    contents: dict[str, list[Any]]
    files: dict[str, bytes]
    truth: Mapping[str, dict[str, Any]]
    requests: int


@pytest.fixture(scope="module")
def flags(ms_of: Any) -> dict[str, Any]:
    """Three days of two symbols."""
    return {
        "now": ms_of("2024-05-04T02:00"),
        "exchanges": ",".join(EXCHANGES),
        "symbols": ",".join(SYMBOLS),
        "backfill_start_date": "2024-05-01",
        "backfill_end_date": "2024-05-04",
    }


@pytest.fixture
def market(simulate: Any, flags: dict[str, Any]) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(now_ms=flags["now"], exchanges=EXCHANGES, seed=SEED)
    return simulator


@pytest.fixture
def backfill(new_job: Any, market: ExchangeSimulator, flags: dict[str, Any]) -> Callable[..., Any]:
    """`backfill(name)`: a job that has nothing yet."""

    def make(name: str = "backfill") -> Any:
        job = new_job(name, **flags)
        job.use(market)
        return job

    return make


@pytest.fixture(scope="module")
def undisturbed(
    job_in: Any,
    tmp_path_factory: pytest.TempPathFactory,
    flags: dict[str, Any],
    truth: Any,
    ms_of: Any,
) -> Undisturbed:
    config = SimulatorConfig(exchanges=EXCHANGES, seed=SEED)
    clock = SimulatorClock(flags["now"], frozen=True)
    job = job_in(tmp_path_factory.mktemp("undisturbed") / "job", **flags)
    span = (ms_of("2024-05-01"), ms_of("2024-05-04"))
    with running_simulator(config, clock=clock) as market:
        job.use(market)
        job.run_well()
        true = {}
        for symbol in SYMBOLS:
            series = {e: truth.exchange_candles(market, e, symbol, *span) for e in EXCHANGES}
            true[symbol] = {"series": series, "merged": truth.merged(series)}
        requests = sum(market.requests.candle_request_count(exchange) for exchange in EXCHANGES)
    return Undisturbed(job.stored.contents(), job.stored.files(), true, requests)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_after_a_kill_at_any_moment_the_next_run_leaves_what_an_undisturbed_one_does(
    backfill: Any,
    market: ExchangeSimulator,
    undisturbed: Undisturbed,
    start_and_signal: Any,
    truth: Any,
    moment: int,
) -> None:
    number = Random(SEED).sample(range(2, undisturbed.requests + 1), MOMENTS)[moment]
    job = backfill()
    process = start_and_signal(job, market, number, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for symbol in SYMBOLS:
        truth.assert_nothing_wrong(
            job.stored, symbol, **undisturbed.truth[symbol], minimum=3, was_killed=True
        )
    # A series' next page is asked for when the one before is stored.
    is_stored = bool(job.stored.contents()["exchange_candles"])
    assert is_stored or number <= LISTING_REQUESTS + len(SYMBOLS) * len(EXCHANGES)

    job.run_well()
    assert job.stored.contents() == undisturbed.contents
    assert job.stored.files() == undisturbed.files


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_run_told_to_stop_leaves_with_a_report_and_the_next_one_goes_on_from_there(
    backfill: Any,
    market: ExchangeSimulator,
    undisturbed: Undisturbed,
    start_and_signal: Any,
    truth: Any,
    sent: signal.Signals,
) -> None:
    job = backfill()
    stopped = job.finish(start_and_signal(job, market, undisturbed.requests // 2, sent))

    assert stopped.exit_code == 0
    assert stopped.report["status"] == "stopped"
    assert stopped.report["stop_reason"] == sent.name
    assert stopped.errors.count(": finishing what is in hand") == 1
    assert f"stopped by {sent.name}" in stopped.output
    assert_says_how_far_it_came(stopped)
    assert "No CSV was written: run the same command again, or the command export" in stopped.output
    reasons = {r for symbol in SYMBOLS for r in stopped.ticker(symbol)["gap_candles"]}
    assert reasons == {"not_fetched"}
    assert [run["status"] for run in job.stored.runs()] == ["stopped"]
    left = [stopped.ticker(symbol)["exchanges"] for symbol in SYMBOLS]
    assert any(part["gap_candles"].get("not_fetched") for parts in left for part in parts.values())
    for symbol in SYMBOLS:
        truth.assert_nothing_wrong(
            job.stored, symbol, **undisturbed.truth[symbol], minimum=3, was_killed=True
        )
    before = len(job.stored.contents()["exchange_candles"])
    assert before > 0

    finished = job.run_well()
    parts = [part for symbol in SYMBOLS for part in finished.ticker(symbol)["exchanges"].values()]
    assert sum(part["candles"] for part in parts) + before == len(
        undisturbed.contents["exchange_candles"]
    )
    assert job.stored.contents() == undisturbed.contents
    assert job.stored.files() == undisturbed.files


def assert_says_how_far_it_came(stopped: Any) -> None:
    report = stopped.report
    assert report["symbols_complete"] == 0
    parts = [part for ticker in report["tickers"] for part in ticker["exchanges"].values()]
    assert report["wanted_candles"] == sum(part["wanted_candles"] for part in parts)
    left = sum(sum(part["gap_candles"].values()) for part in parts)
    known = report["known_candles"]
    assert known == report["wanted_candles"] - left > 0
    percent = 100 * known // report["wanted_candles"]
    share = "less than 1 %" if known and not percent else f"{percent} %"
    assert f"0 of 2 complete, {share} of everything wanted is known" in stopped.output
    assert "The same command goes on from there." in stopped.output
    assert "done" not in stopped.output


def test_a_run_told_to_stop_while_an_exchange_hangs_leaves_in_time(
    backfill: Any, market: ExchangeSimulator, start_and_signal: Any
) -> None:
    job = backfill()
    market.set_faults([Fault("bitstamp", "stall", 1)])
    process = start_and_signal(job, market, 6, signal.SIGTERM, request_timeout_seconds=600)
    started = time.monotonic()
    stopped = job.finish(process)
    assert time.monotonic() - started < MOST_SECONDS_TO_LEAVE
    assert stopped.report["status"] == "stopped"


def test_a_run_out_of_time_stops_cleanly_and_the_next_ones_finish_the_work(
    backfill: Any, market: ExchangeSimulator, undisturbed: Undisturbed
) -> None:
    job = backfill()
    job.use(market, per_minute=240)
    finished = job.run_well(max_run_seconds=2)
    assert finished.report["status"] == "stopped"
    assert finished.report["stop_reason"] == "time limit"
    assert "stopped by its time limit" in finished.output
    assert_says_how_far_it_came(finished)
    # What the time limit ends is merged and exported as far as it came.
    assert "CSV" not in finished.output
    assert finished.report["seconds"] < 4
    stored = len(job.stored.contents()["exchange_candles"])
    assert 0 < stored < len(undisturbed.contents["exchange_candles"])

    job.use(market)
    finished = job.run_well(max_run_seconds=60)
    assert finished.report["status"] == "ok"
    assert job.stored.contents() == undisturbed.contents
    assert job.stored.files() == undisturbed.files


def test_a_run_stopped_before_its_symbols_are_known_says_so_and_the_same_command_goes_on(
    backfill: Any,
    market: ExchangeSimulator,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = backfill()
    processes: list[JobProcess] = []
    is_started = threading.Event()
    note = market.requests.add_other_request

    def stop(exchange: str) -> None:
        note(exchange)
        is_started.wait()
        processes[0].send_signal(signal.SIGTERM)

    monkeypatch.setattr(market.requests, "add_other_request", stop)
    processes.append(job.start())
    is_started.set()
    stopped = job.finish(processes[0])

    assert stopped.exit_code == 0
    assert (stopped.report["status"], stopped.report["tickers"]) == ("stopped", [])
    assert "Run stopped by SIGTERM before its symbols were known" in stopped.output
    assert "the same command goes on from here" in stopped.output
    assert [run["stop_reason"] for run in job.stored.runs()] == ["SIGTERM"]
    assert sum(market.requests.candle_request_count(exchange) for exchange in EXCHANGES) == 0

    monkeypatch.undo()
    job.run_well()
    assert job.stored.contents() == undisturbed.contents


def test_of_two_runs_at_once_the_second_leaves_at_once(
    backfill: Any, market: ExchangeSimulator, at_candle_request: Any
) -> None:
    job = backfill()
    market.set_faults([Fault("all", "stall", 1)])
    is_running = at_candle_request(market, 1, lambda: None)
    first = job.start(request_timeout_seconds=60)
    assert is_running.wait(30)
    holder = f"process {first.pid} "

    for command in ("ingest", "merge"):
        second = job.run(command)
        assert second.exit_code == 75
        assert "another run holds the lock" in second.complaint
        assert holder in second.complaint
    assert first.poll() is None

    first.kill()
    first.communicate()
    market.set_faults([])
    job.run_well()  # A lock dies with its holder.


def test_a_notebook_reads_while_the_job_writes(
    backfill: Any, market: ExchangeSimulator, undisturbed: Undisturbed, at_candle_request: Any
) -> None:
    job = backfill()
    job.run_well(symbols="BTC/USD")
    counts: list[int] = []

    def read() -> None:
        counts.append(len(job.stored.merged("BTC/USD")))

    at_candle_request(market, LISTING_REQUESTS, read)
    job.run_well()
    assert counts == [sum(row[0] == "BTC/USD" for row in undisturbed.contents["candles"])]


def test_what_the_time_limit_cuts_short_is_not_fetched_and_no_failure(
    backfill: Callable[..., Any], market: ExchangeSimulator
) -> None:
    job = backfill()
    # Tried again for as long as the run may take.
    market.set_faults([Fault("bitstamp", "429", 1)])
    finished = job.run_well(max_run_seconds=4)
    assert finished.report["status"] == "stopped"
    assert finished.report["stop_reason"] == "time limit"
    assert market.requests.fault_counts("bitstamp")["429"] > 0
    for symbol in SYMBOLS:
        ticker = finished.ticker(symbol)
        assert (ticker["status"], ticker["errors"]) == ("ok", [])
        part = ticker["exchanges"]["bitstamp"]
        assert (part["gap_candles"], part["failed_pages"]) == ({"not_fetched": 3 * 1440}, 0)


def test_an_exchange_whose_rate_limit_outlasts_the_run_is_left_alone_and_the_rest_goes_on(
    new_job: Any, simulate: Any, flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RETRY_AFTER_SECONDS", 3_600)
    symbols = [f"{base}/USD" for base in ("BTC", "ETH", "SOL", "ADA", "DOT", "LTC", "XRP", "UNI")]
    exchanges = ("coinbaseexchange", "bitstamp")
    market = simulate(now_ms=flags["now"], exchanges=exchanges, symbols=tuple(symbols))
    market.set_faults([Fault("bitstamp", "429_retry_after", 1)])
    given = {
        "exchanges": ",".join(exchanges),
        "symbols": ",".join(symbols),
        "min_exchanges_required": 1,
        "candle_granularity_minutes": 60,
    }
    job = new_job("left_alone", **(flags | given))
    job.use(market)
    started = time.monotonic()
    finished = job.run_well(max_run_seconds=120)

    assert time.monotonic() - started < MOST_SECONDS_TO_LEAVE
    assert (finished.report["status"], finished.report["stop_reason"]) == ("stopped", "time limit")
    assert 0 < market.requests.candle_request_count("bitstamp") <= REQUESTS_AT_ONCE
    for symbol in symbols:
        ticker = finished.ticker(symbol)
        assert (ticker["status"], ticker["errors"], ticker["gaps"]) == ("ok", [], [])
        part = ticker["exchanges"]["bitstamp"]
        assert (part["gap_candles"], part["failed_pages"]) == ({"not_fetched": 3 * 24}, 0)

    market.set_faults([])
    finished = job.run_well()
    assert finished.report["status"] == "ok"
    assert [t["exchanges"]["bitstamp"]["gaps"] for t in finished.report["tickers"]] == [[]] * 8


def test_without_a_backfill_a_run_after_a_stopped_one_only_catches_up(
    new_job: Any, market: ExchangeSimulator, start_and_signal: Any, flags: dict[str, Any]
) -> None:
    job = new_job(
        "stopped",
        now=flags["now"] + 10_000,
        exchanges="coinbaseexchange",
        symbols="BTC/USD",
        backfill_start_date="2024-04-15",
        catch_up_initial_days=0.125,
    )
    job.use(market)
    stopped = job.finish(start_and_signal(job, market, 20, signal.SIGTERM))
    assert stopped.report["status"] == "stopped"
    assert stopped.ticker("BTC/USD")["gap_candles"]["not_fetched"] > 10_000

    market.requests.reset()
    finished = job.run_well(backfill_start_date="skip")
    ticker = finished.ticker("BTC/USD")
    assert ticker["wanted_candles"] <= 181  # A minute may have closed while the first one ran.
    assert ticker["gaps"] == []
    assert market.requests.candle_request_count("coinbaseexchange") <= 2
