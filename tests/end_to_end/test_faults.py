"""Every fault that the simulator knows, at 5 % of requests: never a wrong row, and in the end all.

The seed is one by which each exchange is hit within its first requests.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from exchange_simulator import (
    FAULT_KINDS,
    ExchangeSimulator,
    Fault,
    SimulatorConfig,
    running_simulator,
)

MINUTE_MS = 60_000
SEED = 25
RATE = 0.05
MOST_RUNS = 15
EXCHANGES = ("coinbaseexchange", "cryptocom", "binanceus", "bitstamp")


class CalmMarket(NamedTuple):
    """What a symbol's market is without faults, from the start of a day on."""

    symbol: str
    series: Mapping[str, Mapping[int, Any]]
    merged: Mapping[int, Any]
    start_ms: int
    end_ms: int


def calm_markets(
    truth: Any, symbols: tuple[str, ...], exchanges: tuple[str, ...], start_ms: int, end_ms: int
) -> list[CalmMarket]:
    markets = []
    with running_simulator(SimulatorConfig(seed=SEED, exchanges=exchanges)) as simulator:
        for symbol in symbols:
            series = {
                exchange: truth.exchange_candles(simulator, exchange, symbol, start_ms, end_ms)
                for exchange in exchanges
            }
            markets.append(CalmMarket(symbol, series, truth.merged(series), start_ms, end_ms))
    return markets


@pytest.fixture(scope="module")
def calm_day(truth: Any, ms_of: Callable[[str], int]) -> list[CalmMarket]:
    return calm_markets(truth, ("BTC/USD",), EXCHANGES, ms_of("2024-05-02"), ms_of("2024-05-03"))


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_no_fault_makes_a_wrong_row_and_the_rows_become_complete(
    job: Any, simulate: Any, truth: Any, ms_of: Any, calm_day: list[CalmMarket], kind: str
) -> None:
    simulator = simulate(
        now_ms=ms_of("2024-05-03T02:00"),
        seed=SEED,
        exchanges=EXCHANGES,
        faults=[Fault("all", kind, RATE)],
    )
    run_until_complete(job, simulator, truth, calm_day)
    hits = [simulator.requests.fault_counts(exchange).get(kind, 0) for exchange in EXCHANGES]
    assert all(hits), "a fault that hits nobody proves nothing"


def test_all_faults_together_make_no_wrong_row_and_the_rows_become_complete(
    job: Any, simulate: Any, truth: Any, ms_of: Callable[[str], int]
) -> None:
    exchanges = ("kraken", *EXCHANGES)
    # Kraken reaches back 12 hours.
    markets = calm_markets(
        truth,
        ("BTC/USD", "ETH/USD", "SOL/USD"),
        exchanges,
        ms_of("2024-05-02"),
        ms_of("2024-05-02T11:50"),
    )
    simulator = simulate(
        now_ms=ms_of("2024-05-02T11:50:40"),
        seed=SEED,
        exchanges=exchanges,
        faults=[Fault("all", kind, RATE) for kind in FAULT_KINDS],
    )
    run_until_complete(job, simulator, truth, markets)
    kinds = {kind for exchange in exchanges for kind in simulator.requests.fault_counts(exchange)}
    assert kinds == set(FAULT_KINDS)


def run_until_complete(
    job: Any, simulator: ExchangeSimulator, truth: Any, markets: list[CalmMarket]
) -> None:
    job.use(simulator)
    stalls = any(fault.kind == "stall" for fault in simulator.config.faults)
    has_gaps = True
    runs = 0
    while has_gaps and runs < MOST_RUNS:
        runs += 1
        finished = job.run(
            now=simulator.clock.now_ms(),
            symbols=",".join(market.symbol for market in markets),
            exchanges=",".join(markets[0].series),
            min_exchanges_required=3,
            backfill_start_date="2024-05-02",
            backfill_end_date="2024-05-03",
            request_timeout_seconds=0.5 if stalls else 5,
        )
        assert finished.exit_code in (0, 1), finished.errors
        has_gaps = False
        for symbol, series, merged, start_ms, end_ms in markets:
            truth.assert_nothing_wrong(job.stored, symbol, series, merged=merged, minimum=3)
            ticker = finished.ticker(symbol)
            minutes = (end_ms - start_ms) // MINUTE_MS
            # What is missing has a reason, and the sums are right.
            for part in (ticker, *ticker["exchanges"].values()):
                has_gaps = has_gaps or bool(part["gaps"])
                reasons = part["gap_candles"]
                assert reasons.keys() <= {"fetch_failed", "below_minimum", "rejected"}
            assert ticker["covered_candles"] + sum(ticker["gap_candles"].values()) == minutes
            if ticker["gaps"]:
                assert finished.exit_code == 1
                assert ticker["errors"]
    for symbol, series, merged, start_ms, end_ms in markets:
        truth.assert_stored(job.stored.merged(symbol), merged)
        truth.assert_exported(job.stored.exported(symbol), merged)
        for exchange in series:
            assert job.stored.coverage(exchange, symbol) == [(start_ms, end_ms)]
