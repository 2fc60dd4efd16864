"""Bybit: strings in milliseconds, newest first, flat bars of volume 0, 1000 rows a page."""

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
    integer_parameter,
    page_of,
)
from exchange_simulator.markets import Market
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = ["BYBIT"]

PAGE_LIMIT = 1000
DEFAULT_LIMIT = 200
TIMEFRAMES = {
    **{str(minutes): minutes * MINUTE_MS for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": 1440 * MINUTE_MS,
}
_CATEGORIES = {"spot": "spot", "linear": "perpetual", "inverse": None, "option": None}


def _market_ids(market: Market) -> Sequence[str]:
    # A spot market and its perpetual have one name; the category tells them apart.
    name = f"{market.base}{market.quote}"
    return (name,) if market.kind == "spot" else (f"linear {name}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    category = query.get("category", "linear")
    prefix = "" if category == "spot" else f"{category} "
    market = listing.by_id.get(f"{prefix}{query.get('symbol', '')}")
    if market is None:
        raise _error(10001, "Not supported symbols")
    name = query.get("interval", "")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error(10001, "Invalid period!")
    limit = integer_parameter(query, "limit", _no_number)
    start_ms = integer_parameter(query, "start", _no_number)
    end_ms = integer_parameter(query, "end", _no_number)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            # The candle that holds the start is shown too.
            first_ms=None if start_ms is None else start_ms // timeframe_ms * timeframe_ms,
            last_ms=end_ms,
            limit=min(max(DEFAULT_LIMIT if limit is None else limit, 1), PAGE_LIMIT),
            newest=start_ms is None or end_ms is not None,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f'["{time}","{first}","{high}","{low}","{close}","{volume}",'
        f'"{float(volume) * float(close):.8f}"]'
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], now_ms: int
) -> str:
    market = request.market
    category = "spot" if market.kind == "spot" else "linear"
    return (
        f'{{"retCode":0,"retMsg":"OK","result":{{"category":"{category}",'
        f'"symbol":"{market.base}{market.quote}","list":{page_of(texts)}}},'
        f'"retExtInfo":{{}},"time":{now_ms}}}'
    )


def _instruments(listing: Listing) -> dict[str, Any]:
    category = listing.query.get("category", "")
    if category not in _CATEGORIES:
        return _answer(listing, {}, 10001, "Invalid category")
    kind = None if "status" in listing.query else _CATEGORIES[category]
    found = [_instrument(market) for market in listing.markets if market.kind == kind]
    return _answer(listing, {"category": category, "list": found, "nextPageCursor": ""})


def _instrument(market: Market) -> dict[str, Any]:
    common = {
        "symbol": f"{market.base}{market.quote}",
        "baseCoin": market.base,
        "quoteCoin": market.quote,
        "status": "Trading" if market.active else "Closed",
        "priceFilter": {"tickSize": market.price_tick},
    }
    if market.kind == "spot":
        return common | {
            "innovation": "0",
            "marginTrading": "none",
            "lotSizeFilter": {
                "basePrecision": market.amount_step,
                "quotePrecision": "0.0000001",
                "minOrderQty": market.amount_step,
                "maxOrderQty": "9000",
                "minOrderAmt": "5",
                "maxOrderAmt": "4000000",
            },
        }
    return common | {
        "contractType": "LinearPerpetual",
        "settleCoin": market.quote,
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(market.price_digits),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "lotSizeFilter": {
            "maxOrderQty": "9000",
            "minOrderQty": market.amount_step,
            "qtyStep": market.amount_step,
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
    }


def _time(listing: Listing) -> dict[str, Any]:
    seconds = listing.now_ms // 1000
    nanoseconds = listing.now_ms * 1_000_000
    return _answer(listing, {"timeSecond": str(seconds), "timeNano": str(nanoseconds)})


def _answer(
    listing: Listing, result: dict[str, Any], code: int = 0, message: str = "OK"
) -> dict[str, Any]:
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": listing.now_ms,
    }


def _no_number(name: str) -> ApiError:
    return _error(10001, f"params error: {name} invalid")


def _error(code: int, message: str) -> ApiError:
    return ApiError(200, {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}})


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: (10006, "Too many visits. Exceeded the API Rate Limit."),
        418: (10009, "IP has been banned"),
        403: (10018, "Access too frequent: the IP is over its limit"),
        404: (404, "Path not found"),
        451: (10024, "The product is not offered in this region"),
        503: (10000, "Server Timeout"),
    }.get(status, (10016, "Server error"))
    return {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}}


BYBIT = Dialect(
    exchange="bybit",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=True,
    number_texts=decimal_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 2, 3, 4, 5),
    candle_path=re.compile(r"/v5/market/kline"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/v5/market/time": _time,
        "/v5/market/instruments-info": _instruments,
    },
    refusal=_refusal,
    other_markets=(
        Market("BTC", "USDT", 1, 3, kind="perpetual"),
        Market("LUNA", "USDT", 4, 2, active=False),
    ),
)
