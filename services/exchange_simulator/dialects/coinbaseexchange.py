"""Coinbase Exchange: JSON numbers, newest row first, 300 rows a page and an error beyond."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exchange_simulator.candles import MINUTE_MS
from exchange_simulator.dialects.base import (
    ApiError,
    CandleRequest,
    Dialect,
    Listing,
    Query,
    RowFields,
    TradeRequest,
    TradeRow,
    TradesEndpoint,
    bare_page,
    integer_parameter,
    page_of,
)
from exchange_simulator.markets import Market, unique_currencies
from exchange_simulator.number_text import float_texts
from exchange_simulator.series import Selection
from exchange_simulator.sources import TextColumns

__all__ = ["COINBASEEXCHANGE"]

PAGE_LIMIT = 300
TRADES_LIMIT = 1000
TIMEFRAMES = {str(minutes * 60): minutes * MINUTE_MS for minutes in (1, 5, 15, 60, 360, 1440)}


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}-{market.quote}",)


def _decode(path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(path_market or "")
    if market is None:
        raise _error(404, "NotFound")
    name = query.get("granularity", "60")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error(400, "Unsupported granularity")
    start, end = query.get("start"), query.get("end")
    if not start or not end:  # with one of the two missing the other is ignored
        return CandleRequest(market, Selection(timeframe_ms, limit=PAGE_LIMIT, newest=True), name)
    start_ms, end_ms = _time_ms("start", start), _time_ms("end", end)
    if start_ms > end_ms:
        raise _error(400, "start must be before end")
    if end_ms // timeframe_ms + -start_ms // timeframe_ms + 1 > PAGE_LIMIT:
        raise _error(
            400,
            "granularity too small for the requested time range. "
            f"Count of aggregations requested exceeds {PAGE_LIMIT}",
        )
    return CandleRequest(market, Selection(timeframe_ms, start_ms, end_ms), name)


def _time_ms(name: str, text: str) -> int:
    """ISO 8601 (UTC where it names no zone) or seconds since 1970."""
    try:
        if text.isdecimal():
            return int(text) * 1000
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _error(400, f"Invalid {name}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f"[{time // 1000},{low},{high},{first},{close},{volume}]"
        for time, first, high, low, close, volume in rows
    ]


def _decode_trades(path_market: str | None, query: Query, listing: Listing) -> TradeRequest:
    market = listing.by_id.get(path_market or "")
    if market is None:
        raise _error(404, "NotFound")
    limit = integer_parameter(query, "limit", _invalid)
    before_id = integer_parameter(query, "after", _invalid)
    if limit is None or limit > TRADES_LIMIT:
        limit = TRADES_LIMIT
    if limit < 1:
        raise _invalid("limit")
    return TradeRequest(market, limit, before_id=before_id)


def _encode_trades(trades: Sequence[TradeRow]) -> list[str]:
    return [
        f'{{"trade_id":{trade.id},"side":"{("buy", "sell")[trade.id % 2]}",'
        f'"size":"{Decimal(trade.amount):f}","price":"{Decimal(trade.price):f}","time":"{_trade_time(trade.time_ns)}"}}'
        for trade in reversed(trades)
    ]


def _trade_time(time_ns: int) -> str:
    """To the microsecond, as rows show it."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    start = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{start}.{nanoseconds // 1000:06d}Z"


def _encode_trades_page(
    _request: TradeRequest, _trades: Sequence[TradeRow], texts: Sequence[str], _now_ms: int
) -> str:
    return page_of(texts)


def _products(listing: Listing) -> list[dict[str, Any]]:
    return [
        {
            "id": _market_ids(market)[0],
            "base_currency": market.base,
            "quote_currency": market.quote,
            "quote_increment": market.price_tick,
            "base_increment": market.amount_step,
            "display_name": f"{market.base}-{market.quote}",
            "min_market_funds": "1",
            "margin_enabled": False,
            "post_only": False,
            "limit_only": False,
            "cancel_only": False,
            "status": "online" if market.active else "delisted",
            "status_message": "",
            "trading_disabled": not market.active,
            "fx_stablecoin": False,
            "max_slippage_percentage": "0.02000000",
            "auction_mode": False,
            "high_bid_limit_percentage": "",
        }
        for market in listing.markets
    ]


def _currencies(listing: Listing) -> list[dict[str, Any]]:
    return [
        {
            "id": code,
            "name": code,
            "min_size": "0.01" if code == "USD" else "0.00000001",
            "status": "online",
            "message": "",
            "max_precision": "0.01" if code == "USD" else "0.00000001",
            "convertible_to": [],
            "details": {"type": "fiat" if code == "USD" else "crypto"},
            "default_network": "",
            "supported_networks": [],
        }
        for code in unique_currencies(listing.markets)
    ]


def _time(listing: Listing) -> dict[str, Any]:
    time = datetime.fromtimestamp(listing.now_ms / 1000, UTC)
    iso = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"iso": iso, "epoch": listing.now_ms / 1000}


def _invalid(name: str) -> ApiError:
    return _error(400, f"Invalid {name}")


def _error(status: int, message: str) -> ApiError:
    return ApiError(status, {"message": message})


def _refusal(status: int) -> dict[str, str]:
    messages = {
        429: "Public rate limit exceeded",
        418: "Temporarily banned",
        403: "Forbidden",
        404: "NotFound",
        451: "Unavailable for legal reasons",
        503: "Service unavailable",
    }
    return {"message": messages.get(status, "Internal server error")}


COINBASEEXCHANGE = Dialect(
    exchange="coinbaseexchange",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=False,
    descending=True,
    number_texts=float_texts,
    time_unit_ms=1000,
    row_fields=RowFields(0, 3, 2, 1, 4, 5),
    candle_path=re.compile(r"/products/(?P<market>[^/]+)/candles"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=bare_page,
    endpoints={"/products": _products, "/currencies": _currencies, "/time": _time},
    refusal=_refusal,
    other_markets=(Market("REP", "USD", 2, 6, active=False),),
    trades=TradesEndpoint(
        path=re.compile(r"/products/(?P<market>[^/]+)/trades"),
        decode=_decode_trades,
        encode_rows=_encode_trades,
        encode_page=_encode_trades_page,
        row_fields={"price": "price", "amount": "size", "time": "time"},
    ),
)
