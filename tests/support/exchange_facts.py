"""What is true of each simulated exchange, for the conformance suites: a row an exchange.

The suites of tests/exchange_simulator, tests/exchanges, tests/ingest/sources and tests/end_to_end
run over every row. A row says what an exchange does by its documentation and by ccxt's own source,
not what its dialect module says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import ccxt
from exchange_wires import WIRES, Wire


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


FACTS: Mapping[str, ExchangeFacts] = {
    "binance": ExchangeFacts(
        WIRES["binance"],
        1000,
        True,
        (0.01, 1e-5),
        (400, '"code": -1121'),
        "Invalid interval",
        quotes=_USDT_ONLY,
    ),
    "binanceus": ExchangeFacts(
        WIRES["binanceus"],
        1000,
        True,
        (0.01, 1e-5),
        (400, '"code": -1121'),
        "Invalid interval",
    ),
    "bitstamp": ExchangeFacts(
        WIRES["bitstamp"],
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
        WIRES["coinbaseexchange"],
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
        WIRES["cryptocom"],
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
        WIRES["bybit"],
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
        WIRES["htx"],
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
        WIRES["kucoin"],
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
        WIRES["okx"],
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
        WIRES["kraken"],
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
        WIRES["gate"],
        1000,
        True,
        (0.01, 1e-5),
        (400, "INVALID_CURRENCY_PAIR"),
        "`interval`",
        quotes=_USDT_ONLY,
        reach_rows=10_000,
    ),
    "bitfinex": ExchangeFacts(
        WIRES["bitfinex"],
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
        WIRES["mexc"],
        500,
        True,
        (0.01, 1e-5),
        (400, "Invalid symbol."),
        "Invalid interval.",
        quotes=_USDT_ONLY,
        ccxt_errors=_ANY_ERROR,
    ),
    "gemini": ExchangeFacts(
        WIRES["gemini"],
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
