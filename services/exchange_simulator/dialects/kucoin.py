"""KuCoin: strings in seconds, close before high and low, newest first, 1500 rows a page."""

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

__all__ = ["KUCOIN"]

PAGE_LIMIT = 1500
TIMEFRAMES = {
    "1min": MINUTE_MS,
    "3min": 3 * MINUTE_MS,
    "5min": 5 * MINUTE_MS,
    "15min": 15 * MINUTE_MS,
    "30min": 30 * MINUTE_MS,
    "1hour": 60 * MINUTE_MS,
    "2hour": 120 * MINUTE_MS,
    "4hour": 240 * MINUTE_MS,
    "6hour": 360 * MINUTE_MS,
    "8hour": 480 * MINUTE_MS,
    "12hour": 720 * MINUTE_MS,
    "1day": 1440 * MINUTE_MS,
}

_DONE = "200000"


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}-{market.quote}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(query.get("symbol", ""))
    if market is None:
        raise _error("400100", "This pair is not provided at present")
    name = query.get("type", "")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error("400100", "Incorrect candlestick type")
    start_seconds = integer_parameter(query, "startAt", _no_number)
    end_seconds = integer_parameter(query, "endAt", _no_number)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=None if start_seconds is None else start_seconds * 1000,
            last_ms=end_seconds * 1000 if end_seconds else None,
            limit=PAGE_LIMIT,
            newest=True,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f'["{time // 1000}","{first}","{close}","{high}","{low}","{volume}",'
        f'"{float(volume) * float(close):.8f}"]'
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    _request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    return f'{{"code":"{_DONE}","data":{page_of(texts)}}}'


def _symbols(listing: Listing) -> dict[str, Any]:
    return _data([_symbol(market) for market in listing.markets])


def _symbol(market: Market) -> dict[str, Any]:
    name = _market_ids(market)[0]
    return {
        "symbol": name,
        "name": name,
        "baseCurrency": market.base,
        "quoteCurrency": market.quote,
        "feeCurrency": market.quote,
        "market": "USDS",
        "baseMinSize": market.amount_step,
        "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000",
        "quoteMaxSize": "99999999",
        "baseIncrement": market.amount_step,
        "quoteIncrement": "0.000001",
        "priceIncrement": market.price_tick,
        "priceLimitRate": "0.1",
        "minFunds": "0.1",
        "isMarginEnabled": False,
        "enableTrading": market.active,
    }


def _all_tickers(listing: Listing) -> dict[str, Any]:
    tickers = [
        {
            "symbol": _market_ids(market)[0],
            "takerFeeRate": "0.001",
            "makerFeeRate": "0.001",
            "takerCoefficient": "1",
            "makerCoefficient": "1",
        }
        for market in listing.markets
    ]
    return _data({"time": listing.now_ms, "ticker": tickers})


def _data(data: Any) -> dict[str, Any]:
    return {"code": _DONE, "data": data}


def _no_number(name: str) -> ApiError:
    return _error("400100", f"{name} must be a number")


def _error(code: str, message: str) -> ApiError:
    return ApiError(400, {"code": code, "msg": message})


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: ("429000", "Too many requests in a short period of time"),
        418: ("400006", "This IP address is not allowed"),
        403: ("403000", "Access is forbidden"),
        404: ("404000", "Url Not Found"),
        451: ("400302", "Not available in this country or region"),
        503: ("503000", "The service is unavailable for a while"),
    }.get(status, ("500000", "Internal Server Error"))
    return {"code": code, "msg": message}


KUCOIN = Dialect(
    exchange="kucoin",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=False,
    descending=True,
    number_texts=decimal_texts,
    time_unit_ms=1000,
    row_fields=RowFields(0, 1, 3, 4, 2, 5),
    candle_path=re.compile(r"/api/v1/market/candles"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/api/v1/timestamp": lambda listing: _data(listing.now_ms),
        "/api/v2/symbols": _symbols,
        "/api/v3/currencies": lambda _listing: _data([]),
        "/api/v1/market/allTickers": _all_tickers,
        "/api/v1/contracts/active": lambda _listing: _data([]),
    },
    refusal=_refusal,
    other_markets=(Market("LUNA", "USDT", 4, 4, active=False),),
)
