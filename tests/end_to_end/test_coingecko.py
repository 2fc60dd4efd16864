"""CoinGecko through the front door: the command against the simulator over HTTP."""

from collections.abc import Callable, Mapping
from pathlib import Path
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
    for request in simulator.requests.arrived("coingecko"):
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
    expected = closes(coingecko, "BTC/USD", 88, ms_of(NOW))
    for kind in kinds:
        coingecko.set_faults([Fault("coingecko", kind, 0.6)])
        while not coingecko.requests.fault_counts("coingecko").get(kind):
            job.run(days=88, force="true", request_timeout_seconds=0.5)
        stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
        assert {time: candle.close for time, candle in stored.items()}.items() <= expected.items()
    coingecko.set_faults([])

    job.run_well(days=88)

    assert_flat(job.stored.of_exchange("coingecko", "BTC/USD", "1d"), expected)


@pytest.mark.parametrize(
    # A request begins at a day that is known before those that are wanted.
    ("flags", "days_read_again"),
    [({"refetch_days": 20}, 21), ({"force": "true"}, 60)],
)
def test_what_is_known_is_read_again_when_asked_for_and_replaced_where_it_differs(
    job: Any,
    coingecko: ExchangeSimulator,
    simulate: Any,
    ms_of: Callable[[str], int],
    flags: dict[str, Any],
    days_read_again: int,
) -> None:
    job.run_well(days=60)
    revised = simulate(now_ms=ms_of(NOW), exchanges=("coingecko",), seed=5)
    job.use(revised)

    job.run_well(days=60, **flags)

    expected = closes(coingecko, "BTC/USD", 60, ms_of(NOW))
    expected |= closes(revised, "BTC/USD", days_read_again, ms_of(NOW))
    assert_flat(job.stored.of_exchange("coingecko", "BTC/USD", "1d"), expected)
    assert_flat(job.stored.merged("BTC/USD", "1d"), expected)


