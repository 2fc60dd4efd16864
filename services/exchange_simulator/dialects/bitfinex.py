"""Bitfinex: JSON numbers, the close before high and low, USDT named UST, 10,000 rows a page."""

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
    TradeRequest,
    TradeRow,
    TradesEndpoint,
    integer_parameter,
    page_of,
)
from exchange_simulator.markets import Market, unique_currencies
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = ["BITFINEX"]

PAGE_LIMIT = 10_000
DEFAULT_LIMIT = 100
DEFAULT_TRADES_LIMIT = 120
_NS_PER_MS = 1_000_000
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "3h": 180 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1D": 1440 * MINUTE_MS,
}

_OWN_NAMES = {"USDT": "UST"}
_SHORT_NAME = 3  # longer ones are set apart by a colon
_MARKETS = "pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin"
_CURRENCIES = (
    "pub:list:currency,pub:map:currency:sym,pub:map:currency:label,pub:map:currency:unit,"
    "pub:map:currency:undl,pub:map:currency:pool,pub:map:currency:explorer,"
    "pub:map:currency:tx:fee,pub:map:tx:method,pub:info:tx:status,pub:list:currency:margin"
)


def _own_name(code: str) -> str:
    return _OWN_NAMES.get(code, code)


def _pair(market: Market) -> str:
    base, quote = _own_name(market.base), _own_name(market.quote)
    if market.kind == "perpetual":
        return f"{base}F0:{quote}F0"
    is_short = len(base) == _SHORT_NAME and len(quote) == _SHORT_NAME
    return f"{base}{quote}" if is_short else f"{base}:{quote}"


def _market_ids(market: Market) -> Sequence[str]:
    return (f"t{_pair(market)}",)


def _decode(path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    name, _, symbol = (path_market or "").partition(":")
    market = listing.by_id.get(symbol)
    if market is None:
        raise _invalid("symbol")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _invalid("time_interval")
    limit = integer_parameter(query, "limit", _invalid)
    if limit is not None and not 1 <= limit <= PAGE_LIMIT:
        raise _invalid("limit")
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=integer_parameter(query, "start", _invalid),
            last_ms=integer_parameter(query, "end", _invalid),
            limit=limit or DEFAULT_LIMIT,
            newest=integer_parameter(query, "sort", _invalid) != 1,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f"[{time},{first},{close},{high},{low},{volume}]"
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    # Newest first, unless the oldest were asked for.
    return page_of(texts[::-1] if request.selection.newest else texts)


def _decode_trades(path_market: str | None, query: Query, listing: Listing) -> TradeRequest:
    market = listing.by_id.get(path_market or "")
    if market is None:
        raise _invalid("symbol")
    limit = integer_parameter(query, "limit", _invalid) or DEFAULT_TRADES_LIMIT
    if not 1 <= limit <= PAGE_LIMIT:
        raise _invalid("limit")
    start_ms = integer_parameter(query, "start", _invalid)
    if start_ms is None or integer_parameter(query, "sort", _invalid) != 1:
        return TradeRequest(market, limit)
    return TradeRequest(market, limit, since_ns=start_ms * _NS_PER_MS - 1)


def _encode_trades(trades: Sequence[TradeRow]) -> list[str]:
    # A sale has a minus before its amount.
    return [
        f"[{trade.id},{trade.time_ns // _NS_PER_MS},{'-' * (trade.id % 2)}{trade.amount},"
        f"{trade.price}]"
        for trade in trades
    ]


def _encode_trades_page(
    request: TradeRequest, _trades: Sequence[TradeRow], texts: Sequence[str], _now_ms: int
) -> str:
    # Newest first, unless the oldest were asked for.
    return page_of(texts[::-1] if request.since_ns is None else texts)


def _markets(listing: Listing) -> list[Any]:
    infos: dict[str, list[Any]] = {"spot": [], "perpetual": []}
    for market in listing.markets:
        limits = [None, None, None, market.amount_step, "2000.0", *[None] * 7]
        infos[market.kind].append([_pair(market), limits])
    return [infos["spot"], infos["perpetual"], [], []]


def _currencies(listing: Listing) -> list[Any]:
    names = [_own_name(code) for code in unique_currencies(listing.markets)]
    renamed = [[own, code] for code, own in _OWN_NAMES.items()]
    return [names, renamed, *([] for _ in range(9))]


def _status(_listing: Listing) -> list[int]:
    return [1]


def _invalid(name: str) -> ApiError:
    return ApiError(500, ["error", 10020, f"{name}: invalid"])


def _refusal(status: int) -> Any:
    if status == 503:
        return {
            "code": 503,
            "error": "temporarily_unavailable",
            "error_description": "Sorry, the service is temporarily unavailable.",
        }
    code, message = {
        429: (11010, "ratelimit: error"),
        418: (11010, "ratelimit: banned"),
        403: (10001, "forbidden"),
        404: (10001, "not_found"),
        451: (10001, "unavailable for legal reasons"),
    }.get(status, (10000, "unknown error"))
    return ["error", code, message]


BITFINEX = Dialect(
    exchange="bitfinex",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=False,
    descending=False,
    number_texts=decimal_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 3, 4, 2, 5),
    candle_path=re.compile(r"/v2/candles/trade:(?P<market>[^/]+)/hist"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        f"/v2/conf/{_MARKETS}": _markets,
        f"/v2/conf/{_CURRENCIES}": _currencies,
        "/v2/platform/status": _status,
    },
    refusal=_refusal,
    other_markets=(Market("BTC", "USDT", 0, 8, kind="perpetual"),),
    trades=TradesEndpoint(
        path=re.compile(r"/v2/trades/(?P<market>[^/]+)/hist"),
        decode=_decode_trades,
        encode_rows=_encode_trades,
        encode_page=_encode_trades_page,
        row_fields={"price": 3, "amount": 2, "time": 1},
    ),
)
