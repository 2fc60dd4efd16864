"""CoinGecko through the front door: the command against the simulator over HTTP."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from exchange_simulator import FAULT_KINDS, ExchangeSimulator, Fault

DAY_MS = 86_400_000
NOW = "2024-05-02T09:30:00"
DAILY = {
    "exchanges": "coingecko",
    "candle_granularity_minutes": 1440,
    "symbols": "BTC/USD",
    "report": "full",
}


@pytest.fixture
def coingecko(job: Any, simulate: Any, ms_of: Callable[[str], int]) -> ExchangeSimulator:
    """A simulator to which the job is sent with flags for daily prices of BTC/USD."""
    simulator: ExchangeSimulator = simulate(now_ms=ms_of(NOW), exchanges=("coingecko",))
    job.use(simulator)
    job.settings |= {**DAILY, "now": f"{NOW}Z"}
    return simulator


def closes(simulator: ExchangeSimulator, symbol: str, days: int, now_ms: int) -> dict[int, float]:
    """The daily closes of so many days before today, by open time."""
    end_ms = now_ms // DAY_MS * DAY_MS
    truth = simulator.true_candles("coingecko", symbol, DAY_MS, end_ms - days * DAY_MS, end_ms)
    assert len(truth) == days
    return {candle.open_ms: float(candle.close) for candle in truth}


def assert_flat(candles: Mapping[int, Any], expected: Mapping[int, float]) -> None:
    assert {time: candle.close for time, candle in candles.items()} == expected
    for candle in candles.values():
        assert candle.open == candle.high == candle.low == candle.close
        assert candle.volume == 0


def asked_days(simulator: ExchangeSimulator) -> list[float]:
    """How many days each request for prices spans, in their order."""
    spans = []
    for request in simulator.requests.candle_requests("coingecko"):
        query = parse_qs(urlsplit(request.url).query)
        spans.append((int(query["to"][0]) - int(query["from"][0])) / 86_400)
    return spans


def test_two_hundred_days_take_three_requests_and_the_next_run_one(
    job: Any, coingecko: ExchangeSimulator, ms_of: Callable[[str], int]
) -> None:
    first = job.run_well(days=200)

    expected = closes(coingecko, "BTC/USD", 200, ms_of(NOW))
    assert_flat(job.stored.of_exchange("coingecko", "BTC/USD", "1d"), expected)
    merged = job.stored.merged("BTC/USD", "1d")
    assert_flat(merged, expected)
    assert {candle.source_exchanges for candle in merged.values()} == {"coingecko"}
    assert len(asked_days(coingecko)) == 3
    assert all(span <= 90 for span in asked_days(coingecko))
    assert first.report["price_only_exchanges"] == ["coingecko"]
    assert "coingecko has closing prices only" in first.output

    coingecko.requests.reset()
    second = job.run_well(days=200, now="2024-05-02T09:35:00Z")

    assert len(asked_days(coingecko)) == 1
    assert second.report["exchange_totals"]["coingecko"]["requests"] == 1
    assert second.ticker("BTC/USD")["merged_candles"] == 0


def test_a_day_later_one_request_brings_the_new_day(
    job: Any, coingecko: ExchangeSimulator, ms_of: Callable[[str], int]
) -> None:
    job.run_well(days=30)
    coingecko.clock.advance(DAY_MS)
    coingecko.requests.reset()

    job.run_well(days=30, now="2024-05-03T09:30:00Z")

    assert len(asked_days(coingecko)) == 1
    now_ms = ms_of(NOW) + DAY_MS
    stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
    assert_flat(stored, closes(coingecko, "BTC/USD", 31, now_ms))


def test_days_that_an_answer_lacks_are_asked_for_one_by_one(
    job: Any,
    coingecko: ExchangeSimulator,
    at_candle_request: Callable[..., Any],
    ms_of: Callable[[str], int],
) -> None:
    coingecko.set_faults([Fault("coingecko", "missing_days", 1.0)])
    # Which fault hits a request is drawn before it is noted.
    at_candle_request(coingecko, 1, lambda: coingecko.set_faults([]))

    job.run_well(days=60, backfill_end_date="2024-05-02")

    assert coingecko.requests.fault_counts("coingecko") == {"missing_days": 1}
    first, *others = asked_days(coingecko)
    assert first > 60
    assert others == [3.0, 3.0]
    stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
    assert_flat(stored, closes(coingecko, "BTC/USD", 60, ms_of(NOW)))


@pytest.mark.parametrize("kinds", [FAULT_KINDS[start::3] for start in range(3)], ids=",".join)
def test_no_fault_makes_a_wrong_price_and_the_days_become_complete(
    job: Any, coingecko: ExchangeSimulator, ms_of: Callable[[str], int], kinds: tuple[str, ...]
) -> None:
    coingecko.set_faults([Fault("coingecko", kind, 0.3 / len(kinds)) for kind in kinds])
    expected = closes(coingecko, "BTC/USD", 300, ms_of(NOW))
    for _ in range(15):
        job.run(days=300, request_timeout_seconds=1)
        stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
        assert {time: candle.close for time, candle in stored.items()}.items() <= expected.items()
        if stored.keys() == expected.keys():
            break
    assert_flat(stored, expected)
