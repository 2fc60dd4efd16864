"""Crypto.com: objects of strings in milliseconds, flat bars of volume 0, 300 rows a page."""

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
from exchange_simulator.number_text import fixed_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = ["CRYPTOCOM"]

PAGE_LIMIT = 300
DEFAULT_LIMIT = 25
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1D": 1440 * MINUTE_MS,
}

_CANDLES = "public/get-candlestick"
_INSTRUMENTS = "public/get-instruments"


def _market_ids(market: Market) -> Sequence[str]:
    if market.kind == "perpetual":
        return (f"{market.base}{market.quote}-PERP",)
    return (f"{market.base}_{market.quote}",)


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(query.get("instrument_name", ""))
    if market is None:
        raise _invalid("instrument_name")
    name = query.get("timeframe", "5m")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _invalid("timeframe")
    count = integer_parameter(query, "count", _invalid)
    if count is not None and count <= 0:
        raise _invalid("count")
    start_ms = integer_parameter(query, "start_ts", _invalid)
    end_ms = integer_parameter(query, "end_ts", _invalid)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=None if start_ms is None else start_ms + 1,
            last_ms=None if end_ms is None else end_ms - 1,
            limit=min(count or DEFAULT_LIMIT, PAGE_LIMIT),
            newest=True,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f'{{"o":"{first}","h":"{high}","l":"{low}","c":"{close}","v":"{volume}","t":{time}}}'
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    instrument = _market_ids(request.market)[0]
    return (
        f'{{"id":-1,"method":"{_CANDLES}","code":0,"result":{{"interval":'
        f'"{request.timeframe_name}","data":{page_of(texts)},"instrument_name":"{instrument}"}}}}'
    )


def _instruments(listing: Listing) -> dict[str, Any]:
    data = [_instrument(market) for market in listing.markets]
    return {"id": -1, "method": _INSTRUMENTS, "code": 0, "result": {"data": data}}


def _instrument(market: Market) -> dict[str, Any]:
    spot = {
        "symbol": _market_ids(market)[0],
        "inst_type": "CCY_PAIR",
        "display_name": f"{market.base}/{market.quote}",
        "base_ccy": market.base,
        "quote_ccy": market.quote,
        "quote_decimals": market.price_digits,
        "quantity_decimals": market.amount_digits,
        "price_tick_size": market.price_tick,
        "qty_tick_size": market.amount_step,
        "max_leverage": "50",
        "tradable": market.active,
        "expiry_timestamp_ms": 0,
        "beta_product": False,
        "margin_buy_enabled": False,
        "margin_sell_enabled": False,
    }
    if market.kind == "spot":
        return spot
    return spot | {
        "inst_type": "PERPETUAL_SWAP",
        "display_name": f"{market.base}{market.quote} Perpetual",
        "underlying_symbol": f"{market.base}{market.quote}-INDEX",
        "contract_size": "1",
    }


def _currency_networks(listing: Listing) -> dict[str, Any]:
    result = {"update_time": listing.now_ms, "currency_map": {}}
    return {"id": -1, "method": "private/get-currency-networks", "code": 0, "result": result}


def _invalid(name: str) -> ApiError:
    return ApiError(
        400, {"id": -1, "method": _CANDLES, "code": 40004, "message": f"Invalid {name}"}
    )


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: (42901, "RATE_LIMIT_EXCEEDED"),
        418: (40104, "IP_BANNED"),
        403: (40103, "IP_ILLEGAL"),
        404: (40401, "NOT_FOUND"),
        451: (40104, "RESTRICTED_LOCATION"),
    }.get(status, (50001, "INTERNAL_ERROR"))
    return {"id": -1, "method": _CANDLES, "code": code, "message": message}


CRYPTOCOM = Dialect(
    exchange="cryptocom",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=False,
    number_texts=fixed_texts,
    time_unit_ms=1,
    row_fields=RowFields("t", "o", "h", "l", "c", "v"),
    candle_path=re.compile(rf"/exchange/v1/{_CANDLES}"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        f"/exchange/v1/{_INSTRUMENTS}": _instruments,
        "/exchange/v1/private/get-currency-networks": _currency_networks,
    },
    refusal=_refusal,
    other_markets=(
        Market("BTC", "USD", 1, 4, kind="perpetual"),
        Market("LUNC", "USD", 8, 0, active=False),
    ),
)
