"""What is true of each simulated exchange, for the conformance suites: a row an exchange.

The suites of tests/exchange_simulator, tests/exchanges, tests/ingest/sources and tests/end_to_end
run over every row. A row says what an exchange does by its documentation and by ccxt's own source,
not what its dialect module says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import ccxt

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


@dataclass(frozen=True)
class ExchangeFacts:
    """How an exchange answers.

    Attributes:
        page_rows: the most rows of one answer.
        sends_idle_bars: whether a minute without a trade is a flat bar, or nothing.
        bitcoin_steps: price tick and amount step of bitcoin, as ccxt tells them; None for what
            it does not.
        unknown_symbol: status and a part of the text for a market that it does not know.
        quotes: of the simulator's default symbols, those it lists.
        is_descending: whether the newest row comes first.
        reach_rows: how many minutes back it answers, the one in progress included.
        lists_halted: whether markets that are not traded are listed, and marked so.
        has_perpetual: whether ccxt finds a perpetual among its markets.
        has_server_time: whether ccxt knows how to ask for its time.
        bad_number_status: for a parameter that should be a number and is none.
        unknown_timeframe: what ccxt makes of the answer to a timeframe that it does not offer.
        ccxt_errors: what ccxt alone makes of the HTTP errors 429 and 503.
    """

    wire: Wire
    page_rows: int
    sends_idle_bars: bool
    bitcoin_steps: tuple[float | None, float | None]
    unknown_symbol: tuple[int, str]
    quotes: frozenset[str] = frozenset({"USD", "USDT"})
    is_descending: bool = False
    reach_rows: int | None = None
    lists_halted: bool = True
    has_perpetual: bool = False
    has_server_time: bool = True
    bad_number_status: int = 400
    unknown_timeframe: type[ccxt.BaseError] = ccxt.BadRequest
    ccxt_errors: Mapping[str, tuple[type[ccxt.BaseError], ...]] = field(
        default_factory=lambda: {
            "429": (ccxt.DDoSProtection, ccxt.RateLimitExceeded),
            "503": (ccxt.BaseError,),
        }
    )

    @property
    def quote(self) -> str:
        """The quote currency that it is tested with."""
        return "USD" if "USD" in self.quotes else "USDT"


_USDT_ONLY = frozenset({"USDT"})
_ANY_ERROR = {"429": (ccxt.BaseError,), "503": (ccxt.BaseError,)}
"""Of exchanges whose body ccxt reads before the status."""


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

FACTS: Mapping[str, ExchangeFacts] = {
    "binance": ExchangeFacts(
        _BINANCE, 1000, True, (0.01, 1e-5), (400, '"code": -1121'), quotes=_USDT_ONLY
    ),
    "binanceus": ExchangeFacts(_BINANCE, 1000, True, (0.01, 1e-5), (400, '"code": -1121')),
    "bitstamp": ExchangeFacts(
        Wire(
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
        1000,
        False,
        (1.0, 1e-8),
        (404, "Market not found"),
        quotes=frozenset({"USD"}),
        has_perpetual=True,
        has_server_time=False,
        unknown_timeframe=ccxt.ExchangeError,
        ccxt_errors=_ANY_ERROR,
    ),
    "coinbaseexchange": ExchangeFacts(
        Wire(
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
        300,
        False,
        (0.01, 1e-8),
        (404, '"NotFound"'),
        is_descending=True,
        unknown_timeframe=ccxt.ExchangeError,
    ),
    "cryptocom": ExchangeFacts(
        Wire(
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
        300,
        True,
        (0.01, 1e-5),
        (400, '"code": 40004'),
        has_perpetual=True,
        has_server_time=False,
        ccxt_errors=_ANY_ERROR,
    ),
    "kraken": ExchangeFacts(
        Wire(
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
        720,
        False,
        (0.1, 1e-8),
        (200, "EQuery:Unknown asset pair"),
        reach_rows=720,
        bad_number_status=200,
    ),
    "gate": ExchangeFacts(
        Wire(
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
        1000,
        True,
        (0.01, 1e-5),
        (400, "INVALID_CURRENCY_PAIR"),
        quotes=_USDT_ONLY,
        reach_rows=10_000,
    ),
    "bitfinex": ExchangeFacts(
        Wire(
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
        10_000,
        False,
        # Significant digits and decimals, the same for every market.
        (5, 8),
        (500, "symbol: invalid"),
        lists_halted=False,
        has_perpetual=True,
        has_server_time=False,
        bad_number_status=500,
        ccxt_errors=_ANY_ERROR,
    ),
    "mexc": ExchangeFacts(
        Wire(
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
        500,
        True,
        (0.01, 1e-5),
        (400, "Invalid symbol."),
        quotes=_USDT_ONLY,
        ccxt_errors=_ANY_ERROR,
    ),
    "gemini": ExchangeFacts(
        Wire(
            "/v2/candles/{market}/{timeframe}",
            "btcusd",
            {1: "1m", 5: "5m", 60: "1hr", DAY_MINUTES: "1day"},
            lambda _market, _name, _start, _end: {},
            lambda answer: answer,
            (0, 1, 2, 3, 4, 5),
            1,
            None,
        ),
        1440,
        True,
        (None, None),
        (400, "InvalidSymbol"),
        is_descending=True,
        reach_rows=1440,
        lists_halted=False,
        has_perpetual=True,
        has_server_time=False,
        unknown_timeframe=ccxt.ExchangeError,
        ccxt_errors=_ANY_ERROR,
    ),
}
"""By ccxt exchange id."""
