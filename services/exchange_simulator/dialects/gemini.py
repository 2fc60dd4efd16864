"""Gemini: one answer with all it reaches back to, newest row first; it takes no range at all."""

import re
from collections.abc import Sequence
from typing import Any

from exchange_simulator.candles import MINUTE_MS
from exchange_simulator.dialects.base import (
    ApiError,
    CandleRequest,
    Dialect,
    Listing,
    Query,
    RowFields,
    bare_page,
)
from exchange_simulator.markets import Market
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.series import Selection
from exchange_simulator.sources import TextColumns

__all__ = ["GEMINI"]

TIMEFRAMES = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1hr": 60 * MINUTE_MS,
    "6hr": 360 * MINUTE_MS,
    "1day": 1440 * MINUTE_MS,
}
REACH_CANDLES = {
    "1m": 1440,
    "5m": 2016,
    "15m": 1344,
    "30m": 1440,
    "1hr": 1488,
    "6hr": 732,
    "1day": 365,
}


def _market_ids(market: Market) -> Sequence[str]:
    pair = f"{market.base}{market.quote}".lower()
    return (pair,) if market.kind == "spot" else (f"{pair}perp",)


def _decode(path_market: str | None, _query: Query, listing: Listing) -> CandleRequest:
    symbol, _, name = (path_market or "").partition("/")
    market = listing.by_id.get(symbol.lower())
    if market is None:
        raise _error("InvalidSymbol", f"Supplied value '{symbol}' is not a valid symbol")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error("Bad Request", f"Supplied value '{name}' is not a valid time frame")
    current_ms = listing.now_ms // timeframe_ms * timeframe_ms
    first_ms = current_ms - (REACH_CANDLES[name] - 1) * timeframe_ms
    return CandleRequest(market, Selection(timeframe_ms, first_ms), name)


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f"[{time},{first},{high},{low},{close},{volume}]"
        for time, first, high, low, close, volume in rows
    ]


def _symbols(listing: Listing) -> list[str]:
    return [_market_ids(market)[0] for market in listing.markets]


def _error(reason: str, message: str) -> ApiError:
    return ApiError(400, _body(reason, message))


def _body(reason: str, message: str) -> dict[str, str]:
    return {"result": "error", "reason": reason, "message": message}


def _refusal(status: int) -> dict[str, Any]:
    return _body(
        *{
            429: ("RateLimit", "Requests were made too frequently."),
            418: ("RateLimit", "Your address is banned for a while."),
            403: ("MissingRole", "Forbidden."),
            404: ("EndpointNotFound", "API entry point not found."),
            451: ("MissingRole", "Not available where you are."),
            503: ("Maintenance", "The Gemini Exchange is currently undergoing maintenance."),
        }.get(status, ("System", "We are investigating technical issues."))
    )


GEMINI = Dialect(
    exchange="gemini",
    timeframes=TIMEFRAMES,
    page_limit=max(REACH_CANDLES.values()),
    sends_idle_bars=True,
    descending=True,
    number_texts=decimal_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 2, 3, 4, 5),
    candle_path=re.compile(r"/v2/candles/(?P<market>[^/]+/[^/]+)"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=bare_page,
    endpoints={"/v1/symbols": _symbols},
    refusal=_refusal,
    other_markets=(Market("BTC", "GUSD", 2, 8, kind="perpetual"),),
)
