"""--build_from_trades: candles that an endpoint does not reach, equal to the exchange's own."""

import signal
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from exchange_simulator import FAULT_KINDS, ExchangeSimulator, Fault
from exchange_simulator.faults import TRADE_PAGE_FAULTS

SEED = 11
MINUTE_MS = 60_000
REACH_MINUTES = 720
REFUSALS = ("403", "418", "451")
PASSING_FAULTS = [
    kind
    for kind in (*FAULT_KINDS, *TRADE_PAGE_FAULTS)
    # A refusal ends a run for the exchange, and a stall takes as long as it is waited for.
    if kind not in (*REFUSALS, "stall")
]
FAULT_RATE = 0.05
MOMENTS = 4


@pytest.fixture
def span(ms_of: Any) -> tuple[int, int]:
    return ms_of("2024-05-01"), ms_of("2024-05-04")


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    """Two hours after the span's end: Kraken's endpoint reaches its last ten hours."""
    simulator: ExchangeSimulator = simulate(
        now_ms=ms_of("2024-05-04T02:00"), exchanges=("kraken",), seed=SEED
    )
    return simulator


@pytest.fixture
def backfill(new_job: Any, market: ExchangeSimulator) -> Callable[..., Any]:
    """`backfill(**flags)`: a job of three days of Kraken that has nothing yet."""

    def make(name: str = "backfill", **flags: Any) -> Any:
        settings = {
            "now": market.clock.now_ms(),
            "exchanges": "kraken",
            "symbols": "BTC/USD",
            "backfill_start_date": "2024-05-01",
            "backfill_end_date": "2024-05-04",
            "build_from_trades": True,
        }
        job = new_job(name, **(settings | flags))
        job.use(market)
        return job

    return make


def own_candles(market: ExchangeSimulator, span: tuple[int, int], minutes: int = 1) -> Any:
    """What Kraken itself says of the span, as it is stored."""
    true = market.true_candles("kraken", "BTC/USD", minutes * MINUTE_MS, *span)
    return {c.open_ms: tuple(map(float, (c.open, c.high, c.low, c.close, c.volume))) for c in true}


def stored_candles(job: Any, timeframe: str = "1m") -> Any:
    rows = job.stored.of_exchange("kraken", "BTC/USD", timeframe)
    return {open_ms: row[:5] for open_ms, row in rows.items()}


def test_three_days_of_kraken_equal_its_own_candles_though_its_endpoint_reaches_ten_hours(
    backfill: Any, market: ExchangeSimulator, span: tuple[int, int]
) -> None:
    job = backfill()
    finished = job.run_well()

    own = own_candles(market, span)
    assert len(own) > 4000
    assert stored_candles(job) == own
    assert job.stored.coverage("kraken", "BTC/USD") == [span]
    origins = job.stored.record("kraken", "BTC/USD")["coverage"]["origins"]
    [[start_ms, end_ms]] = origins["trades"]
    assert start_ms == span[0]
    reach_ms = market.clock.now_ms() - REACH_MINUTES * MINUTE_MS
    assert reach_ms <= end_ms <= reach_ms + 5 * MINUTE_MS
    assert finished.ticker("BTC/USD")["gap_candles"] == {}
    asked = market.requests.trade_request_count("kraken")
    [said] = [line for line in finished.errors.splitlines() if "its trades take about" in line]
    foretold = int(said.split("its trades take about ")[1].split(" requests")[0])
    assert abs(foretold - asked) < asked / 4

    job.run_well()
    assert market.requests.trade_request_count("kraken") == asked


def test_without_the_flag_no_trades_are_asked_for(backfill: Any, market: ExchangeSimulator) -> None:
    job = backfill(build_from_trades=False)
    finished = job.run_well()

    assert market.requests.trade_request_count("kraken") == 0
    assert set(finished.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"]) == {"beyond_reach"}


def test_with_every_fault_at_five_percent_the_candles_are_the_same(
    backfill: Any, market: ExchangeSimulator, span: tuple[int, int]
) -> None:
    market.set_faults([Fault("kraken", kind, FAULT_RATE) for kind in PASSING_FAULTS])
    job = backfill()
    own = own_candles(market, span)
    for _ in range(5):
        job.run()
        rows = stored_candles(job)
        assert {minute: own.get(minute) for minute in rows} == rows
        if job.stored.coverage("kraken", "BTC/USD") == [span]:
            break
    assert stored_candles(job) == own
    assert len(market.requests.fault_counts("kraken")) > 10


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_after_a_kill_at_any_moment_the_next_run_ends_with_the_same_candles(
    backfill: Any,
    market: ExchangeSimulator,
    span: tuple[int, int],
    start_and_signal: Any,
    moment: int,
) -> None:
    job = backfill()
    number = Random(SEED).sample(range(2, 70), MOMENTS)[moment]
    process = start_and_signal(job, market, number, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    own = own_candles(market, span)
    covered = job.stored.coverage("kraken", "BTC/USD")
    rows = stored_candles(job)
    for start_ms, end_ms in covered:
        expected = {m: c for m, c in own.items() if start_ms <= m < end_ms}
        assert {m: c for m, c in rows.items() if start_ms <= m < end_ms} == expected

    job.run_well()
    assert stored_candles(job) == own
    assert job.stored.coverage("kraken", "BTC/USD") == [span]


def test_candles_of_any_length_are_built(
    backfill: Any, market: ExchangeSimulator, span: tuple[int, int]
) -> None:
    job = backfill(candle_granularity_minutes="5m")
    job.run_well()

    assert stored_candles(job, "5m") == own_candles(market, span, 5)
    assert "trades" in job.stored.record("kraken", "BTC/USD", "5m")["coverage"]["origins"]


def test_a_dry_run_names_the_trades_in_the_plan_with_requests_and_time(
    backfill: Any, market: ExchangeSimulator
) -> None:
    job = backfill()
    job.use(market, per_minute=60)
    finished = job.run_well(run_mode="dry")

    rows = [
        [cell.strip() for cell in line.strip("│ ").split("│")]
        for line in finished.output.splitlines()
    ]
    [row] = [row for row in rows if row[:3] == ["BTC/USD", "kraken", "trades"]]
    requests, seconds = int(row[4]), float(row[5])
    assert 50 < requests < 90
    assert seconds == requests
    assert f"its trades take about {requests} requests" in " ".join(finished.output.split())
    assert market.requests.trade_request_count("kraken") < 5


def test_the_flag_without_an_exchange_that_has_trades_is_warned_about(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    market = simulate(now_ms=ms_of("2024-05-04T02:00"), exchanges=("bitstamp",))
    job = new_job(
        "bitstamp",
        now=market.clock.now_ms(),
        exchanges="bitstamp",
        symbols="BTC/USD",
        backfill_start_date="2024-05-04",
        build_from_trades=True,
    )
    job.use(market)
    finished = job.run_well()
    assert "--build_from_trades is without effect" in finished.errors
