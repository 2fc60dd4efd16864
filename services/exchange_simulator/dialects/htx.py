"""HTX: objects of numbers in seconds, newest first, flat bars of volume 0, 1000 rows a page."""

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

__all__ = ["HTX"]

PAGE_LIMIT = 1000
DEFAULT_LIMIT = 150
TIMEFRAMES = {
    "1min": MINUTE_MS,
    "5min": 5 * MINUTE_MS,
    "15min": 15 * MINUTE_MS,
    "30min": 30 * MINUTE_MS,
    "60min": 60 * MINUTE_MS,
    "4hour": 240 * MINUTE_MS,
    "1day": 1440 * MINUTE_MS,
}


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{market.base}{market.quote}".lower(),)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(query.get("symbol", ""))
    if market is None:
        raise _error("invalid-parameter", "invalid symbol")
    name = query.get("period", "")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _error("invalid-parameter", "invalid period")
    size = integer_parameter(query, "size", _no_number)
    from_seconds = integer_parameter(query, "from", _no_number)
    to_seconds = integer_parameter(query, "to", _no_number)
    limit = DEFAULT_LIMIT if size is None else size
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=None if from_seconds is None else from_seconds * 1000,
            last_ms=None if to_seconds is None else to_seconds * 1000,
            # Who asks for too many gets none.
            limit=limit if 0 <= limit <= PAGE_LIMIT else 0,
            newest=from_seconds is None,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    encoded = []
    for time, first, high, low, close, volume in rows:
        trades = 1 + time // MINUTE_MS * 7919 % 97 if float(volume) > 0 else 0
        encoded.append(
            f'{{"amount":{volume},"open":{first},"close":{close},"high":{high},'
            f'"id":{time // 1000},"count":{trades},"low":{low},'
            f'"vol":{float(volume) * float(close):.8f}}}'
        )
    return encoded


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], now_ms: int
) -> str:
    market = _market_ids(request.market)[0]
    return (
        f'{{"ch":"market.{market}.kline.{request.timeframe_name}","status":"ok","ts":{now_ms},'
        f'"data":{page_of(texts)}}}'
    )


def _symbols(listing: Listing) -> dict[str, Any]:
    return _data([_symbol(market) for market in listing.markets])


def _symbol(market: Market) -> dict[str, Any]:
    return {
        "base-currency": market.base.lower(),
        "quote-currency": market.quote.lower(),
        "price-precision": market.price_digits,
        "amount-precision": market.amount_digits,
        "symbol-partition": "main",
        "symbol": _market_ids(market)[0],
        "state": "online" if market.active else "offline",
        "value-precision": 8,
        "min-order-amt": 0.00001,
        "max-order-amt": 1000,
        "min-order-value": 10,
        "limit-order-min-order-amt": 0.00001,
        "limit-order-max-order-amt": 1000,
        "sell-market-min-order-amt": 0.00001,
        "sell-market-max-order-amt": 100,
        "buy-market-max-order-value": 1000000,
        "api-trading": "enabled",
        "tags": "",
    }


def _linear_contracts(_listing: Listing) -> dict[str, Any]:
    return _data(
        [
            _CONTRACT
            | {
                "contract_code": "BTC-USDT",
                "contract_size": 0.001,
                "settlement_date": "1640764800000",
                "support_margin_mode": "all",
                "business_type": "swap",
                "pair": "BTC-USDT",
                "contract_type": "swap",
                "trade_partition": "USDT",
            }
        ]
    )


def _inverse_swaps(_listing: Listing) -> dict[str, Any]:
    return _data([_CONTRACT | {"contract_code": "BTC-USD", "settlement_date": "1640764800000"}])


def _inverse_futures(_listing: Listing) -> dict[str, Any]:
    return _data(
        [
            _CONTRACT
            | {
                "contract_code": "BTC240628",
                "contract_type": "quarter",
                "delivery_date": "20240628",
                "delivery_time": "1719561600000",
                "settlement_time": "1719561600000",
            }
        ]
    )


# ccxt takes an empty list of contracts for a failure.
_CONTRACT = {
    "symbol": "BTC",
    "contract_size": 100,
    "price_tick": 0.1,
    "create_date": "20200325",
    "contract_status": 1,
}


def _data(data: Any) -> dict[str, Any]:
    return {"status": "ok", "data": data}


def _no_number(name: str) -> ApiError:
    return _error("bad-request", f"invalid {name}")


def _error(code: str, message: str) -> ApiError:
    return ApiError(200, _error_body(code, message))


def _error_body(code: str, message: str) -> dict[str, Any]:
    return {"status": "error", "err-code": code, "err-msg": message, "data": None}


def _refusal(status: int) -> dict[str, Any]:
    return _error_body(
        *{
            429: ("rate-too-many-requests", "too many requests"),
            418: ("ip-banned", "this address is banned for a while"),
            403: ("forbidden", "access is forbidden"),
            404: ("not-found", "no such path"),
            451: ("restricted-region", "not offered in this region"),
            503: ("system-maintenance", "the system is being maintained"),
        }.get(status, ("gateway-internal-error", "internal error"))
    )


HTX = Dialect(
    exchange="htx",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=True,
    number_texts=decimal_texts,
    time_unit_ms=1000,
    row_fields=RowFields("id", "open", "high", "low", "close", "amount"),
    candle_path=re.compile(r"/market/history/candles"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/v1/common/timestamp": lambda listing: _data(listing.now_ms),
        "/v1/common/symbols": _symbols,
        "/v2/reference/currencies": lambda _listing: {"code": 200, "data": []},
        "/linear-swap-api/v1/swap_contract_info": _linear_contracts,
        "/swap-api/v1/swap_contract_info": _inverse_swaps,
        "/api/v1/contract_contract_info": _inverse_futures,
    },
    refusal=_refusal,
    day_opens_at_ms=16 * 60 * MINUTE_MS,
    other_markets=(Market("LUNA", "USDT", 4, 4, active=False),),
)
