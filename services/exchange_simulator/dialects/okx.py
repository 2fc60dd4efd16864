"""OKX: strings in milliseconds, newest first, 300 rows a page; older candles have a path apart."""

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

__all__ = ["OKX"]

PAGE_LIMIT = 300
DEFAULT_LIMIT = 100
REACH_CANDLES = 1440
"""Of the path of recent candles; the other one has all that are closed."""
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1H": 60 * MINUTE_MS,
    "2H": 120 * MINUTE_MS,
    "4H": 240 * MINUTE_MS,
    # Without the ending they would open by the clock of Hong Kong.
    "6Hutc": 360 * MINUTE_MS,
    "12Hutc": 720 * MINUTE_MS,
    "1Dutc": 1440 * MINUTE_MS,
}

_HISTORY = "history-candles"
_KINDS = {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": None, "OPTION": None}


def _market_ids(market: Market) -> Sequence[str]:
    pair = f"{market.base}-{market.quote}"
    return (pair,) if market.kind == "spot" else (f"{pair}-SWAP",)


def _decode(path: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get(query.get("instId", ""))
    if market is None:
        raise _error(200, "51001", "Instrument ID does not exist")
    name = query.get("bar", "1m")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _no_parameter("bar")
    limit = integer_parameter(query, "limit", _no_parameter)
    before_ms = integer_parameter(query, "before", _no_parameter)
    after_ms = integer_parameter(query, "after", _no_parameter)
    current_ms = listing.now_ms // timeframe_ms * timeframe_ms
    first_ms = None if before_ms is None else before_ms + 1
    last_ms = current_ms if after_ms is None else min(after_ms - 1, current_ms)
    if path == _HISTORY:
        last_ms = min(last_ms, current_ms - timeframe_ms)
    else:
        first_ms = max(first_ms or 0, current_ms - (REACH_CANDLES - 1) * timeframe_ms)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=first_ms,
            last_ms=last_ms,
            limit=min(max(DEFAULT_LIMIT if limit is None else limit, 1), PAGE_LIMIT),
            newest=True,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    encoded = []
    for time, first, high, low, close, volume in rows:
        quote_volume = f"{float(volume) * float(close):.8f}"
        encoded.append(
            f'["{time}","{first}","{high}","{low}","{close}","{volume}",'
            f'"{quote_volume}","{quote_volume}","1"]'
        )
    return encoded


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], now_ms: int
) -> str:
    timeframe_ms = request.selection.timeframe_ms
    unfinished = f'["{now_ms // timeframe_ms * timeframe_ms}",'
    marked = [
        text.removesuffix('"1"]') + '"0"]' if text.startswith(unfinished) else text
        for text in texts
    ]
    return f'{{"code":"0","msg":"","data":{page_of(marked)}}}'


def _instruments(listing: Listing) -> dict[str, Any]:
    kind_name = listing.query.get("instType", "")
    if kind_name not in _KINDS:
        return {"code": "51000", "msg": "Parameter instType error", "data": []}
    kind = _KINDS[kind_name]
    return _data([_instrument(market) for market in listing.markets if market.kind == kind])


def _instrument(market: Market) -> dict[str, Any]:
    is_spot = market.kind == "spot"
    return {
        "alias": "",
        "baseCcy": market.base if is_spot else "",
        "category": "1",
        "ctMult": "" if is_spot else "1",
        "ctType": "" if is_spot else "linear",
        "ctVal": "" if is_spot else "0.01",
        "ctValCcy": "" if is_spot else market.base,
        "expTime": "",
        "instFamily": "" if is_spot else f"{market.base}-{market.quote}",
        "instId": _market_ids(market)[0],
        "instType": "SPOT" if is_spot else "SWAP",
        "lever": "10",
        "listTime": "1548133413000",
        "lotSz": market.amount_step,
        "minSz": market.amount_step,
        "optType": "",
        "quoteCcy": market.quote if is_spot else "",
        "settleCcy": "" if is_spot else market.quote,
        "state": "live" if market.active else "suspend",
        "stk": "",
        "tickSz": market.price_tick,
        "uly": "" if is_spot else f"{market.base}-{market.quote}",
    }


def _data(data: Any) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": data}


def _no_parameter(name: str) -> ApiError:
    return _error(400, "51000", f"Parameter {name} error")


def _error(status: int, code: str, message: str) -> ApiError:
    return ApiError(status, {"code": code, "msg": message, "data": []})


def _refusal(status: int) -> dict[str, Any]:
    code, message = {
        429: ("50011", "Too Many Requests"),
        418: ("50110", "Your IP is not in the list of those that may ask"),
        403: ("50027", "The account is restricted from trading"),
        404: ("404", "Not Found"),
        451: ("59260", "Not offered in your country or region"),
        503: ("50001", "Service temporarily unavailable. Try again later"),
    }.get(status, ("50026", "System error. Try again later"))
    return {"code": code, "msg": message, "data": []}


OKX = Dialect(
    exchange="okx",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=True,
    descending=True,
    number_texts=decimal_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 2, 3, 4, 5),
    candle_path=re.compile(rf"/api/v5/market/(?P<market>candles|{_HISTORY})"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/api/v5/public/time": lambda listing: _data([{"ts": str(listing.now_ms)}]),
        "/api/v5/public/instruments": _instruments,
    },
    refusal=_refusal,
    other_markets=(
        Market("BTC", "USDT", 1, 2, kind="perpetual"),
        Market("LUNA", "USDT", 4, 4, active=False),
    ),
)
