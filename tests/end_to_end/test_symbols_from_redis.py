"""Whole runs whose symbols come from a real Redis."""

import json
from typing import Any

import pytest

KEY = "top_cryptocurrencies"
DEPENDENCY_DOWN = 3


@pytest.fixture
def job_with_redis(new_job: Any, simulate: Any, ms_of: Any) -> Any:
    simulator = simulate(now_ms=ms_of("2024-05-03T02:00"))
    job = new_job(
        "with_redis",
        now=simulator.clock.now_ms(),
        exchanges="bitstamp",
        backfill_start_date="2024-05-02",
        backfill_end_date="2024-05-03",
        candle_granularity_minutes=60,
    )
    job.use(simulator)
    return job


@pytest.fixture
def environment(redis_server: Any) -> dict[str, str]:
    return {
        "REDIS_HOST": redis_server.host,
        "REDIS_PORT": str(redis_server.port),
        "REDIS_PASSWORD": redis_server.password,
    }


def test_a_run_takes_its_symbols_from_redis(
    job_with_redis: Any, redis_client: Any, environment: dict[str, str]
) -> None:
    items = ["btcusd", {"symbol": "ETH-USD", "price_decimal_digits": 4}, "BTC/USD", "!?", 7]
    redis_client.set(KEY, json.dumps(items))

    finished = job_with_redis.run_well(environment=environment)

    assert [ticker["symbol"] for ticker in finished.report["tickers"]] == ["BTC/USD", "ETH/USD"]
    assert len(finished.report["rejected_symbols"]) == 2
    assert "2 symbols, 2 passed over, 1 double merged" in finished.errors
    assert "'!?'" in finished.errors
    assert job_with_redis.stored.manifest("ETHUSD_1h")["price_decimal_digits"] == 4
    assert job_with_redis.stored.coverage("aggregated", "BTC/USD", "1h") != []


def test_a_set_under_another_key_works_by_flags(
    job_with_redis: Any, redis_client: Any, redis_server: Any
) -> None:
    redis_client.sadd("my_symbols", "SOL/USD", "BTC/USD")
    finished = job_with_redis.run_well(
        redis_host=redis_server.host,
        redis_port=redis_server.port,
        redis_password=redis_server.password,
        redis_key_crypto_symbols="my_symbols",
    )
    assert [ticker["symbol"] for ticker in finished.report["tickers"]] == ["BTC/USD", "SOL/USD"]


def test_a_wrong_password_is_final_and_hidden(
    job_with_redis: Any, redis_client: Any, environment: dict[str, str]
) -> None:
    wrong = environment | {"REDIS_PASSWORD": "wrong-4711"}
    finished = job_with_redis.run(environment=wrong)
    assert finished.exit_code == DEPENDENCY_DOWN
    assert "REDIS_PASSWORD" in finished.complaint
    assert "wrong-4711" not in finished.errors + finished.output
    assert not job_with_redis.stored.sqlite_path.exists()


def test_a_key_that_is_not_there_is_an_error_that_says_how_to_set_it(
    job_with_redis: Any, redis_client: Any, environment: dict[str, str]
) -> None:
    finished = job_with_redis.run(environment=environment)
    assert finished.exit_code == DEPENDENCY_DOWN
    assert KEY in finished.complaint
    assert "--redis_key_crypto_symbols" in finished.complaint


def test_redis_being_down_names_host_port_and_flags(job: Any, closed_port: int) -> None:
    finished = job.run(redis_host="127.0.0.1", redis_port=closed_port)
    assert finished.exit_code == DEPENDENCY_DOWN
    assert f"Redis at 127.0.0.1:{closed_port}" in finished.complaint
    assert "--redis_host" in finished.complaint
    assert not job.stored.sqlite_path.exists()
