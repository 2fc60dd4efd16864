"""What every exchange must do: unmodified ccxt against the real server, one suite for all."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest
from exchange_facts import FACTS, ExchangeFacts

from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import CCXT_DIALECTS, DIALECTS, ExchangeSimulator

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

Connect = Callable[..., Any]


def as_ccxt(candles: list[Any]) -> list[list[float]]:
    return [[c.open_ms, *map(float, (c.open, c.high, c.low, c.close, c.volume))] for c in candles]


def test_every_dialect_has_a_row_of_facts() -> None:
    assert set(FACTS) == set(CCXT_DIALECTS)


async def test_load_markets_gives_active_spot_markets_with_their_precision(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, symbol: str, facts: ExchangeFacts
) -> None:
    markets = await connect(simulator, exchange).load_markets()
    tradable = {name for name, m in markets.items() if m["spot"] and m["active"] is not False}
    bases = ("BTC", "ETH", "SOL")
    assert tradable == {f"{base}/{quote}" for base in bases for quote in facts.quotes}
    precision = markets[symbol]["precision"]
    assert (precision["price"], precision["amount"]) == facts.bitcoin_steps


async def test_what_is_not_a_traded_spot_market_is_told_apart(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, facts: ExchangeFacts
) -> None:
    markets = await connect(simulator, exchange).load_markets()
    has_halted = any(m["spot"] and m["active"] is False for m in markets.values())
    assert has_halted == facts.lists_halted
    has_perpetual = any(m["swap"] for m in markets.values())
    assert has_perpetual == facts.has_perpetual


async def test_closed_candles_equal_the_truth_to_the_digit(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, symbol: str, now_ms: int
) -> None:
    client = connect(simulator, exchange)
    start_ms = now_ms // HOUR_MS * HOUR_MS - 4 * HOUR_MS
    rows = await client.fetch_ohlcv(symbol, "1m", since=start_ms, limit=120)
    end_ms = rows[-1][0] + MINUTE_MS
    assert rows == as_ccxt(simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, end_ms))
    assert len(rows) > 60


@pytest.mark.parametrize(("timeframe", "minutes"), [("5m", 5), ("1h", 60), ("1d", 1440)])
async def test_longer_candles_equal_an_exact_computation_from_minutes(
    simulator: ExchangeSimulator,
    connect: Connect,
    exchange: str,
    symbol: str,
    now_ms: int,
    timeframe: str,
    minutes: int,
) -> None:
    step_ms = minutes * MINUTE_MS
    shift_ms = FACTS[exchange].day_opens_at_ms if step_ms == DAY_MS else 0
    start_ms = (now_ms // step_ms - 4) * step_ms + shift_ms
    rows = await connect(simulator, exchange).fetch_ohlcv(symbol, timeframe, start_ms, 3)
    expected = []
    for open_ms in range(start_ms, start_ms + 3 * step_ms, step_ms):
        parts = simulator.true_candles(exchange, symbol, MINUTE_MS, open_ms, open_ms + step_ms)
        if parts:
            high, low = max(c.high for c in parts), min(c.low for c in parts)
            volume = sum((c.volume for c in parts), Decimal(0))
            prices = map(float, (parts[0].open, high, low, parts[-1].close, volume))
            expected.append([open_ms, *prices])
    assert rows == expected
    assert len(rows) >= 2


async def test_paging_with_ccxt_over_a_long_span_finds_every_candle_once(
    simulator: ExchangeSimulator,
    connect: Connect,
    exchange: str,
    symbol: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    habits = HABITS[exchange]
    client, size = connect(simulator, exchange), habits.page_candles
    span = min(2 * 1440 + 77, (facts.reach_rows or 10_000) - 20)
    end_ms = now_ms // MINUTE_MS * MINUTE_MS - 5 * MINUTE_MS
    start_ms = since_ms = end_ms - span * MINUTE_MS
    found: list[list[float]] = []
    while since_ms < end_ms:
        page = await client.fetch_ohlcv(
            symbol, "1m", since_ms, size, habits.parameters_of(Timeframe(1), since_ms, now_ms)
        )
        found += [row for row in page if row[0] < end_ms]
        since_ms = max(since_ms + size * MINUTE_MS, page[-1][0] + MINUTE_MS if page else 0)
    truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, end_ms)
    assert found == as_ccxt(truth)


async def test_a_page_holds_no_more_rows_than_the_exchange_sends(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    end_ms = now_ms // MINUTE_MS * MINUTE_MS
    for minutes in (facts.page_rows, 2 * facts.page_rows):
        url = facts.wire.url(end_ms - minutes * MINUTE_MS, end_ms)
        async with http.get(simulator.base_url(exchange) + url) as answer:
            status, text = answer.status, await answer.text()
        if minutes == facts.page_rows or status == 200:
            assert 0.8 * facts.page_rows < len(facts.wire.candles(text)) <= facts.page_rows


async def test_a_range_shows_the_candles_at_both_of_its_ends_and_none_beyond(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    symbol = f"BTC/{facts.wire_quote}"
    hour_ms = now_ms // HOUR_MS * HOUR_MS - HOUR_MS
    truth = simulator.true_candles(exchange, symbol, MINUTE_MS, hour_ms, hour_ms + HOUR_MS)
    wanted = [candle.open_ms for candle in truth[10:30]]
    url = facts.wire.url(wanted[0], wanted[-1] + MINUTE_MS)
    async with http.get(simulator.base_url(exchange) + url) as answer:
        shown = sorted(row[0] for row in facts.wire.candles(await answer.text()))
    assert [time for time in shown if wanted[0] <= time <= wanted[-1]] == wanted
    assert (shown[0] == wanted[0]) == (facts.wire.start_parameter is not None)
    assert (shown[-1] == wanted[-1]) == facts.knows_range_ends


async def test_rows_stand_in_the_exchanges_own_order_on_the_wire(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    wire = facts.wire
    start_ms = now_ms // HOUR_MS * HOUR_MS - HOUR_MS
    async with http.get(
        simulator.base_url(exchange) + wire.url(start_ms, start_ms + HOUR_MS)
    ) as answer:
        times = [row[0] for row in wire.candles(await answer.text())]
    assert len(times) > 40
    assert times == sorted(times, reverse=facts.is_descending)


async def test_idle_minutes_are_flat_bars_or_nothing_as_the_exchange_has_it(
    simulator: ExchangeSimulator, exchange: str, facts: ExchangeFacts, now_ms: int
) -> None:
    symbol = f"SOL/{facts.quote}"
    day_ms = now_ms // DAY_MS * DAY_MS - DAY_MS
    candles = [
        candle
        for days in range(3)
        for candle in simulator.true_candles(
            exchange, symbol, MINUTE_MS, day_ms - days * DAY_MS, day_ms - (days - 1) * DAY_MS
        )
    ]
    idle = [candle for candle in candles if candle.volume == 0]
    by_time = {candle.open_ms: candle for candle in candles}
    assert bool(idle) == facts.sends_idle_bars
    for candle in idle:
        assert candle.open == candle.high == candle.low == candle.close
        previous = by_time.get(candle.open_ms - MINUTE_MS)
        if previous is not None:
            assert candle.close == previous.close
    if not facts.sends_idle_bars:
        assert len(candles) < 3 * 1440 * 0.98


async def test_the_unfinished_candle_is_the_last_row_and_still_changes(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, symbol: str, now_ms: int
) -> None:
    client = connect(simulator, exchange)
    open_ms = now_ms // MINUTE_MS * MINUTE_MS
    final = simulator.true_candles(exchange, symbol, MINUTE_MS, open_ms, open_ms + MINUTE_MS)
    seen = []
    for second in (10, 40):
        simulator.clock.set(open_ms + second * 1000)
        seen.append((await client.fetch_ohlcv(symbol, "1m", open_ms - 5 * MINUTE_MS, 10))[-1])
    early, late = seen
    assert early[0] == late[0] == open_ms
    assert early[5] < late[5] < float(final[0].volume)
    for _, first, high, low, close, _ in seen:
        assert low <= min(first, close) <= max(first, close) <= high
        assert float(final[0].low) <= low
        assert high <= float(final[0].high)


async def test_no_unfinished_candle_before_its_first_trade_but_flat_bars(
    simulator: ExchangeSimulator,
    connect: Connect,
    exchange: str,
    symbol: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    open_ms = now_ms // MINUTE_MS * MINUTE_MS
    simulator.clock.set(open_ms)
    client = connect(simulator, exchange)
    # Where a range ends now and its end is excluded, the client must be a little ahead.
    client.milliseconds = lambda: open_ms + 1
    last = (await client.fetch_ohlcv(symbol, "1m", open_ms - 5 * MINUTE_MS, 10))[-1]
    if facts.sends_idle_bars:
        assert last[0] == open_ms
        assert last[1] == last[2] == last[3] == last[4]
        assert last[5] == 0
    else:
        assert last[0] < open_ms


async def test_nothing_newer_than_now_and_older_than_the_listing_is_served(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, symbol: str, now_ms: int
) -> None:
    client = connect(simulator, exchange)
    rows = await client.fetch_ohlcv(symbol, "1m", now_ms - 10 * MINUTE_MS, 100)
    assert rows
    assert rows[-1][0] <= now_ms
    listed_ms = 1_577_836_800_000  # 2020-01-01
    simulator.clock.set(listed_ms + 30 * MINUTE_MS)
    rows = await client.fetch_ohlcv(symbol, "1m", listed_ms - 60 * MINUTE_MS, 200)
    assert rows[0][0] in (listed_ms, listed_ms + MINUTE_MS)
    simulator.clock.set(listed_ms - 1)
    assert await client.fetch_ohlcv(symbol, "1m", listed_ms - 60 * MINUTE_MS, 200) == []


async def test_the_server_time_is_the_simulators(
    simulator: ExchangeSimulator,
    connect: Connect,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    client = connect(simulator, exchange)
    if not facts.has_server_time:
        assert not client.has["fetchTime"]
        return
    assert abs(await client.fetch_time() - now_ms) < 1000


async def test_a_timeframe_the_exchange_does_not_offer_is_its_own_error(
    simulator: ExchangeSimulator, connect: Connect, exchange: str, symbol: str, facts: ExchangeFacts
) -> None:
    with pytest.raises(ccxt.ExchangeError) as caught:
        await connect(simulator, exchange).fetch_ohlcv(symbol, "7m")
    assert not isinstance(caught.value, ccxt.NetworkError)
    assert isinstance(caught.value, facts.unknown_timeframe)


async def test_an_unknown_symbol_is_the_exchanges_own_error(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    url = facts.wire.url(now_ms - HOUR_MS, now_ms, market="NOSUCH")
    async with http.get(simulator.base_url(exchange) + url) as answer:
        status, text = answer.status, await answer.text()
    expected_status, expected_text = facts.unknown_symbol
    assert (status, expected_text in text) == (expected_status, True)


async def test_a_number_that_is_none_is_a_refusal_and_not_a_crash(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    exchange: str,
    facts: ExchangeFacts,
    now_ms: int,
) -> None:
    parameter = facts.wire.start_parameter
    if parameter is None:
        pytest.skip(f"{exchange} takes no number")
    url = facts.wire.url(now_ms - HOUR_MS, now_ms)
    assert f"{parameter}=" in url
    url = url.replace(f"{parameter}=", f"{parameter}=x")
    async with http.get(simulator.base_url(exchange) + url) as answer:
        assert answer.status == facts.bad_number_status
        text = await answer.text()
    assert "error" in text or '"code"' in text or "message" in text


async def test_an_unknown_path_is_not_found(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession, exchange: str
) -> None:
    async with http.get(simulator.base_url(exchange) + "/no/such/path") as answer:
        assert answer.status == 404
        assert await answer.json()


def test_the_timeframes_offered_are_those_of_ccxt_up_to_a_day(exchange: str) -> None:
    client = getattr(ccxt, exchange)()
    renamed = FACTS[exchange].renamed_timeframes
    of_spot = (client.options.get("timeframes") or {}).get("spot") or client.timeframes
    known = {
        renamed.get(str(name), str(name))
        for timeframe, name in of_spot.items()
        if 60 <= client.parse_timeframe(timeframe) <= 86_400
    }
    assert set(DIALECTS[exchange].timeframes) == known
