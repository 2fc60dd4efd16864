"""A backfill from every simulated exchange under every fault ends in its own market's candles."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from exchange_facts import FACTS

from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from exchange_simulator import (
    DIALECTS,
    FAULT_KINDS,
    Fault,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

MINUTE_MS = 60_000
DAYS = 2
MINUTES_SINCE = 30
"""From the end of the backfill to now, so that nothing of it is provisional."""
RATE = 0.05
MOST_RUNS = 20
SHORT_TIMEFRAMES = (1, 5, 15, 30, 60)


def minutes_of(exchange: str) -> int:
    """The shortest candles of which the exchange reaches back two days and a margin."""
    wanted = DAYS * MINUTES_PER_DAY + MINUTES_SINCE
    for minutes in SHORT_TIMEFRAMES:
        reach = HABITS[exchange].reach_in(Timeframe(minutes))
        if reach is None or reach * minutes >= wanted + 10 * minutes:
            return minutes
    raise AssertionError(f"{exchange} does not reach back {DAYS} days")


@pytest.fixture(scope="module")
def backfilled(
    tmp_path_factory: pytest.TempPathFactory, job_in: Any, ms_of: Callable[[str], int]
) -> Callable[[int], tuple[Any, Any]]:
    """`backfilled(minutes)`: store and simulator after a backfill from all exchanges of these."""
    done: dict[int, tuple[Any, Any]] = {}

    def of(minutes: int) -> tuple[Any, Any]:
        if minutes not in done:
            folder = tmp_path_factory.mktemp("dialects") / f"of_{minutes}"
            done[minutes] = backfill(job_in(folder), minutes, ms_of)
        return done[minutes]

    return of


def backfill(job: Any, minutes: int, ms_of: Callable[[str], int]) -> tuple[Any, Any]:
    exchanges = tuple(exchange for exchange in DIALECTS if minutes_of(exchange) == minutes)
    faults = tuple(Fault("all", kind, RATE) for kind in FAULT_KINDS)
    clock = SimulatorClock(ms_of("2024-05-04") + MINUTES_SINCE * MINUTE_MS, frozen=True)
    config = SimulatorConfig(exchanges=exchanges, faults=faults, seed=1)
    with running_simulator(config, clock=clock) as simulator:
        job.use(simulator)
        for _ in range(MOST_RUNS):
            finished = job.run(
                now=clock.now_ms(),
                symbols="BTC/USD",
                quote_aliases="USD:USDT",
                exchanges=",".join(exchanges),
                min_exchanges_required=1,
                candle_granularity_minutes=minutes,
                backfill_start_date="2024-05-02",
                backfill_end_date="2024-05-04",
                request_timeout_seconds=0.5,
            )
            assert finished.exit_code in (0, 1), finished.errors
            parts = finished.ticker("BTC/USD")["exchanges"].values()
            if not any(part["gaps"] for part in parts):
                break
    return job.stored, simulator


@pytest.mark.parametrize("exchange", DIALECTS)
def test_two_days_with_all_faults_end_in_the_exchanges_own_candles(
    exchange: str, backfilled: Any, truth: Any, ms_of: Callable[[str], int]
) -> None:
    minutes = minutes_of(exchange)
    stored, simulator = backfilled(minutes)
    symbol = f"BTC/{FACTS[exchange].quote}"
    timeframe = str(Timeframe(minutes))
    start_ms, end_ms = ms_of("2024-05-02"), ms_of("2024-05-04")
    expected: Mapping[int, Any] = truth.exchange_candles(
        simulator, exchange, symbol, start_ms, end_ms, minutes * MINUTE_MS
    )

    assert stored.coverage(exchange, symbol, timeframe) == [(start_ms, end_ms)]
    assert {
        open_ms: row[:5] for open_ms, row in stored.of_exchange(exchange, symbol, timeframe).items()
    } == {open_ms: tuple(map(float, candle)) for open_ms, candle in expected.items()}
    assert len(expected) > 0.9 * DAYS * MINUTES_PER_DAY / minutes
    assert simulator.requests.fault_counts(exchange)
