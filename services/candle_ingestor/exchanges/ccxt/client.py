"""One ccxt client of one exchange, for spot markets and their candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ccxt.base.decimal_to_precision import TICK_SIZE

from candle_ingestor.exchanges.ccxt.answers import (
    as_exchange_error,
    number_texts,
    strict_class,
)
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    MalformedAnswerError,
    RequestRejectedError,
)
from candle_ingestor.exchanges.habits import habits_of
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS, TradeCursor
from candle_ingestor.exchanges.trades import RawTrades, no_trades
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe


class CcxtClient:
    """The real ccxt, paced by ccxt's own throttle. Use it within one event loop."""

    def __init__(
        self,
        exchange: str,
        settings: ExchangeSettings,
        *,
        extra_delay_seconds: float = 0.0,
        timeout_seconds: float = 10.0,
        proxies: Proxies | None = None,
    ) -> None:
        self._client = strict_class(exchange)(
            {
                "enableRateLimit": True,
                "timeout": round(timeout_seconds * 1000),
                "options": {"defaultType": "spot", **settings.options},
                **settings.keys,
            }
        )
        if settings.base_url is not None:
            self._client.urls["api"] = _moved(self._client.urls["api"], settings.base_url)
        # Candles need no list of currencies, which is another big download.
        self._client.has["fetchCurrencies"] = False
        _ask_for_spot_only(self._client.options)
        if proxies is not None and proxies.by_scheme:
            self._client.httpsProxyCallback = lambda url, *_: proxies.proxy_for(url)
        self._set_pace(settings, extra_delay_seconds)
        self.exchange = exchange
        self.habits = habits_of(exchange, _page_limit(self._client))
        self.trade_habits = TRADE_HABITS.get(exchange)
        self.timeframes: Sequence[str] = _spot_timeframes(self._client)
        self.address = settings.base_url or "default"

    @property
    def seconds_per_request(self) -> float:
        if not self._client.enableRateLimit:
            return 0.0
        return float(self._client.rateLimit) * float(self._client.last_request_cost) / 1000

    async def fetch_markets(self) -> list[dict[str, Any]]:
        try:
            markets = await self._client.load_markets(reload=True)
        except Exception as error:
            raise self._translated(error) from error
        spot = [
            _reduced(market, self._client.precisionMode)
            for market in markets.values()
            if market.get("spot") and market.get("active") is not False
        ]
        if not spot:
            raise MalformedAnswerError(f"{self.exchange} lists no active spot market")
        return spot

    def use_markets(self, markets: list[dict[str, Any]]) -> bool:
        self._client.set_markets(markets)
        return True

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        try:
            answer = await self._client.fetch_ohlcv(
                market_symbol,
                str(timeframe),
                since=since_ms,
                limit=limit,
                params=self.habits.parameters_of(timeframe, since_ms, self._client.milliseconds()),
            )
        except Exception as error:
            raise self._translated(error) from error
        if answer == []:
            # ccxt's own word for an answer without candles, given before it reads any.
            return RawRows.from_rows([], [])
        if not isinstance(answer, RawRows):
            raise MalformedAnswerError(f"{self.exchange}: ccxt answers candles in an unknown way")
        return answer

    async def fetch_trades(self, market_symbol: str, cursor: int | None, limit: int) -> RawTrades:
        if self.trade_habits is None:
            raise RequestRejectedError(f"{self.exchange}: nobody has described its trades here")
        since_ms, parameters = _beginning(self.trade_habits.cursor, cursor)
        try:
            with number_texts():
                answer = await self._client.fetch_trades(
                    market_symbol, since=since_ms, limit=limit, params=parameters
                )
        except Exception as error:
            raise self._translated(error) from error
        if isinstance(answer, RawTrades):
            return answer
        if answer:
            raise MalformedAnswerError(f"{self.exchange}: ccxt answers trades in an unknown way")
        # ccxt reads no rows where there are none.
        return RawTrades(no_trades(), ())

    async def close(self) -> None:
        # ccxt waits a while for its connections each time it is closed.
        if not self._client.closed_by_user:
            await self._client.close()

    def _translated(self, error: Exception) -> ExchangeError:
        return as_exchange_error(self.exchange, error, self._client.timeout / 1000)

    def _set_pace(self, settings: ExchangeSettings, extra_delay_seconds: float) -> None:
        delay_ms = float(self._client.rateLimit)
        if settings.requests_per_minute is not None:
            self._client.options["evenPace"] = True
            per_minute = settings.requests_per_minute
            delay_ms = MINUTE_MS / per_minute if per_minute else 0.0
        delay_ms = max(delay_ms, settings.request_delay_ms or 0.0) + extra_delay_seconds * 1000
        self._client.enableRateLimit = delay_ms > 0
        self._client.rateLimit = delay_ms
        self._client.tokenBucket = None
        self._client.init_rest_rate_limiter()


def _beginning(kind: TradeCursor, cursor: int | None) -> tuple[int | None, dict[str, str]]:
    """Where trades begin, as ccxt's `since` and the exchange's own parameters."""
    if cursor is None:
        return None, {}
    if kind is TradeCursor.FROM_MS:
        return cursor, {}
    return None, {"since" if kind is TradeCursor.AFTER_NS else "after": str(cursor)}


def _moved(addresses: Any, base_url: str) -> Any:
    if isinstance(addresses, Mapping):
        return {key: _moved(value, base_url) for key, value in addresses.items()}
    if isinstance(addresses, str):
        return base_url + urlsplit(addresses).path
    return addresses


def _ask_for_spot_only(options: dict[str, Any]) -> None:
    asked = options.get("fetchMarkets")
    if isinstance(asked, list):
        options["fetchMarkets"] = ["spot"]
    if not isinstance(asked, dict):
        return
    types = asked.get("types")
    if isinstance(types, list):
        asked["types"] = ["spot"]
    elif isinstance(types, dict):
        asked["types"] = {kind: kind == "spot" for kind in types}


def _spot_timeframes(client: Any) -> tuple[str, ...]:
    """Those of its spot markets, where ccxt tells them apart from those of others."""
    by_kind = client.options.get("timeframes")
    of_spot = by_kind.get("spot") if isinstance(by_kind, dict) else None
    timeframes = client.timeframes or {}
    return tuple(each for each in timeframes if of_spot is None or each in of_spot)


def _page_limit(client: Any) -> int | None:
    features = client.features or {}
    spot = features.get("spot") or features.get("default") or {}
    limit = (spot.get("fetchOHLCV") or {}).get("limit")
    return int(limit) if limit else None


def _reduced(market: Mapping[str, Any], precision_mode: int) -> dict[str, Any]:
    """The market without the exchange's own record, which is most of its size.

    A precision that is no step, as where significant digits are counted, is left out as well.
    """
    reduced = {**market, "info": {}}
    if precision_mode != TICK_SIZE:
        reduced["precision"] = {}
    return reduced
