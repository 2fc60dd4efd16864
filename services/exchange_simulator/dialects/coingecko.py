"""CoinGecko: points of a coin's price in a currency, by the day, the hour or five minutes.

Which of them depends on how long the asked range is. A point has the price that its length of time
ends with, and only lengths that are over have one. The free plan reaches back 365 days.
"""

import re
from collections.abc import Sequence
from typing import Any

from exchange_simulator.candles import DAY_MS, MINUTE_MS
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
from exchange_simulator.number_text import float_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns

__all__ = ["COINGECKO"]

HOUR_MS = 60 * MINUTE_MS
LONGEST_HOURLY_DAYS = 90
REACH_DAYS = 365
KEY_START = "CG-"

_DEMO_KEY, _PRO_KEY = "x-cg-demo-api-key", "x-cg-pro-api-key"
_NAMES = {"BTC": "bitcoin", "ETH": "ethereum", "SOL": "solana", "USDT": "tether"}
_BRIDGED = "bridged-"


def _coin_id(base: str) -> str:
    return _NAMES.get(base, f"{base.lower()}-coin")


def _market_ids(market: Market) -> Sequence[str]:
    return (f"{_coin_id(market.base)}/{market.quote.lower()}",)


def _decode(path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    _check_key(query)
    coin_id = (path_market or "").removeprefix(_BRIDGED)
    if coin_id not in {_coin_id(market.base) for market in listing.markets}:
        raise ApiError(404, {"error": "coin not found"})
    market = listing.by_id.get(f"{coin_id}/{query.get('vs_currency', '')}")
    if market is None:
        raise ApiError(422, {"error": "invalid vs_currency"})
    from_seconds = integer_parameter(query, "from", _bad_parameter)
    to_seconds = integer_parameter(query, "to", _bad_parameter)
    if from_seconds is None or to_seconds is None:
        raise _bad_parameter("from" if from_seconds is None else "to")
    if from_seconds > to_seconds:
        raise ApiError(422, {"error": "from must not be later than to"})
    from_ms, to_ms = from_seconds * 1000, to_seconds * 1000
    if _name_of(_PRO_KEY) not in query and from_ms < listing.now_ms - REACH_DAYS * DAY_MS:
        raise _error(
            401,
            10012,
            "Your request exceeds the allowed time range. Public API users are limited to querying "
            f"historical data within the past {REACH_DAYS} days.",
        )
    selection = _selection(from_ms, min(to_ms, listing.now_ms), listing.now_ms)
    if path_market != coin_id:
        # A coin that is listed and was never traded.
        selection = Selection(selection.timeframe_ms, limit=0)
    return CandleRequest(market, selection, "1d")


def _selection(from_ms: int, to_ms: int, now_ms: int) -> Selection:
    span_ms = to_ms - from_ms
    if span_ms > LONGEST_HOURLY_DAYS * DAY_MS:
        # A day's point stands where the day ends.
        return Selection(DAY_MS, from_ms - DAY_MS, to_ms - DAY_MS)
    is_of_now = span_ms <= DAY_MS and to_ms >= now_ms - HOUR_MS
    length_ms = 5 * MINUTE_MS if is_of_now else HOUR_MS
    return Selection(length_ms, from_ms, to_ms - length_ms)


def _point_ms(open_ms: int, length_ms: int) -> int:
    """When the point of a length of time stands: never the same number of seconds after its start.

    That of a day stands at the midnight that ends it.
    """
    if length_ms == DAY_MS:
        return open_ms + DAY_MS
    return open_ms + length_ms // 6 + open_ms // length_ms * 7919 % 59 * length_ms // 3600


def _encode_rows(rows: TextColumns, timeframe_ms: int) -> list[str]:
    return [
        f"[{_point_ms(open_ms, timeframe_ms)},{close}]"
        for open_ms, close in zip(rows.open_ms, rows.close, strict=True)
    ]


def _encode_page(
    request: CandleRequest, rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    length_ms = request.selection.timeframe_ms
    others = [f"[{_point_ms(open_ms, length_ms)},1234567890.5]" for open_ms in rows.open_ms]
    return (
        f'{{"prices":{page_of(texts)},"market_caps":{page_of(others)},'
        f'"total_volumes":{page_of(others)}}}'
    )


def _coins(listing: Listing) -> list[dict[str, Any]]:
    _check_key(listing.query)
    return [
        {"id": coin_id, "symbol": base.lower(), "name": coin_id.replace("-", " ").title()}
        for base, coin_id, _ in _ranked(listing)
    ]


def _coin_markets(listing: Listing) -> list[dict[str, Any]]:
    _check_key(listing.query)
    if listing.query.get("vs_currency", "").upper() not in _quotes(listing):
        raise ApiError(422, {"error": "invalid vs_currency"})
    wanted = set(listing.query.get("ids", "").split(","))
    per_page = min(integer_parameter(listing.query, "per_page", _bad_parameter) or 100, 250)
    found = [
        {"id": coin_id, "symbol": base.lower(), "market_cap": cap}
        for base, coin_id, cap in _ranked(listing)
        if coin_id in wanted
    ]
    return found[:per_page]


def _ranked(listing: Listing) -> list[tuple[str, str, int | None]]:
    """Base, id and market cap of each coin. Every coin has a bridged one of the same ticker."""
    bases = list(dict.fromkeys(market.base for market in listing.markets))
    coins: list[tuple[str, str, int | None]] = []
    for rank, base in enumerate(bases):
        coins.append((base, f"{_BRIDGED}{_coin_id(base)}", 1_000_000 if rank % 2 else None))
        coins.append((base, _coin_id(base), 10**12 // (rank + 1)))
    return coins


def _vs_currencies(listing: Listing) -> list[str]:
    _check_key(listing.query)
    return [quote.lower() for quote in _quotes(listing)]


def _quotes(listing: Listing) -> list[str]:
    return list(dict.fromkeys(["USD", *(market.quote for market in listing.markets)]))


def _check_key(query: Query) -> None:
    for header in (_DEMO_KEY, _PRO_KEY):
        key = query.get(_name_of(header))
        if key is not None and not key.startswith(KEY_START):
            raise _error(401, 10002, "API Key Missing or Invalid")


def _name_of(header: str) -> str:
    return header.replace("-", "_")


def _bad_parameter(name: str) -> ApiError:
    return ApiError(422, {"error": f"Missing or bad parameter {name}"})


def _error(status: int, code: int, message: str) -> ApiError:
    return ApiError(status, {"error": {"status": {"error_code": code, "error_message": message}}})


def _refusal(status: int) -> dict[str, Any]:
    if status == 404:
        return {"error": "Incorrect path."}
    messages = {
        429: "You've exceeded the Rate Limit.",
        403: "Access denied.",
        418: "Access denied for a while.",
        451: "Unavailable for legal reasons.",
        503: "Service unavailable.",
    }
    message = messages.get(status, "Internal server error.")
    return {"status": {"error_code": status, "error_message": message}}


COINGECKO = Dialect(
    exchange="coingecko",
    timeframes={"1d": DAY_MS},
    page_limit=LONGEST_HOURLY_DAYS,
    sends_idle_bars=False,
    descending=False,
    number_texts=float_texts,
    time_unit_ms=1,
    row_fields=RowFields(0, 1, 1, 1, 1, 1),
    candle_path=re.compile(r"/api/v3/coins/(?P<market>[^/]+)/market_chart/range"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    refusal=_refusal,
    endpoints={
        "/api/v3/ping": lambda _listing: {"gecko_says": "(V3) To the Moon!"},
        "/api/v3/coins/list": _coins,
        "/api/v3/coins/markets": _coin_markets,
        "/api/v3/simple/supported_vs_currencies": _vs_currencies,
    },
    key_headers=(_DEMO_KEY, _PRO_KEY),
)
