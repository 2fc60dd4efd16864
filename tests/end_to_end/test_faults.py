"""Every fault that the simulator knows: never a wrong row, and in the end all of them."""

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
# One by which each exchange is hit within its first two requests.
SEED = 4
RATE = 0.3
RATE_OF_ALL = 0.05
MOST_RUNS = 15
EXCHANGES = ("coinbaseexchange", "cryptocom", "binanceus", "bitstamp")
KINDS_AT_ONCE = [FAULT_KINDS[start::5] for start in range(5)]


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


@pytest.mark.parametrize("kinds", KINDS_AT_ONCE, ids=",".join)
def test_no_fault_makes_a_wrong_row_and_the_rows_become_complete(
    job: Any,
    simulate: Any,
    truth: Any,
    ms_of: Any,
    calm_day: list[CalmMarket],
    kinds: tuple[str, ...],
) -> None:
    """Another kind on each exchange; what a kind does on each is proven of the ccxt client."""
    faults = [Fault(*one, RATE) for one in zip(EXCHANGES, kinds, strict=False)]
    now_ms = ms_of("2024-05-03T02:00")
    simulator = simulate(now_ms=now_ms, seed=SEED, exchanges=EXCHANGES, faults=faults)
    run_until_complete(job, simulator, truth, calm_day)
    for fault in faults:
        hits = simulator.requests.fault_counts(fault.exchange)
        assert hits.get(fault.kind, 0), "a fault that hits nobody proves nothing"


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
        faults=[Fault("all", kind, RATE_OF_ALL) for kind in FAULT_KINDS],
    )
    run_until_complete(job, simulator, truth, markets)
    kinds = {kind for exchange in exchanges for kind in simulator.requests.fault_counts(exchange)}
    # Each of them hits for certain in the test above; which do here depends on who asks first.
    assert len(kinds) > len(FAULT_KINDS) / 2


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
            assert ticker["errors"] or "fetch_failed" not in ticker["gap_candles"]
        is_failed = any(ticker["errors"] for ticker in finished.report["tickers"])
        assert finished.exit_code == int(is_failed)
    for symbol, series, merged, start_ms, end_ms in markets:
        truth.assert_stored(job.stored.merged(symbol), merged)
        truth.assert_exported(job.stored.exported(symbol), merged)
        for exchange in series:
            assert job.stored.coverage(exchange, symbol) == [(start_ms, end_ms)]
