"""How each simulated exchange is asked for candles without ccxt, by its documentation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

DAY_MINUTES = 1440


@dataclass(frozen=True)
class Wire:
    """How to ask an exchange for candles without ccxt.

    Attributes:
        path: with `{market}` and `{timeframe}` where the exchange has them in it.
        timeframes: minutes to the exchange's own name; others are named by their minutes.
        parameters: of market, timeframe name, start and end, of candles opening in `[start, end)`.
        rows: of a parsed answer.
        fields: time, open, high, low, close, volume in a row.
        start_parameter: the name of the parameter that says where a range begins; None for an
            exchange that takes no range.
    """

    path: str
    market: str
    timeframes: Mapping[int, str]
    parameters: Callable[[str, str, int, int], dict[str, Any]]
    rows: Callable[[Any], list[Any]]
    fields: tuple[Any, ...]
    unit_ms: int
    start_parameter: str | None

    def url(self, start_ms: int, end_ms: int, minutes: int = 1, market: str | None = None) -> str:
        """Candles opening in `[start_ms, end_ms)`."""
        name = self.market if market is None else market
        timeframe = self.timeframes.get(minutes, str(minutes))
        query = self.parameters(name, timeframe, start_ms, end_ms)
        return f"{self.path.format(market=name, timeframe=timeframe)}?{urlencode(query)}"

    def candles(self, text: str) -> list[tuple[int, str, str, str, str, str]]:
        """Rows in the order sent: open time in ms and the numbers as written."""
        parsed = json.loads(text, parse_float=str, parse_int=str)
        return [
            (
                int(row[self.fields[0]]) * self.unit_ms,
                *(row[field] for field in self.fields[1:]),
            )
            for row in self.rows(parsed)
        ]


def _kraken_rows(answer: Any) -> list[Any]:
    return next(rows for key, rows in answer["result"].items() if key != "last")


_BINANCE = Wire(
    "/api/v3/klines",
    "BTCUSDT",
    {1: "1m", 5: "5m", 60: "1h", DAY_MINUTES: "1d"},
    lambda market, name, start, end: {
        "symbol": market,
        "interval": name,
        "startTime": start,
        "endTime": end - 1,
        "limit": 1000,
    },
    lambda answer: answer,
    (0, 1, 2, 3, 4, 5),
    1,
    "startTime",
)

WIRES: Mapping[str, Wire] = {
    "binance": _BINANCE,
    "binanceus": _BINANCE,
    "bitstamp": Wire(
        "/api/v2/ohlc/{market}/",
        "btcusd",
        {1: "60", 5: "300", 60: "3600", DAY_MINUTES: "86400"},
        lambda _market, name, start, end: {
            "step": name,
            "start": start // 1000,
            "end": end // 1000 - 1,
            "limit": 1000,
        },
        lambda answer: answer["data"]["ohlc"],
        ("timestamp", "open", "high", "low", "close", "volume"),
        1000,
        "start",
    ),
    "coinbaseexchange": Wire(
        "/products/{market}/candles",
        "BTC-USD",
        {1: "60", 5: "300", 60: "3600", DAY_MINUTES: "86400"},
        lambda _market, name, start, end: {
            "granularity": name,
            "start": start // 1000,
            "end": end // 1000 - 1,
        },
        lambda answer: answer,
        (0, 3, 2, 1, 4, 5),
        1000,
        "start",
    ),
    "cryptocom": Wire(
        "/exchange/v1/public/get-candlestick",
        "BTC_USD",
        {1: "1m", 5: "5m", 60: "1h", DAY_MINUTES: "1D"},
        lambda market, name, start, end: {
            "instrument_name": market,
            "timeframe": name,
            "start_ts": start - 1,
            "end_ts": end,
            "count": 300,
        },
        lambda answer: answer["result"]["data"],
        ("t", "o", "h", "l", "c", "v"),
        1,
        "start_ts",
    ),
    "bybit": Wire(
        "/v5/market/kline",
        "BTCUSDT",
        {1: "1", 5: "5", 60: "60", DAY_MINUTES: "D"},
        lambda market, name, start, end: {
            "category": "spot",
            "symbol": market,
            "interval": name,
            "start": start,
            "end": end - 1,
            "limit": 1000,
        },
        lambda answer: answer["result"]["list"],
        (0, 1, 2, 3, 4, 5),
        1,
        "start",
    ),
    "htx": Wire(
        "/market/history/candles",
        "btcusdt",
        {1: "1min", 5: "5min", 60: "60min", DAY_MINUTES: "1day"},
        lambda market, name, start, end: {
            "symbol": market,
            "period": name,
            "from": start // 1000,
            "to": end // 1000 - 1,
            "size": 1000,
        },
        lambda answer: answer["data"],
        ("id", "open", "high", "low", "close", "amount"),
        1000,
        "from",
    ),
    "kucoin": Wire(
        "/api/v1/market/candles",
        "BTC-USDT",
        {1: "1min", 5: "5min", 60: "1hour", DAY_MINUTES: "1day"},
        lambda market, name, start, end: {
            "symbol": market,
            "type": name,
            "startAt": start // 1000,
            "endAt": end // 1000 - 1,
        },
        lambda answer: answer["data"],
        (0, 1, 3, 4, 2, 5),
        1000,
        "startAt",
    ),
    "okx": Wire(
        "/api/v5/market/history-candles",
        "BTC-USDT",
        {1: "1m", 5: "5m", 60: "1H", DAY_MINUTES: "1Dutc"},
        lambda market, name, start, end: {
            "instId": market,
            "bar": name,
            "before": start - 1,
            "after": end,
            "limit": 300,
        },
        lambda answer: answer["data"],
        (0, 1, 2, 3, 4, 5),
        1,
        "before",
    ),
    "kraken": Wire(
        "/0/public/OHLC",
        "XXBTZUSD",
        {1: "1", 5: "5", 60: "60", DAY_MINUTES: "1440"},
        lambda market, name, start, _end: {
            "pair": market,
            "interval": name,
            "since": start // 1000 - 1,
        },
        _kraken_rows,
        (0, 1, 2, 3, 4, 6),
        1000,
        "since",
    ),
    "gate": Wire(
        "/api/v4/spot/candlesticks",
        "BTC_USDT",
        {1: "1m", 5: "5m", 60: "1h", DAY_MINUTES: "1d"},
        lambda market, name, start, end: {
            "currency_pair": market,
            "interval": name,
            "from": start // 1000,
            "to": end // 1000 - 1,
        },
        lambda answer: answer,
        (0, 5, 3, 4, 2, 6),
        1000,
        "from",
    ),
    "bitfinex": Wire(
        "/v2/candles/trade:{timeframe}:{market}/hist",
        "tBTCUSD",
        {1: "1m", 5: "5m", 60: "1h", DAY_MINUTES: "1D"},
        lambda _market, _name, start, end: {
            "start": start,
            "end": end - 1,
            "limit": 10_000,
            "sort": 1,
        },
        lambda answer: answer,
        (0, 1, 3, 4, 2, 5),
        1,
        "start",
    ),
    "mexc": Wire(
        "/api/v3/klines",
        "BTCUSDT",
        {1: "1m", 5: "5m", 60: "60m", DAY_MINUTES: "1d"},
        lambda market, name, start, end: {
            "symbol": market,
            "interval": name,
            "startTime": start,
            "endTime": end,
            "limit": 500,
        },
        lambda answer: answer,
        (0, 1, 2, 3, 4, 5),
        1,
        "startTime",
    ),
    "gemini": Wire(
        "/v2/candles/{market}/{timeframe}",
        "btcusd",
        {1: "1m", 5: "5m", 60: "1hr", DAY_MINUTES: "1day"},
        lambda _market, _name, _start, _end: {},
        lambda answer: answer,
        (0, 1, 2, 3, 4, 5),
        1,
        None,
    ),
}
"""By ccxt exchange id."""
