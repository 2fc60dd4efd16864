"""Kraken: errors under HTTP 200, ids like XXBTZUSD, never more than the last 720 candles."""

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
from exchange_simulator.number_text import fixed_texts
from exchange_simulator.series import EncodedRows, Selection
from exchange_simulator.sources import TextColumns
from exchange_simulator.trades import trade_count

__all__ = ["KRAKEN"]

REACH_CANDLES = 720
TRADES_LIMIT = 1000
_FIRST_NANOSECONDS = 10**12  # a smaller `since` counts seconds
TIMEFRAMES = {str(minutes): minutes * MINUTE_MS for minutes in (1, 5, 15, 30, 60, 240, 1440)}

_OLD_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_X_ASSETS = frozenset({"XBT", "XDG", "ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "MLN"})
_Z_ASSETS = frozenset({"USD", "EUR", "GBP", "CAD", "JPY", "AUD"})


def _old_name(code: str) -> str:
    return _OLD_NAMES.get(code, code)


def _asset_id(code: str) -> str:
    name = _old_name(code)
    if name in _X_ASSETS:
        return f"X{name}"
    return f"Z{name}" if name in _Z_ASSETS else name


def _market_ids(market: Market) -> Sequence[str]:
    base, quote = _old_name(market.base), _old_name(market.quote)
    short = f"{base}{quote}"
    prefixed = base in _X_ASSETS and quote in _Z_ASSETS and base != "XDG"
    if prefixed or (market.base, market.quote) == ("USDT", "USD"):
        return (f"{_asset_id(market.base)}{_asset_id(market.quote)}", short, f"{base}/{quote}")
    return (short, f"{base}/{quote}")


def _decode(_path_market: str | None, query: Query, listing: Listing) -> CandleRequest:
    name = query.get("interval", "1")
    market = _market(query, listing)
    timeframe_ms = TIMEFRAMES.get(name)
    if timeframe_ms is None or not listing.serves(market, timeframe_ms):
        raise _invalid_arguments()
    since_seconds = integer_parameter(query, "since", _invalid_arguments)
    current_ms = listing.now_ms // timeframe_ms * timeframe_ms
    first_ms = current_ms - (REACH_CANDLES - 1) * timeframe_ms
    if since_seconds is not None:
        first_ms = max(first_ms, since_seconds * 1000 + 1)
    return CandleRequest(market, Selection(timeframe_ms, first_ms), name)


def _market(query: Query, listing: Listing) -> Market:
    pair = query.get("pair")
    if not pair:
        raise _invalid_arguments()
    market = listing.by_id.get(pair)
    if market is None:
        raise _error("EQuery:Unknown asset pair")
    return market


def _encode_rows(rows: TextColumns, timeframe_ms: int) -> list[str]:
    encoded = []
    for time, first, high, low, close, volume in rows:
        middle = f"{(float(high) + float(low)) / 2:.{len(close.partition('.')[2])}f}"
        trades = trade_count(time, timeframe_ms)
        encoded.append(
            f'[{time // 1000},"{first}","{high}","{low}","{close}","{middle}","{volume}",{trades}]'
        )
    return encoded


def _encode_page(
    request: CandleRequest, rows: EncodedRows, texts: Sequence[str], now_ms: int
) -> str:
    # `last` is the newest committed candle: what to pass as `since` next time.
    timeframe_ms = request.selection.timeframe_ms
    committed_ms = now_ms // timeframe_ms * timeframe_ms - timeframe_ms
    closed = [time_ms for time_ms in rows.open_ms[-2:] if time_ms <= committed_ms]
    last = (closed[-1] if closed else committed_ms) // 1000
    pair = _market_ids(request.market)[0]
    return f'{{"error":[],"result":{{"{pair}":{page_of(texts)},"last":"{last}"}}}}'


def _decode_trades(_path_market: str | None, query: Query, listing: Listing) -> TradeRequest:
    market = _market(query, listing)
    limit = integer_parameter(query, "count", _invalid_arguments)
    since = integer_parameter(query, "since", _invalid_arguments)
    if limit is None:
        limit = TRADES_LIMIT
    if not 1 <= limit <= TRADES_LIMIT:
        raise _invalid_arguments()
    if since is not None and since < _FIRST_NANOSECONDS:
        since *= 10**9
    return TradeRequest(market, limit, since_ns=since)


def _encode_trades(trades: Sequence[TradeRow]) -> list[str]:
    return [
        f'["{trade.price}","{trade.amount}",{_seconds(trade.time_ns)},'
        f'"{"bs"[trade.id % 2]}","{"ml"[trade.id % 3 % 2]}","",{trade.id}]'
        for trade in trades
    ]


def _seconds(time_ns: int) -> str:
    """A time as rows show it: without its last two digits."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return f"{seconds}.{nanoseconds // 100:07d}"


def _encode_trades_page(
    request: TradeRequest, trades: Sequence[TradeRow], texts: Sequence[str], now_ms: int
) -> str:
    # `last` is the time of the last trade shown: what to pass as `since` next time.
    last = trades[-1].time_ns if trades else request.since_ns or now_ms * 1_000_000
    pair = _market_ids(request.market)[0]
    return f'{{"error":[],"result":{{"{pair}":{page_of(texts)},"last":"{last}"}}}}'


def _asset_pairs(listing: Listing) -> dict[str, Any]:
    return _result({_market_ids(market)[0]: _asset_pair(market) for market in listing.markets})


def _asset_pair(market: Market) -> dict[str, Any]:
    base, quote = _old_name(market.base), _old_name(market.quote)
    return {
        "altname": f"{base}{quote}",
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": _asset_id(market.base),
        "aclass_quote": "currency",
        "quote": _asset_id(market.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": market.price_digits,
        "lot_decimals": market.amount_digits,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4], [10000, 0.35]],
        "fees_maker": [[0, 0.25], [10000, 0.2]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": "0.00005",
        "costmin": "0.5",
        "tick_size": market.price_tick,
        "status": "online" if market.active else "cancel_only",
    }


def _assets(listing: Listing) -> dict[str, Any]:
    return _result(
        {
            _asset_id(code): {
                "aclass": "currency",
                "altname": _old_name(code),
                "decimals": 4 if code in _Z_ASSETS else max(10, digits),
                "display_decimals": 2 if code in _Z_ASSETS else 5,
                "status": "enabled",
            }
            for code, digits in unique_currencies(listing.markets).items()
        }
    )


def _time(listing: Listing) -> dict[str, Any]:
    return _result({"unixtime": listing.now_ms // 1000, "rfc1123": ""})


def _system_status(_listing: Listing) -> dict[str, Any]:
    return _result({"status": "online", "timestamp": ""})


def _result(result: dict[str, Any]) -> dict[str, Any]:
    return {"error": [], "result": result}


def _invalid_arguments(_name: str = "") -> ApiError:
    return _error("EGeneral:Invalid arguments")


def _error(message: str) -> ApiError:
    return ApiError(200, {"error": [message]})


def _refusal(status: int) -> dict[str, Any]:
    messages = {
        429: "EGeneral:Too many requests",
        418: "EGeneral:Temporary lockout",
        403: "EGeneral:Permission denied",
        404: "EGeneral:Unknown method",
        451: "EGeneral:Permission denied",
        503: "EService:Unavailable",
    }
    return {"error": [messages.get(status, "EGeneral:Internal error")]}


KRAKEN = Dialect(
    exchange="kraken",
    timeframes=TIMEFRAMES,
    page_limit=REACH_CANDLES,
    sends_idle_bars=False,
    descending=False,
    number_texts=fixed_texts,
    time_unit_ms=1000,
    row_fields=RowFields(0, 1, 2, 3, 4, 6),
    candle_path=re.compile(r"/0/public/OHLC"),
    market_ids=_market_ids,
    decode=_decode,
    encode_rows=_encode_rows,
    encode_page=_encode_page,
    endpoints={
        "/0/public/Time": _time,
        "/0/public/SystemStatus": _system_status,
        "/0/public/Assets": _assets,
        "/0/public/AssetPairs": _asset_pairs,
    },
    refusal=_refusal,
    other_markets=(Market("XMR", "USD", 2, 8, active=False),),
    trades=TradesEndpoint(
        path=re.compile(r"/0/public/Trades"),
        decode=_decode_trades,
        encode_rows=_encode_trades,
        encode_page=_encode_trades_page,
        row_fields={"price": 0, "amount": 1, "time": 2},
    ),
)
