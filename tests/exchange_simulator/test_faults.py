"""Every kind of fault as a client sees it, on every exchange."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from exchange_facts import ExchangeFacts

from exchange_simulator import FAULT_KINDS, ExchangeSimulator, Fault

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

STATUS_OF = {
    "429": 429,
    "429_retry_after": 429,
    "418": 418,
    "403": 403,
    "451": 451,
    "500": 500,
    "503": 503,
}

Rows = list[tuple[Any, ...]]


@pytest.fixture
def ask(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    exchange: str,
    now_ms: int,
) -> Callable[[str | None], Awaitable[tuple[int, str, Any]]]:
    """`await ask(kind)`: status, text and headers of one hour's page under that fault."""
    start_ms = now_ms // HOUR_MS * HOUR_MS - 2 * HOUR_MS
    url = simulator.base_url(exchange) + wires[exchange].url(start_ms, start_ms + HOUR_MS)

    async def get(kind: str | None) -> tuple[int, str, Any]:
        simulator.set_faults([Fault(exchange, kind, 1.0)] if kind else [])
        async with http.get(url) as answer:
            return answer.status, await answer.text(), answer.headers

    return get


@pytest.mark.parametrize("kind", list(STATUS_OF))
async def test_an_http_error_comes_with_its_status_and_a_body_of_the_exchange(
    ask: Callable[..., Any], kind: str
) -> None:
    status, text, headers = await ask(kind)
    assert status == STATUS_OF[kind]
    assert isinstance(json.loads(text), dict | list)
    assert headers.get("Retry-After") == ("1" if kind == "429_retry_after" else None)


@pytest.mark.parametrize("kind", ["429", "503"])
async def test_ccxt_raises_for_an_http_error_and_gets_the_page_without_the_fault(
    simulator: ExchangeSimulator,
    connect: Callable[..., Any],
    exchange: str,
    symbol: str,
    facts: ExchangeFacts,
    kind: str,
) -> None:
    client = connect(simulator, exchange)
    await client.load_markets()
    simulator.set_faults([Fault("all", kind, 1.0)])
    with pytest.raises(facts.ccxt_errors[kind]):
        await client.fetch_ohlcv(symbol, "1m")
    simulator.set_faults([])
    assert await client.fetch_ohlcv(symbol, "1m")


async def test_a_dropped_connection_ends_the_answer_midway(ask: Callable[..., Any]) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask("dropped_connection")
    status, _, _ = await ask(None)
    assert status == 200


async def test_a_stalled_request_gets_no_answer_and_does_not_hold_up_the_stop(
    simulator: ExchangeSimulator, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = asyncio.Event()
    note = simulator.requests.add_candle_request

    def note_and_tell(*details: Any) -> None:
        note(*details)
        arrived.set()

    monkeypatch.setattr(simulator.requests, "add_candle_request", note_and_tell)
    request = asyncio.ensure_future(ask("stall"))
    await arrived.wait()
    await asyncio.wait_for(simulator.stop(), 5)
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_a_client_that_gives_up_a_stalled_request_can_ask_again(
    simulator: ExchangeSimulator, ask: Callable[..., Any]
) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask("stall"), 0.05)
    status, _, _ = await ask(None)
    assert status == 200


async def test_cut_json_is_an_answer_whose_text_ends_early(ask: Callable[..., Any]) -> None:
    _, whole, _ = await ask(None)
    status, cut, headers = await ask("cut_json")
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert whole.startswith(cut)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)


async def test_html_is_a_maintenance_page_under_status_200(ask: Callable[..., Any]) -> None:
    status, text, headers = await ask("html")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert text.startswith("<!DOCTYPE html>")


async def rows_under(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str, kind: str
) -> tuple[Rows, Rows]:
    """The hour's rows without and with a fault, as the wire has them."""
    wire = wires[exchange]
    _, clean, _ = await ask(None)
    status, spoilt, _ = await ask(kind)
    assert status == 200
    return wire.candles(clean), wire.candles(spoilt)


async def test_doubled_rows_are_the_same_rows_some_twice(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "doubled_rows")
    assert len(spoilt) > len(clean)
    assert list(dict.fromkeys(spoilt)) == clean


async def test_shuffled_rows_are_the_same_rows_in_another_order(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "shuffled_rows")
    assert spoilt != clean
    assert sorted(spoilt) == sorted(clean)


