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
        timeframe_words: a part of the answer to a timeframe that it does not offer.
        quotes: of the simulator's default symbols, those it lists.
        states_steps: whether it states them of each market.
        sends_numbers: whether prices and volumes are JSON numbers rather than texts.
        is_descending: whether the newest row comes first.
        day_opens_at_ms: when its candles of a day open, after midnight UTC.
        reach_rows: how many minutes back it answers, the one in progress included.
        lists_halted: whether markets that are not traded are listed, and marked so.
        knows_range_ends: whether a request can say where its range ends.
        has_perpetual: whether ccxt finds a perpetual among its markets.
        has_server_time: whether ccxt knows how to ask for its time.
        bad_number_status: for a parameter that should be a number and is none.
        unknown_timeframe: what ccxt makes of the answer to a timeframe that it does not offer.
        renamed_timeframes: of the names that ccxt has, those that it sends in another form.
        ccxt_errors: what ccxt alone makes of the HTTP errors 429 and 503.
    """

    wire: Wire
    page_rows: int
    sends_idle_bars: bool
    bitcoin_steps: tuple[float | None, float | None]
    unknown_symbol: tuple[int, str]
    timeframe_words: str
    quotes: frozenset[str] = frozenset({"USD", "USDT"})
    states_steps: bool = True
    sends_numbers: bool = False
    is_descending: bool = False
    day_opens_at_ms: int = 0
    reach_rows: int | None = None
    lists_halted: bool = True
    knows_range_ends: bool = True
    has_perpetual: bool = False
    has_server_time: bool = True
    bad_number_status: int = 400
    unknown_timeframe: type[ccxt.BaseError] = ccxt.BadRequest
    renamed_timeframes: Mapping[str, str] = field(default_factory=dict)
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

    @property
    def wire_quote(self) -> str:
        """That of the market of `wire`."""
        return "USDT" if self.wire.market.upper().endswith("USDT") else "USD"


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
        _BINANCE,
        1000,
        True,
        (0.01, 1e-5),
        (400, '"code": -1121'),
        "Invalid interval",
        quotes=_USDT_ONLY,
    ),
    "binanceus": ExchangeFacts(
        _BINANCE,
        1000,
        True,
        (0.01, 1e-5),
        (400, '"code": -1121'),
        "Invalid interval",
    ),
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
        "Invalid step",
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
        "Unsupported granularity",
        sends_numbers=True,
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
        "Invalid timeframe",
        has_perpetual=True,
        has_server_time=False,
        ccxt_errors=_ANY_ERROR,
    ),
    "bybit": ExchangeFacts(
        Wire(
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
        1000,
        True,
        (0.01, 1e-6),
        (200, '"retCode": 10001'),
        "Invalid period",
        quotes=_USDT_ONLY,
        is_descending=True,
        has_perpetual=True,
        bad_number_status=200,
        ccxt_errors=_ANY_ERROR,
    ),
    "htx": ExchangeFacts(
        Wire(
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
        1000,
        True,
        (0.01, 1e-6),
        (200, '"invalid symbol"'),
        "invalid period",
        quotes=_USDT_ONLY,
        sends_numbers=True,
        is_descending=True,
        has_perpetual=True,
        bad_number_status=200,
        day_opens_at_ms=16 * 3_600_000,
        unknown_timeframe=ccxt.ExchangeError,
        ccxt_errors=_ANY_ERROR,
    ),
    "kucoin": ExchangeFacts(
        Wire(
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
        1500,
        False,
        (0.1, 1e-8),
        (400, '"code": "400100"'),
        "Incorrect candlestick type",
        quotes=_USDT_ONLY,
        is_descending=True,
        ccxt_errors=_ANY_ERROR,
    ),
    "okx": ExchangeFacts(
        Wire(
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
        300,
        True,
        (0.1, 1e-8),
        (200, '"code": "51001"'),
        "Parameter bar error",
        quotes=_USDT_ONLY,
        is_descending=True,
        has_perpetual=True,
        renamed_timeframes={"6H": "6Hutc", "12H": "12Hutc", "1D": "1Dutc"},
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
        "EGeneral:Invalid arguments",
        reach_rows=720,
        knows_range_ends=False,
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
        "`interval`",
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
        "time_interval: invalid",
        states_steps=False,
        sends_numbers=True,
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
        "Invalid interval.",
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
        "not a valid time frame",
        states_steps=False,
        sends_numbers=True,
        is_descending=True,
        reach_rows=1440,
        knows_range_ends=False,
        lists_halted=False,
        has_perpetual=True,
        has_server_time=False,
        unknown_timeframe=ccxt.ExchangeError,
        ccxt_errors=_ANY_ERROR,
    ),
}
"""By ccxt exchange id."""