def test_a_day_without_a_price_is_asked_for_alone_and_then_known_to_have_none(
    job: Any,
    simulate: Any,
    write_recording: Callable[..., None],
    tmp_path: Path,
    ms_of: Callable[[str], int],
) -> None:
    start_ms, hole_ms, end_ms = map(ms_of, ("2024-04-01", "2024-04-20", "2024-05-02"))
    hours = [t for t in range(start_ms, end_ms, DAY_MS // 24) if not 0 <= t - hole_ms < DAY_MS]
    write_recording("coingecko_BTC-USD", [f"{t},2,3,1,{t % 997 + 1},5" for t in hours])
    simulator = simulate(
        now_ms=ms_of(NOW), exchanges=("coingecko",), recordings=(tmp_path / "recordings",)
    )
    job.use(simulator)

    finished = job.run_well(**DAILY, now=f"{NOW}Z", days=31)

    stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
    assert stored.keys() == {*range(start_ms, end_ms, DAY_MS)} - {hole_ms}
    assert "shows nothing of 2024-04-20T00:00:00Z, asked alone either" in finished.errors
    assert finished.ticker("BTC/USD")["gap_candles"] == {}
    simulator.requests.reset()
    job.run_well(**DAILY, now="2024-05-02T09:40:00Z", days=31)
    assert len(asked_days(simulator)) == 1


def test_a_failed_reading_again_leaves_what_is_known(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    job.run_well(days=30)
    before = job.stored.contents()
    coingecko.set_faults([Fault("coingecko", "500", 1.0)])

    finished = job.run(days=30, force="true")

    assert finished.report is not None
    assert finished.report["status"] == "degraded"
    assert finished.ticker("BTC/USD")["gap_candles"] == {}
    assert job.stored.contents() == before


def test_an_ambiguous_ticker_is_the_largest_coin_and_the_log_says_so(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    finished = job.run_well(days=3)

    assert (
        "coingecko has 2 coins of the ticker BTC: taking bitcoin, the largest by market cap, and "
        'not bridged-bitcoin; [coingecko.ids] with BTC = "ID" in --exchange_settings_file takes '
        "another"
    ) in finished.errors
    again = job.run_well(days=3, now="2024-05-02T10:30:00Z")
    assert "2 coins" not in again.errors


def test_a_coin_once_found_stays_the_tickers_and_only_a_ticker_that_is_new_is_looked_up(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    job.run_well(days=3)

    finished = job.run_well(days=3, symbols="BTC/USD,ETH/USD", now="2024-05-02T10:30:00Z")

    assert "the ticker BTC" not in finished.errors
    assert "the ticker ETH: taking ethereum" in finished.errors
    a_day_later = job.run_well(days=3, now="2024-05-03T10:30:00Z")
    assert "coins of the ticker" not in a_day_later.errors


def test_the_settings_file_says_which_coin_a_ticker_means(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    job.run_well(days=3)
    path = job.settings["exchange_settings_file"]
    path.write_text(path.read_text() + '[coingecko.ids]\nbtc = "ethereum"\n')

    job.run_well(days=3, now="2024-05-02T10:30:00Z")

    asked = [request.url for request in coingecko.requests.arrived("coingecko")]
    assert "/coins/bitcoin/" in asked[0]
    assert "/coins/ethereum/" in asked[-1]
    path.write_text(path.read_text().partition("[coingecko.ids]")[0])
    job.run_well(days=3, now="2024-05-02T11:30:00Z")
    asked = [request.url for request in coingecko.requests.arrived("coingecko")]
    assert "/coins/bitcoin/" in asked[-1]


def test_a_coin_without_data_leaves_a_gap_and_no_candle(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    path = job.settings["exchange_settings_file"]
    path.write_text(path.read_text() + '[coingecko.ids]\nETH = "bridged-ethereum"\n')

    finished = job.run(days=30, symbols="BTC/USD,ETH/USD")

    assert job.stored.of_exchange("coingecko", "ETH/USD", "1d") == {}
    assert sum(finished.ticker("ETH/USD")["gap_candles"].values()) == 30
    assert len(job.stored.of_exchange("coingecko", "BTC/USD", "1d")) == 30


def test_a_key_goes_with_each_request_and_a_wrong_one_is_refused_without_being_shown(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    job.environment["COINGECKO__APIKEY"] = "CG-right"
    job.run_well(days=3)
    job.environment["COINGECKO__APIKEY"] = "wrong-secret"

    finished = job.run(days=3, now="2024-05-04T10:30:00Z")

    assert "coingecko refuses requests and is left alone for this run" in finished.errors
    assert "check $COINGECKO__APIKEY" in finished.errors
    assert "wrong-secret" not in finished.errors + finished.output + str(finished.report)


def test_what_the_free_plan_does_not_reach_is_named_and_a_paid_plan_has_it(
    job: Any, coingecko: ExchangeSimulator, ms_of: Callable[[str], int]
) -> None:
    finished = job.run_well(days=400)

    gaps = finished.ticker("BTC/USD")["exchanges"]["coingecko"]["gap_candles"]
    assert gaps.keys() == {"beyond_reach"}
    assert 400 - 365 <= gaps["beyond_reach"] <= 400 - 360

    path = job.settings["exchange_settings_file"]
    path.write_text(path.read_text() + '[coingecko.options]\nplan = "pro"\n')
    job.environment["COINGECKO__APIKEY"] = "CG-paid"
    job.run_well(days=400, force="true")

    stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
    assert_flat(stored, closes(coingecko, "BTC/USD", 400, ms_of(NOW)))


def test_the_days_before_a_coins_first_price_are_not_listed_yet(
    job: Any, simulate: Any, ms_of: Callable[[str], int]
) -> None:
    listed_ms = ms_of("2024-03-01T13:20")
    simulator = simulate(
        now_ms=ms_of(NOW), exchanges=("coingecko",), listed_since_ms={"BTC": listed_ms}
    )
    job.use(simulator)
    path = job.settings["exchange_settings_file"]
    path.write_text(path.read_text() + '[coingecko.options]\nplan = "pro"\n')
    job.environment["COINGECKO__APIKEY"] = "CG-paid"

    finished = job.run_well(**DAILY, now=f"{NOW}Z", days=200)

    stored = job.stored.of_exchange("coingecko", "BTC/USD", "1d")
    assert min(stored) == ms_of("2024-03-01")
    assert len(stored) == (ms_of("2024-05-02") - ms_of("2024-03-01")) // DAY_MS
    source = finished.ticker("BTC/USD")["exchanges"]["coingecko"]
    assert source["gap_candles"] == {"not_listed_yet": 200 - len(stored)}
    assert source["requests"] < 20


def test_closing_prices_are_not_merged_with_candles_unless_that_is_allowed(
    job: Any, simulate: Any, ms_of: Callable[[str], int], truth: Any
) -> None:
    simulator = simulate(now_ms=ms_of(NOW), exchanges=("coingecko", "coinbaseexchange"))
    job.use(simulator)
    both = {**DAILY, "exchanges": "coinbaseexchange,coingecko", "now": f"{NOW}Z", "days": 10}

    refused = job.run(**both)

    assert refused.exit_code == 2
    assert "coingecko has closing prices only" in refused.complaint
    assert "--allow_price_only_sources" in refused.complaint
    assert not simulator.requests.arrived("coingecko")

    job.run_well(**both, allow_price_only_sources="true")

    merged = job.stored.merged("BTC/USD", "1d")
    real = job.stored.of_exchange("coinbaseexchange", "BTC/USD", "1d")
    assert merged.keys() == real.keys()
    for time, candle in merged.items():
        # It has no volume, and so no weight where others traded.
        assert candle[:5] == real[time][:5]
        assert candle.source_exchanges == "coinbaseexchange,coingecko"
        assert candle.exchange_count == 2


@pytest.mark.parametrize("after", ["coinbaseexchange", "coingecko"])
def test_a_merged_series_does_not_change_between_candles_and_closing_prices(
    job: Any, simulate: Any, ms_of: Callable[[str], int], after: str
) -> None:
    simulator = simulate(now_ms=ms_of(NOW), exchanges=("coingecko", "coinbaseexchange"))
    job.use(simulator)
    before = ({"coinbaseexchange", "coingecko"} - {after}).pop()
    job.run_well(**{**DAILY, "exchanges": before, "now": f"{NOW}Z", "days": 10})
    stored = job.stored.contents()

    refused = job.run(**{**DAILY, "exchanges": after, "now": f"{NOW}Z", "days": 20})

    assert refused.exit_code == 2
    assert f"are made from {before}, and would go on with {after}" in refused.complaint
    assert job.stored.contents() == stored
    dry = job.run(**{**DAILY, "exchanges": after, "now": f"{NOW}Z", "days": 20, "run_mode": "dry"})
    assert dry.exit_code == 2
    assert f"would go on with {after}" in dry.output


def test_dollars_are_no_tether_and_shorter_candles_are_refused(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    tether = job.run(days=3, symbols="BTC/USDT")
    assert tether.exit_code == 2
    assert "--quote_aliases=USDT:USD would let coingecko serve BTC/USD" in tether.complaint

    hours = job.run(days=3, candle_granularity_minutes=60)
    assert hours.exit_code == 2
    assert "coingecko has no 1h candles; it offers 1d" in hours.complaint


def test_a_dry_run_asks_for_a_sample_and_writes_nothing(
    job: Any, coingecko: ExchangeSimulator
) -> None:
    finished = job.run_well(days=200, run_mode="dry")

    assert "candles of coingecko BTC/USD 1d: 50 candles, 0 rejected rows" in finished.output
    assert not job.stored.sqlite_path.exists()


def test_a_young_coin_is_found_within_the_reach_of_the_free_plan_and_not_looked_for_again(
    job: Any, simulate: Any, ms_of: Callable[[str], int]
) -> None:
    listed_ms = ms_of("2024-03-01T13:20")
    simulator = simulate(
        now_ms=ms_of(NOW), exchanges=("coingecko",), listed_since_ms={"BTC": listed_ms}
    )
    job.use(simulator)

    first = job.run_well(**DAILY, now=f"{NOW}Z", days=200)
    second = job.run_well(**DAILY, now="2024-05-02T10:00:00Z", days=200)

    assert min(job.stored.of_exchange("coingecko", "BTC/USD", "1d")) == ms_of("2024-03-01")
    for finished in (first, second):
        gaps = finished.ticker("BTC/USD")["exchanges"]["coingecko"]["gap_candles"]
        assert gaps == {"not_listed_yet": 138}
    assert first.ticker("BTC/USD")["exchanges"]["coingecko"]["requests"] < 10
    assert second.report["exchange_totals"]["coingecko"]["requests"] == 1
