"""A backfill from every simulated exchange under every fault ends in its own market's candles."""

from collections.abc import Callable
from typing import Any

import pytest
from exchange_facts import FACTS

from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from exchange_simulator import CCXT_DIALECTS, FAULT_KINDS, Fault

MINUTE_MS = 60_000
DAYS = 2
MINUTES_SINCE = 30
"""From the end of the backfill to now, so that nothing of it is provisional."""
RATE = 0.05
DAYS_OF_HISTORY = 30
MOST_RUNS = 30
SHORT_TIMEFRAMES = (1, 5, 15, 30, 60)


def minutes_of(exchange: str) -> int:
    """The shortest candles of which the exchange reaches back two days and a margin."""
    wanted = DAYS * MINUTES_PER_DAY + MINUTES_SINCE
    for minutes in SHORT_TIMEFRAMES:
        reach = HABITS[exchange].reach_in(Timeframe(minutes))
        if reach is None or reach * minutes >= wanted + 10 * minutes:
            return minutes
    raise AssertionError(f"{exchange} does not reach back {DAYS} days")


GROUPS = {
    minutes: tuple(exchange for exchange in CCXT_DIALECTS if minutes_of(exchange) == minutes)
    for minutes in SHORT_TIMEFRAMES
    if any(minutes_of(exchange) == minutes for exchange in CCXT_DIALECTS)
}


@pytest.mark.parametrize("minutes", GROUPS)
def test_two_days_with_all_faults_end_in_each_exchanges_own_candles(
    job: Any, simulate: Any, truth: Any, ms_of: Callable[[str], int], minutes: int
) -> None:
    """All exchanges of a timeframe at once, since most of the time is spent in waiting."""
    exchanges = GROUPS[minutes]
    start_ms, end_ms = ms_of("2024-05-02"), ms_of("2024-05-04")
    simulator = simulate(
        now_ms=end_ms + MINUTES_SINCE * MINUTE_MS,
        exchanges=exchanges,
        faults=tuple(Fault("all", kind, RATE) for kind in FAULT_KINDS),
        seed=1,
        # The search for a listing reads the days since then, which are made of minutes.
        synthetic_days=DAYS_OF_HISTORY,
    )
    job.use(simulator)
    has_gaps = True
    runs = 0
    while has_gaps and runs < MOST_RUNS:
        runs += 1
        finished = job.run(
            now=simulator.clock.now_ms(),
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
        has_gaps = any(part["gaps"] for part in parts)
    timeframe = str(Timeframe(minutes))
    for exchange in exchanges:
        symbol = f"BTC/{FACTS[exchange].quote}"
        expected = truth.exchange_candles(
            simulator, exchange, symbol, start_ms, end_ms, minutes * MINUTE_MS
        )
        stored = job.stored.of_exchange(exchange, symbol, timeframe)
        assert job.stored.coverage(exchange, symbol, timeframe) == [(start_ms, end_ms)], exchange
        assert {open_ms: row[:5] for open_ms, row in stored.items()} == {
            open_ms: tuple(map(float, candle)) for open_ms, candle in expected.items()
        }, exchange
        assert len(expected) > 0.9 * DAYS * MINUTES_PER_DAY / minutes
        assert simulator.requests.fault_counts(exchange), "a fault that hits nobody proves nothing"


def test_days_that_open_at_another_hour_are_refused(
    job: Any, simulate: Any, ms_of: Callable[[str], int]
) -> None:
    job.use(simulate(now_ms=ms_of("2024-05-04"), exchanges=("htx",)))
    finished = job.run(
        now=ms_of("2024-05-04"),
        symbols="BTC/USDT",
        exchanges="htx",
        candle_granularity_minutes=1440,
        backfill_start_date="2024-05-02",
    )
    assert finished.exit_code == 2
    assert "htx has no 1d candles" in finished.complaint


def test_no_dialect_is_left_out() -> None:
    assert {exchange for group in GROUPS.values() for exchange in group} == set(CCXT_DIALECTS)
