"""CoinGecko's own wire format, asked without any client."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from exchange_simulator import ExchangeSimulator, Fault

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def ask(simulator: ExchangeSimulator, http: aiohttp.ClientSession) -> Ask:
    """`await ask(path, header=…, **query)`: status and JSON of an answer."""

    async def get(path: str, header: dict[str, str] | None = None, **query: Any) -> Any:
        url = f"{simulator.base_url('coingecko')}/api/v3{path}"
        async with http.get(url, params=query, headers=header) as answer:
            return answer.status, await answer.json()

    return get


@pytest.fixture
def points(ask: Ask, now_ms: int) -> Callable[..., Awaitable[list[Any]]]:
    """`await points(days_ago, until_days_ago)`: bitcoin's points of a range from midnight on."""
    today_ms = now_ms // DAY_MS * DAY_MS

    async def get(first: float, last: float = 0.0, coin: str = "bitcoin") -> list[Any]:
        bounds = {"from": today_ms - first * DAY_MS, "to": today_ms - last * DAY_MS}
        query = {name: int(value / 1000) for name, value in bounds.items()}
        path = f"/coins/{coin}/market_chart/range"
        status, answer = await ask(path, vs_currency="usd", **query)
        assert status == 200, answer
        assert answer.keys() == {"prices", "market_caps", "total_volumes"}
        assert len(answer["market_caps"]) == len(answer["total_volumes"])
        found: list[Any] = answer["prices"]
        return found

    return get


async def test_how_dense_points_are_depends_on_the_length_of_the_range(
    points: Callable[..., Awaitable[list[Any]]],
) -> None:
    assert len(await points(90)) == 90 * 24
    assert len(await points(91)) == 92  # both midnights
    assert len(await points(11, 10)) == 24
    assert len(await points(0, -1)) > 12 * 12  # of now: every five minutes


async def test_the_last_point_of_a_day_has_its_close_and_none_is_of_the_future(
    simulator: ExchangeSimulator, points: Callable[..., Awaitable[list[Any]]], now_ms: int
) -> None:
    today_ms = now_ms // DAY_MS * DAY_MS
    truth = simulator.true_candles("coingecko", "BTC/USD", DAY_MS, today_ms - 5 * DAY_MS, today_ms)
    last = {time // DAY_MS * DAY_MS: price for time, price in await points(5)}
    assert last == {candle.open_ms: float(candle.close) for candle in truth}
    until_now = await points(5, -3)
    assert all(time <= now_ms for time, _ in until_now)
    assert until_now[-1][0] > today_ms
    by_day = await points(100)
    assert all(time % DAY_MS == 0 for time, _ in by_day)
    assert dict(map(tuple, by_day))[today_ms] == float(truth[-1].close)


async def test_a_coin_that_was_never_traded_has_no_points(
    points: Callable[..., Awaitable[list[Any]]],
) -> None:
    assert await points(10, coin="bridged-bitcoin") == []


async def test_lists_tell_ids_market_caps_and_currencies(ask: Ask) -> None:
    _, coins = await ask("/coins/list")
    assert {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin"} in coins
    of_bitcoin = [coin["id"] for coin in coins if coin["symbol"] == "btc"]
    assert sorted(of_bitcoin) == ["bitcoin", "bridged-bitcoin"]
    _, caps = await ask("/coins/markets", vs_currency="usd", ids="bridged-ethereum,ethereum")
    assert {coin["id"]: coin["market_cap"] for coin in caps} == {
        "ethereum": 500_000_000_000,
        "bridged-ethereum": 1_000_000,
    }
    assert await ask("/simple/supported_vs_currencies") == (200, ["usd"])


async def test_the_free_plan_reaches_back_a_year_and_a_paid_one_further(
    ask: Ask, now_ms: int
) -> None:
    path = "/coins/bitcoin/market_chart/range"
    query = {"vs_currency": "usd", "from": now_ms // 1000 - 366 * 86_400, "to": now_ms // 1000}
    status, answer = await ask(path, **query)
    assert (status, answer["error"]["status"]["error_code"]) == (401, 10012)
    assert (await ask(path, {"x-cg-pro-api-key": "CG-paid"}, **query))[0] == 200
    assert (await ask(path, x_cg_pro_api_key="CG-paid", **query))[0] == 200


@pytest.mark.parametrize("path", ["/coins/list", "/simple/supported_vs_currencies"])
@pytest.mark.parametrize("header", ["x-cg-demo-api-key", "x-cg-pro-api-key"])
async def test_a_wrong_key_is_refused(ask: Ask, path: str, header: str) -> None:
    status, answer = await ask(path, {header: "wrong"})
    assert (status, answer["error"]["status"]["error_code"]) == (401, 10002)
    assert (await ask(path, {header: "CG-right"}))[0] == 200


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/coins/nope/market_chart/range", {"vs_currency": "usd", "from": 1, "to": 2}, 404),
        ("/coins/bitcoin/market_chart/range", {"vs_currency": "usdt", "from": 1, "to": 2}, 422),
        ("/coins/bitcoin/market_chart/range", {"vs_currency": "usd", "from": 1}, 422),
        ("/coins/bitcoin/market_chart/range", {"vs_currency": "usd", "from": 2, "to": 1}, 422),
        ("/coins/bitcoin/market_chart/range", {"vs_currency": "usd", "from": "x", "to": 1}, 422),
        ("/coins/markets", {"vs_currency": "usdt"}, 422),
        ("/nope", {}, 404),
    ],
)
async def test_a_request_that_is_wrong_is_told_so(
    ask: Ask, path: str, query: dict[str, Any], status: int
) -> None:
    answered, answer = await ask(path, **query)
    assert answered == status
    assert "error" in answer


async def test_missing_days_are_whole_days_between_others(
    simulator: ExchangeSimulator, points: Callable[..., Awaitable[list[Any]]]
) -> None:
    whole = await points(10)
    simulator.set_faults([Fault("coingecko", "missing_days", 1.0)])
    rest = await points(10)
    days = {time // DAY_MS for time, _ in whole} - {time // DAY_MS for time, _ in rest}
    assert len(days) == 2
    assert rest == [point for point in whole if point[0] // DAY_MS not in days]
    assert rest[0] == whole[0]
    assert rest[-1] == whole[-1]