async def test_null_fields_leave_a_price_or_volume_out(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "null_fields")
    changed = [(a, b) for a, b in zip(clean, spoilt, strict=True) if a != b]
    assert 1 <= len(changed) <= 3
    for before, after in changed:
        assert [b for a, b in zip(before, after, strict=True) if a != b] == [None]
        assert after[0] == before[0]


async def test_high_below_low_is_an_impossible_row(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "high_below_low")
    changed = [(a, b) for a, b in zip(clean, spoilt, strict=True) if a != b]
    assert 1 <= len(changed) <= 3
    for before, after in changed:
        assert (*before[:2], *before[3:]) == (*after[:2], *after[3:])
        assert Decimal(after[2]) < Decimal(after[3])


async def test_off_grid_moves_one_row_by_half_a_candle(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "off_grid")
    changed = [(a, b) for a, b in zip(clean, spoilt, strict=True) if a != b]
    assert len(changed) == 1
    before, after = changed[0]
    assert before[1:] == after[1:]
    assert abs(before[0] - after[0]) == MINUTE_MS // 2


async def test_an_empty_page_is_a_valid_answer_without_rows(
    ask: Callable[..., Any], wires: dict[str, Any], exchange: str
) -> None:
    clean, spoilt = await rows_under(ask, wires, exchange, "empty_page")
    assert clean
    assert spoilt == []


async def test_faults_hit_candle_requests_alone(
    start_simulator: Callable[..., Any], connect: Callable[..., Any], exchange: str
) -> None:
    simulator = await start_simulator(faults=(Fault("all", "500", 1.0),))
    assert await connect(simulator, exchange).load_markets()


async def drawn(simulator: ExchangeSimulator, http: aiohttp.ClientSession, count: int) -> list[Any]:
    url = f"{simulator.base_url('kraken')}/0/public/OHLC?pair=XBTUSD"
    for _ in range(count):
        async with http.get(url) as answer:
            await answer.read()
    return [request.fault for request in simulator.requests.arrived("kraken")]


async def test_the_same_seed_draws_the_same_faults_and_another_draws_others(
    start_simulator: Callable[..., Any], http: aiohttp.ClientSession
) -> None:
    faults = (Fault("all", "500", 0.2), Fault("kraken", "html", 0.2), Fault("bitstamp", "418", 1.0))
    first = await drawn(await start_simulator(faults=faults, seed=5), http, 60)
    again = await drawn(await start_simulator(faults=faults, seed=5), http, 60)
    other = await drawn(await start_simulator(faults=faults, seed=6), http, 60)
    assert first == again
    assert first != other
    assert set(first) == {None, "500", "html"}


async def test_the_first_fault_that_hits_applies_and_rate_0_never_does(
    start_simulator: Callable[..., Any], http: aiohttp.ClientSession
) -> None:
    faults = (Fault("all", "418", 0.0), Fault("all", "503", 1.0), Fault("all", "500", 1.0))
    assert set(await drawn(await start_simulator(faults=faults), http, 5)) == {"503"}


async def test_row_faults_leave_an_empty_answer_alone(
    start_simulator: Callable[..., Any], http: aiohttp.ClientSession
) -> None:
    simulator = await start_simulator(now_ms=MINUTE_MS)
    for kind in ("doubled_rows", "shuffled_rows", "null_fields", "high_below_low", "off_grid"):
        simulator.set_faults([Fault("all", kind, 1.0)])
        async with http.get(f"{simulator.base_url('kraken')}/0/public/OHLC?pair=XBTUSD") as answer:
            assert (await answer.json())["result"]["XXBTZUSD"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kraken:429", "EXCHANGE:KIND:RATE"),
        ("kraken:429:often", "EXCHANGE:KIND:RATE"),
        ("kraken:429:0.1:x", "EXCHANGE:KIND:RATE"),
        ("bitso:429:0.1", "unknown exchange 'bitso'"),
        ("kraken:430:0.1", "unknown kind of fault '430'"),
        ("kraken:429:1.1", "from 0 to 1"),
        ("kraken:429:nan", "from 0 to 1"),
    ],
)
def test_a_bad_fault_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.parse(text)


def test_every_kind_of_fault_parses() -> None:
    for kind in FAULT_KINDS:
        assert Fault.parse(f"all:{kind}:0.05") == Fault("all", kind, 0.05)
