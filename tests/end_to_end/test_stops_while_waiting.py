"""A signal is answered wherever a command waits, and its last line says how it ended."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
from job_server import JobProcess
from logged import levels_of

from exchange_simulator import ExchangeSimulator, Fault

DEPENDENCY_DOWN = 3
INTERRUPTED = 130
STAYS_WHOLE = "what is stored is whole, and the same command goes on from there"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(now_ms=ms_of("2024-05-03T02:00"))
    return simulator


@pytest.fixture
def job(new_job: Any, market: ExchangeSimulator) -> Any:
    job = new_job(
        "waiting",
        now=market.clock.now_ms(),
        exchanges="bitstamp",
        symbols="BTC/USD",
        backfill_start_date="2024-05-02",
    )
    job.use(market)
    return job


@pytest.fixture
def told_at(job: Any) -> Callable[..., Any]:
    """`told_at(words, signal, *command, **flags)`: how a job ended that was told at these words."""

    def tell(words: str, sent: signal.Signals, *command: str, **flags: Any) -> Any:
        process: JobProcess = job.start(*command, **flags)
        for line in process.stderr:
            if words in line:
                process.send_signal(sent)
                break
        return job.finish(process)

    return tell


@pytest.fixture
def no_influxdb(job: Any, closed_port: int) -> dict[str, str]:
    job.environment["INFLUXDB_TOKEN"] = "a-token-4711"
    return {
        "influxdb_url": f"http://127.0.0.1:{closed_port}",
        "influxdb_org": "candles",
        "influxdb_bucket": "candles",
    }


@pytest.mark.parametrize(
    ("command", "sent"),
    [("ingest", signal.SIGTERM), ("ingest", signal.SIGINT), ("merge", signal.SIGTERM)],
)
def test_while_the_store_is_down_the_last_line_names_both(
    told_at: Any, no_influxdb: dict[str, str], command: str, sent: signal.Signals
) -> None:
    ended = told_at("does not serve", sent, command, **no_influxdb)

    assert ended.exit_code == DEPENDENCY_DOWN
    assert ended.errors.count("finishing what is in hand") == 1
    assert levels_of(ended.errors)[-1] == "ERROR"
    assert f"InfluxDB at {no_influxdb['influxdb_url']}" in ended.complaint
    assert f"it was told to stop ({sent.name}), and did not wait any longer" in ended.complaint
    assert STAYS_WHOLE in ended.complaint


def test_a_time_limit_that_ends_while_the_store_is_down_is_named(
    job: Any, no_influxdb: dict[str, str]
) -> None:
    ended = job.run(max_run_seconds=0.1, **no_influxdb)

    assert ended.exit_code == DEPENDENCY_DOWN
    assert "it was told to stop (time limit), and did not wait any longer" in ended.complaint


@pytest.mark.parametrize(
    ("sent", "exit_code", "word"),
    [(signal.SIGTERM, 0, "Stopped by SIGTERM"), (signal.SIGINT, INTERRUPTED, "Interrupted")],
)
def test_while_redis_is_down_nothing_is_in_hand_and_it_is_left_at_once(
    told_at: Any, closed_port: int, sent: signal.Signals, exit_code: int, word: str
) -> None:
    flags = {"symbols": None, "redis_host": "127.0.0.1", "redis_port": closed_port}
    ended = told_at("does not answer", sent, **flags)

    assert ended.exit_code == exit_code
    assert ended.complaint.endswith(f"WARNING: {word}; {STAYS_WHOLE}")
    assert ended.output == ""


@pytest.mark.parametrize(
    ("sent", "exit_code", "word"),
    [(signal.SIGTERM, 0, "Stopped by SIGTERM"), (signal.SIGINT, INTERRUPTED, "Interrupted")],
)
def test_a_dry_run_that_waits_for_an_exchange_is_left_at_once(
    job: Any,
    market: ExchangeSimulator,
    start_and_signal: Any,
    sent: signal.Signals,
    exit_code: int,
    word: str,
) -> None:
    market.set_faults([Fault("bitstamp", "stall", 1)])
    flags = {"run_mode": "dry", "request_timeout_seconds": 600}
    ended = job.finish(start_and_signal(job, market, 1, sent, **flags))

    assert ended.exit_code == exit_code
    assert ended.complaint.endswith(f"WARNING: {word}; nothing was changed")
