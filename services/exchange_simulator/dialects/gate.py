"""Gate: strings in seconds, quote volume before base volume, 1000 rows a page, 10,000 back."""

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
from exchange_simulator.markets import Market, unique_currencies
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = ["GATE"]

PAGE_LIMIT = 1000
DEFAULT_LIMIT = 100
REACH_CANDLES = 10_000
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
}


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}_{market.quote}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    pair = query.get("currency_pair")
    if not pair:
        raise _error("MISSING_REQUIRED_PARAM", "Missing required parameter: currency_pair")
    market = listing.by_id.get(pair)
    if market is None:
        raise _error("INVALID_CURRENCY_PAIR", f"Invalid currency pair {pair}")
    name = query.get("interval", "30m")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _invalid("interval")
    limit = integer_parameter(query, "limit", _invalid)
    start, end = (integer_parameter(query, bound, _invalid) for bound in ("from", "to"))
    if limit is not None and not 1 <= limit <= PAGE_LIMIT:
        raise _invalid("limit")
    if limit is not None and (start is not None or end is not None):
        raise _invalid("limit")
    end_ms = listing.now_ms if end is None else end * 1000
    if start is None:
        count = limit or DEFAULT_LIMIT
        _require_within_reach(end_ms, timeframe_ms, listing.now_ms)
        return CandleRequest(
            market, Selection(timeframe_ms, last_ms=end_ms, limit=count, newest=True), name
        )
    start_ms = start * 1000
    if start_ms > end_ms:
        raise _invalid("from")
    _require_within_reach(start_ms, timeframe_ms, listing.now_ms)
    if end_ms // timeframe_ms + -start_ms // timeframe_ms + 1 > PAGE_LIMIT:
        raise _error(
            "INVALID_PARAM_VALUE",
            f"Candlestick range too broad. Maximum {PAGE_LIMIT} data points are allowed "
            "per request",
        )
    return CandleRequest(market, Selection(timeframe_ms, start_ms, end_ms), name)


def _require_within_reach(time_ms: int, timeframe_ms: int, now_ms: int) -> None:
    current_ms = now_ms // timeframe_ms * timeframe_ms
    if time_ms < current_ms - (REACH_CANDLES - 1) * timeframe_ms:
        raise _error(
            "INVALID_PARAM_VALUE",
            f"Candlestick too long ago. Maximum {REACH_CANDLES} points ago are allowed",
        )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f'["{time // 1000}","{float(volume) * float(close):.8f}","{close}","{high}","{low}",'
        f'"{first}","{volume}","true"]'
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    request: CandleRequest, rows: EncodedRows, texts: Sequence[str], now_ms: int
) -> str:
    # The last field says whether the candle has closed.
    unfinished_ms = now_ms // request.selection.timeframe_ms * request.selection.timeframe_ms
    if rows.open_ms and rows.open_ms[-1] == unfinished_ms:
        beginning = f'["{unfinished_ms // 1000}"'
        texts = [
            text.replace('"true"]', '"false"]') if text.startswith(beginning) else text
            for text in texts
        ]
    return page_of(texts)


def _currency_pairs(listing: Listing) -> list[dict[str, Any]]:
    return [
        {
            "id": _market_ids(market)[0],
            "base": market.base,
            "base_name": market.base,
            "quote": market.quote,
            "quote_name": market.quote,
            "fee": "0.2",
            "min_base_amount": market.amount_step,
            "min_quote_amount": "3",
            "max_quote_amount": "5000000",
            "amount_precision": market.amount_digits,
            "precision": market.price_digits,
            "trade_status": "tradable" if market.active else "untradable",
            "sell_start": 0,
            "buy_start": 0,
            "type": "normal",
        }
        for market in listing.markets
    ]


def _currencies(listing: Listing) -> list[dict[str, Any]]:
    return [
        {
            "currency": code,
            "name": code,
            "delisted": False,
            "withdraw_disabled": False,
            "withdraw_delayed": False,
            "deposit_disabled": False,
            "trade_disabled": False,
            "chain": code,
            "chains": [],
        }
        for code in unique_currencies(listing.markets)
    ]


def _none(_listing: Listing) -> list[Any]:
    return []


def _time(listing: Listing) -> dict[str, int]:
    return {"server_time": listing.now_ms}


def _invalid(name: str) -> ApiError:
    return _error("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value")


def _error(label: str, message: str) -> ApiError:
    return ApiError(400, {"label": label, "message": message})


def _refusal(status: int) -> dict[str, str]:
    label, message = {
        429: ("TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
        418: ("IP_FORBIDDEN", "IP is temporarily banned"),
        403: ("FORBIDDEN", "Request forbidden"),
        404: ("NOT_FOUND", "Request not found"),
        451: ("FORBIDDEN", "Not available in your region"),
        503: ("TOO_BUSY", "Server is too busy"),
    }.get(status, ("SERVER_ERROR", "Internal server error"))
    return {"label": label, "message": message}


GATE = Dialect(
    exchange="gate",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=False,
    number_texts=decimal_texts,
    time_unit_ms=1000,
    row_fields=RowFields(0, 5, 3, 4, 2, 6),
    candle_path=re.compile(r"/api/v4/spot/candlesticks"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/api/v4/spot/currency_pairs": _currency_pairs,
        "/api/v4/spot/currencies": _currencies,
        "/api/v4/spot/time": _time,
        "/api/v4/margin/currency_pairs": _none,
        "/api/v4/futures/usdt/contracts": _none,
        "/api/v4/futures/btc/contracts": _none,
        "/api/v4/delivery/usdt/contracts": _none,
        "/api/v4/delivery/btc/contracts": _none,
        "/api/v4/options/underlyings": _none,
    },
    refusal=_refusal,
    other_markets=(Market("LUNA", "USDT", 4, 2, active=False),),
)
