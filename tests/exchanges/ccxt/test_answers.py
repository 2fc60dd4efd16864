"""What becomes of an exchange's answer, with the real ccxt over HTTP."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from asking_ccxt import spot_market

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import (
    MalformedAnswerError,
)
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.names import WITHOUT_CCXT
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.unusable import why_unusable
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.timeframe import Timeframe

# Each file holds answers in an exchange's wire format with what ccxt must make of them: samples of
# this project, and recorded ones where they are on this machine.
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "answers"
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "answers"
ANSWERS = {
    f"{kind}-{path.stem}": path
    for kind, folder in (("sample", SAMPLES), ("recorded", RECORDED))
    for path in sorted(folder.glob("*.json"))
}


def cases_of(path: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(path.read_text())["methods"]["fetchOHLCV"]
    return cases


def test_there_is_a_sample_answer_of_every_described_exchange_that_can_be_used() -> None:
    usable = {exchange for exchange, habits in HABITS.items() if why_unusable(habits) is None}
    assert {path.stem for path in SAMPLES.glob("*.json")} == usable - set(WITHOUT_CCXT)


@pytest.mark.parametrize("path", ANSWERS.values(), ids=ANSWERS.keys())
async def test_answers_are_read_as_ccxt_reads_them(
    path: Path, serve: Callable[..., Awaitable[str]]
) -> None:
    exchange = path.stem
    for case in cases_of(path):
        body = json.dumps(case["httpResponse"])
        symbol, timeframe, *_ = case["input"]
        if ":" in symbol:
            continue  # no spot market

        async def answer(_: web.Request, body: str = body) -> web.Response:
            return web.Response(text=body, content_type="application/json")

        address = await serve(answer)
        client = CcxtClient(exchange, ExchangeSettings(address, requests_per_minute=0))
        # Kraken's answer names the market by an id of its own.
        market_id = {"kraken": "XBTUSDT"}.get(exchange, symbol.replace("/", ""))
        client.use_markets([spot_market(symbol) | {"id": market_id}])
        wanted = case["parsedResponse"]
        try:
            rows = await client.fetch_candles(
                symbol, Timeframe.parse(timeframe), wanted[0][0], len(wanted)
            )
        finally:
            await client.close()
        assert rows.frame.schema == EXCHANGE_CANDLES
        found = [list(row) for row in rows.frame.iter_rows()]
        # ccxt itself sorts, and drops what lies outside of what was asked for; this does neither.
        assert sorted(row for row in found if row in wanted) == wanted
        assert len(found) == len(rows.raw) >= len(wanted)


async def test_no_row_is_dropped_sorted_or_cut_on_its_way(
    serve: Callable[..., Awaitable[str]],
) -> None:
    rows = [
        [180_000, "3", "3", "3", "3", "1"],
        [60_000, "1", "1", "1", "1", "1"],
        [60_000, "1", "1", "1", "1", "1"],
        [120_000, None, "2", "2", "2", "1"],
        None,
        "nonsense",
        [],
        {"t": 1},
        [-1, "x", "2", "2", "2", "1"],
    ]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(rows)

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        found = await client.fetch_candles("BTC/USD", Timeframe(1), 120_000, 1)
    finally:
        await client.close()

    assert list(found.raw) == rows
    assert found.frame.rows() == [
        (180_000, 3.0, 3.0, 3.0, 3.0, 1.0),
        (60_000, 1.0, 1.0, 1.0, 1.0, 1.0),
        (60_000, 1.0, 1.0, 1.0, 1.0, 1.0),
        (120_000, None, 2.0, 2.0, 2.0, 1.0),
        *[(None,) * 6] * 4,
        (-1, None, 2.0, 2.0, 2.0, 1.0),
    ]


@pytest.mark.parametrize("body", ['"text"', "", "[[1709", "null", "<html>"])
async def test_what_is_no_list_of_candles_is_malformed(
    body: str, serve: Callable[..., Awaitable[str]]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        with pytest.raises(MalformedAnswerError, match="binance"):
            await client.fetch_candles("BTC/USD", Timeframe(1), 0, 1)
    finally:
        await client.close()


async def test_an_object_in_place_of_the_list_has_rows_that_are_no_candles(
    serve: Callable[..., Awaitable[str]],
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": 1_709_642_060_000})

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        found = await client.fetch_candles("BTC/USD", Timeframe(1), 0, 1)
    finally:
        await client.close()

    assert found.frame.rows() == [(None,) * 6]
