"""Binance and Binance US: strings of eight digits, flat bars of volume 0, 1000 rows a page."""

import re
from collections.abc import Sequence
from dataclasses import replace
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
from exchange_simulator.number_text import padded_texts
from exchange_simulator.series import Selection
from exchange_simulator.sources import TextColumns

__all__ = ["BINANCE", "BINANCEUS"]

PAGE_LIMIT = 1000
DEFAULT_LIMIT = 500
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
}


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}{market.quote}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(_mandatory(query, "symbol"))
    if market is None:
        raise _error(-1121, "Invalid symbol.")
    name = _mandatory(query, "interval")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error(-1120, "Invalid interval.")
    limit = integer_parameter(query, "limit", _illegal)
    if limit is not None and limit <= 0:
        raise _error(-1130, "Data sent for parameter 'limit' is not valid.")
    start_ms = integer_parameter(query, "startTime", _illegal)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=start_ms,
            last_ms=integer_parameter(query, "endTime", _illegal),
            limit=min(limit or DEFAULT_LIMIT, PAGE_LIMIT),
            newest=start_ms is None,
        ),
        name,
    )


def _mandatory(query: Query, name: str) -> str:
    text = query.get(name)
    if not text:
        raise _error(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return text


def _encode_rows(rows: TextColumns, timeframe_ms: int) -> list[str]:
    last_ms = timeframe_ms - 1
    encoded = []
    for time, first, high, low, close, volume in rows:
        base_volume = float(volume)
        quote_volume = base_volume * float(close)
        trades = 1 + time // MINUTE_MS * 7919 % 97 if base_volume > 0 else 0
        encoded.append(
            f'[{time},"{first}","{high}","{low}","{close}","{volume}",{time + last_ms},'
            f'"{quote_volume:.8f}",{trades},"{base_volume / 2:.8f}","{quote_volume / 2:.8f}","0"]'
        )
    return encoded


def _exchange_info(listing: Listing) -> dict[str, Any]:
    return _info(listing, [_symbol(market) for market in listing.markets])


def _no_contracts(listing: Listing) -> dict[str, Any]:
    return _info(listing, [])


def _info(listing: Listing, symbols: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": listing.now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            }
        ],
        "exchangeFilters": [],
        "symbols": symbols,
    }


def _symbol(market: Market) -> dict[str, Any]:
    return {
        "symbol": _market_ids(market)[0],
        "status": "TRADING" if market.active else "BREAK",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": market.price_tick,
                "maxPrice": "1000000.00000000",
                "tickSize": market.price_tick,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": market.amount_step,
                "maxQty": "9000.00000000",
                "stepSize": market.amount_step,
            },
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        ],
        "permissions": ["SPOT"],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
    }


def _time(listing: Listing) -> dict[str, int]:
    return {"serverTime": listing.now_ms}


def _illegal(name: str) -> ApiError:
    return _error(
        -1100,
        f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
    )


def _error(code: int, message: str) -> ApiError:
    return ApiError(400, {"code": code, "msg": message})


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: (-1003, "Too much request weight used; current limit is 6000 per 1 MINUTE."),
        418: (-1003, "Way too much request weight used; IP banned for a while."),
        403: (-1002, "You are not authorized to execute this request."),
        404: (-1000, "No such path."),
        451: (0, "Service unavailable from a restricted location."),
        503: (-1001, "Internal error; unable to process your request. Please try again."),
    }.get(status, (-1000, "An unknown error occurred while processing the request."))
    return {"code": code, "msg": message}


BINANCE = Dialect(
    exchange="binance",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=False,
    number_texts=padded_texts,
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
        "/fapi/v1/time": _time,
        "/fapi/v1/exchangeInfo": _no_contracts,
        "/dapi/v1/time": _time,
        "/dapi/v1/exchangeInfo": _no_contracts,
        # Asked by clients that have keys.
        "/sapi/v1/capital/config/getall": lambda _listing: [],
        "/sapi/v1/margin/allAssets": lambda _listing: [],
        "/sapi/v1/margin/allPairs": lambda _listing: [],
        "/sapi/v1/margin/isolated/allPairs": lambda _listing: [],
    },
    refusal=_refusal,
    other_markets=(Market("LUNA", "USDT", 4, 2, active=False),),
)

BINANCEUS = replace(
    BINANCE,
    exchange="binanceus",
    endpoints={
        path: answer for path, answer in BINANCE.endpoints.items() if path.startswith("/api/")
    },
    other_markets=(Market("LUNA", "USD", 4, 2, active=False),),
)
