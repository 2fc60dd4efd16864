"""Trades of one answer, with the real ccxt over HTTP: every row to the last digit."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.async_support as ccxt_async
import pytest
from aiohttp import web

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.client import TradeClient
from candle_ingestor.exchanges.errors import MalformedAnswerError, RequestRejectedError
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS, TradeCursor, TradeHabits
from candle_ingestor.exchanges.trades import RawTrades
from candle_ingestor.model.timeframe import Timeframe

IDS = {"kraken": "XXBTZUSD", "bitfinex": "tBTCUSD", "coinbaseexchange": "BTC-USD"}
Serve = Callable[..., Awaitable[str]]


def kraken(*rows: Any, last: str = "1688671969993150842") -> str:
    return f'{{"error":[],"result":{{"XXBTZUSD":[{",".join(rows)}],"last":"{last}"}}}}'


def page(*rows: Any) -> str:
    return f"[{','.join(rows)}]"


def coinbase_row(trade_id: int, **fields: str) -> str:
    return json.dumps({"trade_id": trade_id, "side": "sell", "price": "25820.42000000", **fields})


GOOD = '["1","1",1688671200.2,"b","m","",2]'


class Exchange:
    """Serves one text, and hears what it is asked."""

    def __init__(self) -> None:
        self.text = ""
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.Response(text=self.text, content_type="application/json")


async def fetched(
    serve: Serve, exchange: str, text: str, cursor: int | None = 5, limit: int = 1000
) -> tuple[RawTrades, dict[str, str]]:
    stub = Exchange()
    stub.text = text
    client = CcxtClient(exchange, ExchangeSettings(await serve(stub.answer), 0))
    client.use_markets([market_of(client)])
    try:
        return await client.fetch_trades("BTC/USD", cursor, limit), stub.asked[0]
    finally:
        await client.close()


def market_of(client: CcxtClient) -> dict[str, Any]:
    market: dict[str, Any] = client._client.safe_market_structure(
        {
            "id": IDS[client.exchange],
            "symbol": "BTC/USD",
            "base": "BTC",
            "quote": "USD",
            "baseId": "BTC",
            "quoteId": "USD",
            "type": "spot",
            "spot": True,
            "active": True,
        }
    )
    return market


async def test_krakens_time_is_not_rounded_into_the_next_minute(serve: Serve) -> None:
    rows = (
        '["30243.40000","0.34507674",1688671199.9999999,"b","m","",61044952]',
        '["30243.30000","0.00376960",1688671200,"b","m","",61044953]',
    )
    found, asked = await fetched(serve, "kraken", kraken(*rows), cursor=1_688_671_199_999_999_998)
    assert asked == {"pair": "XXBTZUSD", "since": "1688671199999999998", "count": "1000"}
    assert float("1688671199.9999999") == 1688671200.0
    assert found.frame.rows() == [
        (1_688_671_199_999_999_900, 30243.4, "0.34507674", "61044952"),
        (1_688_671_200_000_000_000, 30243.3, "0.00376960", "61044953"),
    ]
    assert found.raw[-1] == ["30243.30000", "0.00376960", "1688671200", "b", "m", "", "61044953"]


async def test_krakens_older_rows_have_no_id_and_its_cursor_is_none(serve: Serve) -> None:
    rows = ('["0.032310","4.28169434",1541390792.763,"s","l",""]',) * 2
    found, _ = await fetched(serve, "kraken", kraken(*rows))
    assert found.frame["id"].to_list() == [None, None]
    assert found.frame["time_ns"].to_list() == [1_541_390_792_763_000_000] * 2


async def test_an_empty_page_of_kraken_has_no_trades(serve: Serve) -> None:
    found, _ = await fetched(serve, "kraken", kraken())
    assert found.frame.is_empty()
    assert list(found.raw) == []


async def test_bitfinex_is_asked_from_a_time_and_its_numbers_are_exact(serve: Serve) -> None:
    rows = (
        "[388063448,1567526214876,1.918524000000000001,10682]",
        "[388063449,1567526214877,-1e-8,10682.5]",
    )
    found, asked = await fetched(serve, "bitfinex", page(*rows), 1_567_526_214_000, 10_000)
    assert asked["start"] == "1567526214000"
    assert (asked["sort"], asked["limit"]) == ("1", "10000")
    assert found.frame.rows() == [
        (1_567_526_214_876_000_000, 10682.0, "1.918524000000000001", "388063448"),
        (1_567_526_214_877_000_000, 10682.5, "1e-8", "388063449"),
    ]
    assert found.raw[1] == ["388063449", "1567526214877", "-1e-8", "10682.5"]


async def test_coinbase_is_asked_for_what_is_below_an_id_newest_first(serve: Serve) -> None:
    rows = (
        coinbase_row(15035220, size="0.27426731", time="2023-09-10T13:47:41.447577Z"),
        coinbase_row(15035219, size="0.1", time="2023-09-10T13:47:41Z"),
    )
    found, asked = await fetched(serve, "coinbaseexchange", page(*rows), 15_035_221)
    assert asked == {"after": "15035221", "limit": "1000"}
    assert found.frame.rows() == [
        (1_694_353_661_447_577_000, 25820.42, "0.27426731", "15035220"),
        (1_694_353_661_000_000_000, 25820.42, "0.1", "15035219"),
    ]


@pytest.mark.parametrize("exchange", TRADE_HABITS)
async def test_the_newest_trades_are_asked_for_without_a_cursor(
    serve: Serve, exchange: str
) -> None:
    text = kraken() if exchange == "kraken" else page()
    _, asked = await fetched(serve, exchange, text, None)
    assert not {"since", "start", "after"} & asked.keys()


@pytest.mark.parametrize(
    ("exchange", "text", "bad"),
    [
        ("kraken", kraken('[null,"1",1688671200.1,"b","m","",1]', GOOD), "price"),
        ("kraken", kraken('["1","-1",1688671200.1,"b","m","",1]', GOOD), "amount"),
        ("kraken", kraken('["1","1","soon","b","m","",1]', GOOD), "time_ns"),
        ("coinbaseexchange", page(coinbase_row(1, time="2023-09-10T13:47:41Z")), "amount"),
        ("bitfinex", page("[1,1567526214876,1,null]", "[2,1567526214876,1,5]"), "price"),
    ],
)
async def test_a_field_that_is_missing_or_no_number_is_null(
    serve: Serve, exchange: str, text: str, bad: str
) -> None:
    found, _ = await fetched(serve, exchange, text)
    first = found.frame.row(0, named=True)
    assert [name for name, value in first.items() if value is None] == [bad]


@pytest.mark.parametrize(
    ("exchange", "text"),
    [
        ("coinbaseexchange", '{"trades":[]}'),
        ("bitfinex", page("[1,1567526214876,1,5]", "null")),
        ("kraken", kraken('["1","1",1688671200.1,"b","m","",1]', "null")),
        ("kraken", kraken('["1","1",1688671200.1')[:40]),
    ],
)
async def test_what_is_no_list_of_rows_is_malformed(serve: Serve, exchange: str, text: str) -> None:
    with pytest.raises(MalformedAnswerError):
        await fetched(serve, exchange, text)


async def test_rows_that_ccxt_reads_in_another_way_are_malformed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = ccxt_async.kraken.parse_trade

    def shifted(self: Any, trade: Any, market: Any = None) -> Any:
        return {**parse(self, trade, market), "price": 5.0}

    monkeypatch.setattr(ccxt_async.kraken, "parse_trade", shifted)
    with pytest.raises(MalformedAnswerError, match="another way"):
        await fetched(serve, "kraken", kraken('["1","1",1688671200.1,"b","m","",1]'))


async def test_candles_asked_for_beside_trades_keep_their_numbers(serve: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.01)
        if request.path.endswith("OHLC"):
            row = '[1688671200,"1.5","2","1","1.5","1.2","3",4]'
            text = f'{{"error":[],"result":{{"XXBTZUSD":[{row}],"last":1688671200}}}}'
        else:
            text = kraken('["1.5","1",1688671200.1,"b","m","",1]')
        return web.Response(text=text, content_type="application/json")

    client = CcxtClient("kraken", ExchangeSettings(await serve(answer), 0))
    client.use_markets([market_of(client)])
    try:
        trades, candles = await asyncio.gather(
            client.fetch_trades("BTC/USD", 5, 1000),
            client.fetch_candles("BTC/USD", Timeframe(1), 0, 720),
        )
    finally:
        await client.close()
    assert trades.raw[0][2] == "1688671200.1"
    assert candles.raw[0][0] == 1_688_671_200
    assert candles.frame.rows() == [(1_688_671_200_000, 1.5, 2.0, 1.0, 1.5, 3.0)]


async def test_an_exchange_whose_trades_nobody_described_is_not_asked(serve: Serve) -> None:
    client = CcxtClient("bitstamp", ExchangeSettings())
    assert isinstance(client, TradeClient)
    assert client.trade_habits is None
    with pytest.raises(RequestRejectedError, match="described"):
        await client.fetch_trades("BTC/USD", None, 10)
    await client.close()


@pytest.mark.parametrize("habits", TRADE_HABITS.values(), ids=TRADE_HABITS)
async def test_every_row_describes_an_exchange_that_ccxt_asks_for_trades(
    habits: TradeHabits,
) -> None:
    client = getattr(ccxt_async, habits.exchange)()
    stated = ((client.features.get("spot") or {}).get("fetchTrades") or {}).get("limit")
    await client.close()
    assert client.has["fetchTrades"] is True
    assert stated is None or habits.page_trades <= stated
    # Trades of one time may fill a page only where ids tell how to go on.
    assert habits.time_step_ns <= 1_000_000 or habits.cursor is TradeCursor.BEFORE_ID
