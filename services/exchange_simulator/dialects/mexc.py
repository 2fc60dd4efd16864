"""MEXC: Binance's paths with rows of eight fields, 500 rows a page whatever the limit says."""

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
    integer_parameter,
)
from exchange_simulator.markets import Market
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.series import Selection
from exchange_simulator.sources import TextColumns

__all__ = ["MEXC"]

PAGE_LIMIT = 500
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "60m": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
}


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}{market.quote}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    symbol = query.get("symbol")
    if not symbol:
        raise _error(-1128, "Mandatory parameter 'symbol' was not sent.")
    market = listing.by_id.get(symbol)
    if market is None:
        raise _error(-1121, "Invalid symbol.")
    name = query.get("interval", "")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error(-1121, "Invalid interval.")
    limit = integer_parameter(query, "limit", _illegal)
    if limit is not None and limit <= 0:
        raise _illegal("limit")
    start_ms = integer_parameter(query, "startTime", _illegal)
    end_ms = integer_parameter(query, "endTime", _illegal)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=start_ms,
            last_ms=None if end_ms is None else end_ms - 1,
            limit=min(limit or PAGE_LIMIT, PAGE_LIMIT),
            newest=start_ms is None,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, timeframe_ms: int) -> list[str]:
    return [
        f'[{time},"{first}","{high}","{low}","{close}","{volume}",{time + timeframe_ms},'
        f'"{float(volume) * float(close):.2f}"]'
        for time, first, high, low, close, volume in rows
    ]


def _exchange_info(listing: Listing) -> dict[str, Any]:
    return {
        "timezone": "CST",
        "serverTime": listing.now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol(market) for market in listing.markets],
    }


def _symbol(market: Market) -> dict[str, Any]:
    return {
        "symbol": _market_ids(market)[0],
        "status": "1" if market.active else "2",
        "baseAsset": market.base,
        "baseAssetPrecision": market.amount_digits,
        "quoteAsset": market.quote,
        "quotePrecision": market.price_digits,
        "quoteAssetPrecision": market.price_digits,
        "baseCommissionPrecision": market.amount_digits,
        "quoteCommissionPrecision": market.price_digits,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": market.active,
        "isMarginTradingAllowed": False,
        "quoteAmountPrecision": "1",
        "baseSizePrecision": market.amount_step,
        "permissions": ["SPOT"],
        "filters": [],
        "maxQuoteAmount": "2000000",
        "makerCommission": "0",
        "takerCommission": "0.0005",
        "fullName": market.base,
    }


def _contracts(_listing: Listing) -> dict[str, Any]:
    return {"success": True, "code": 0, "data": []}


def _time(listing: Listing) -> dict[str, int]:
    return {"serverTime": listing.now_ms}


def _illegal(name: str) -> ApiError:
    return _error(-1100, f"Illegal characters found in parameter '{name}'.")


def _error(code: int, message: str) -> ApiError:
    return ApiError(400, {"code": code, "msg": message, "_extend": None})


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: (429, "Too Many Requests"),
        418: (418, "Your IP is banned for too many requests"),
        403: (403, "Access Denied"),
        404: (404, "No such path"),
        451: (451, "Service unavailable from a restricted location"),
        503: (503, "Service not available, please try again"),
    }.get(status, (500, "Under maintenance, please try again later"))
    return {"code": code, "msg": message}


MEXC = Dialect(
    exchange="mexc",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=False,
    number_texts=decimal_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 2, 3, 4, 5),
    candle_path=re.compile(r"/api/v3/klines"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=bare_page,
    endpoints={
        "/api/v3/ping": lambda _listing: {},
        "/api/v3/time": _time,
        "/api/v3/exchangeInfo": _exchange_info,
        "/api/v1/contract/detail": _contracts,
    },
    refusal=_refusal,
    other_markets=(Market("LUNA", "USDT", 4, 2, active=False),),
)
