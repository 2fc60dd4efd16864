"""Bitstamp: objects of strings in seconds, 1000 rows a page, the oldest of a longer range."""

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

__all__ = ["BITSTAMP"]

PAGE_LIMIT = 1000
TIMEFRAMES = {
    str(minutes * 60): minutes * MINUTE_MS
    for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720, 1440)
}


def _market_ids(market: Market) -> Sequence[str]:
    pair = f"{market.base}{market.quote}".lower()
    return (pair,) if market.kind == "spot" else (f"{pair}-perp",)


def _decode(path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    market = listing.by_id.get((path_market or "").lower())
    if market is None:
        raise _error(404, "404.001", "Market not found.")
    name = query.get("step", "")
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _invalid("step")
    limit = integer_parameter(query, "limit", _invalid)
    if limit is None or not 1 <= limit <= PAGE_LIMIT:
        raise _invalid("limit")
    start = integer_parameter(query, "start", _invalid)
    end = integer_parameter(query, "end", _invalid)
    last_ms = None if end is None else end * 1000
    if query.get("exclude_current_candle") == "true":
        last_closed_ms = listing.now_ms // timeframe_ms * timeframe_ms - timeframe_ms
        last_ms = last_closed_ms if last_ms is None else min(last_ms, last_closed_ms)
    return CandleRequest(
        market,
        Selection(
            timeframe_ms,
            first_ms=None if start is None else start * 1000,
            last_ms=last_ms,
            limit=limit,
            newest=start is None,
        ),
        name,
    )


def _encode_rows(rows: TextColumns, _timeframe_ms: int) -> list[str]:
    return [
        f'{{"timestamp":"{time // 1000}","open":"{first}","high":"{high}","low":"{low}",'
        f'"close":"{close}","volume":"{volume}"}}'
        for time, first, high, low, close, volume in rows
    ]


def _encode_page(
    request: CandleRequest, _rows: EncodedRows, texts: Sequence[str], _now_ms: int
) -> str:
    market = request.market
    pair = f"{market.base}/{market.quote}"
    return f'{{"data":{{"ohlc":{page_of(texts)},"pair":"{pair}"}}}}'


def _markets(listing: Listing) -> list[dict[str, Any]]:
    return [_market(market) for market in listing.markets]


def _market(market: Market) -> dict[str, Any]:
    spot = {
        "name": f"{market.base}/{market.quote}",
        "market_symbol": _market_ids(market)[0],
        "base_currency": market.base,
        "base_decimals": market.amount_digits,
        "counter_currency": market.quote,
        "counter_decimals": market.price_digits,
        "minimum_order_value": "10",
        "trading": "Enabled" if market.active else "Disabled",
        "instant_order_counter_decimals": 2,
        "instant_and_market_orders": "Enabled" if market.active else "Disabled",
        "description": f"{market.base} / {market.quote}",
        "market_type": "SPOT",
    }
    if market.kind == "spot":
        return spot
    return spot | {
        "name": f"{market.base}/{market.quote}-PERP",
        "minimum_order_amount": "0.00001000",
        "maximum_order_amount": "10.00000000",
        "maximum_order_value": "500000.00000000",
        "market_type": "PERPETUAL",
        "payoff_type": "Linear",
        "contract_size": "1.00000000",
        "underlying_asset": f"{market.base} index",
    }


def _invalid(name: str) -> ApiError:
    return _error(400, "400.002", f"Invalid {name} parameter.")


def _error(status: int, code: str, reason: str) -> ApiError:
    return ApiError(status, {"status": "error", "reason": reason, "response_code": code})


def _refusal(status: int) -> dict[str, str]:
    reasons = {
        429: "Request rate limit exceeded.",
        418: "Temporarily banned.",
        403: "Forbidden.",
        404: "Not found.",
        451: "Unavailable for legal reasons.",
        503: "Service unavailable.",
    }
    reason = reasons.get(status, "Internal server error.")
    return {"status": "error", "reason": reason, "response_code": f"{status}.001"}


BITSTAMP = Dialect(
    exchange="bitstamp",
    timeframes=TIMEFRAMES,
    page_limit=PAGE_LIMIT,
    sends_idle_bars=False,
    descending=False,
    number_texts=fixed_texts,
    time_unit_ms=1000,
    row_fields=RowFields("timestamp", "open", "high", "low", "close", "volume"),
    candle_path=re.compile(r"/api/v2/ohlc/(?P<market>[^/]+)/?"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={"/api/v2/markets/": _markets, "/api/v2/markets": _markets},
    refusal=_refusal,
    other_markets=(
        Market("BTC", "USD", 0, 5, kind="perpetual"),
        Market("OMG", "USD", 4, 8, active=False),
    ),
)
