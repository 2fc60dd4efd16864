"""CoinGecko as an exchange's client: daily closing prices of a coin in a currency."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote as url_quoted

from candle_ingestor.exchanges.coingecko.http import CoinGeckoHttp
from candle_ingestor.exchanges.coingecko.lookup import (
    currencies,
    ids_by_ticker,
    ids_in,
    largest,
    market_caps,
    markets_of,
    unlisted_in,
)
from candle_ingestor.exchanges.coingecko.plans import ApiPlan, plan_of
from candle_ingestor.exchanges.coingecko.points import daily_rows
from candle_ingestor.exchanges.errors import RequestRejectedError
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.names import COINGECKO
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import DAY_MS, MINUTES_PER_DAY, Timeframe

log = logging.getLogger(__name__)

REQUESTS_PER_MINUTE = 25
"""Below the 30 that a free key is granted."""

RUN_UP_DAYS = 2
"""A range that ends now and is no longer than a day is answered in points of five minutes, and a
longer one in hours: with so many days before, a day's close never depends on what else is asked."""

_COINS_PER_REQUEST = 250


class CoinGeckoClient:
    """A CandleClient for `tickers`, the bases in capitals that a run may ask for.

    `now_ms` tells how far back the plan reaches. Use it within one event loop.
    """

    exchange = COINGECKO
    timeframes: Sequence[str] = (str(Timeframe(MINUTES_PER_DAY)),)

    def __init__(
        self,
        settings: ExchangeSettings,
        tickers: Collection[str],
        now_ms: Callable[[], int],
        *,
        extra_delay_seconds: float = 0.0,
        timeout_seconds: float = 10.0,
        proxies: Proxies | None = None,
    ) -> None:
        plan = plan_of(settings)
        key = settings.keys.get("apiKey")
        self.address = settings.base_url or plan.address
        self.habits = replace(HABITS[COINGECKO], reach_candles=plan.reach_days)
        self._http = CoinGeckoHttp(
            self.address,
            {plan.key_header: key} if key else {},
            _seconds_per_request(settings, extra_delay_seconds),
            timeout_seconds,
            proxies or Proxies(),
        )
        self._plan: ApiPlan = plan
        self._tickers = frozenset(tickers)
        self._chosen = dict(settings.ids)
        self._now_ms = now_ms
        self._known: dict[str, str] = {}
        self._currencies: dict[str, str] = {}

    @property
    def seconds_per_request(self) -> float:
        return self._http.seconds_per_request

    async def fetch_markets(self) -> list[dict[str, Any]]:
        """The coins of the tickers, each in every currency that CoinGecko tells prices in.

        A coin that is known already stays the one that its ticker means. Raises: ExchangeError.
        """
        quotes = currencies(await self._http.get("/simple/supported_vs_currencies", {}))
        unknown = self._tickers - self._known.keys() - self._chosen.keys()
        found = await self._looked_up(unknown) if unknown else {}
        wanted = {ticker: coin for ticker, coin in self._chosen.items() if ticker in self._tickers}
        ids = self._known | found | wanted
        markets = markets_of(ids, quotes, self._chosen, self._tickers - ids.keys())
        self.use_markets(markets)
        return markets

    def use_markets(self, markets: list[dict[str, Any]]) -> bool:
        listed = {str(market["base"]): str(market["id"]) for market in markets}
        self._known = ids_in(markets, self._chosen)
        self._currencies = {str(m["quote"]): str(m.get("quoteId") or "") for m in markets}
        looked_for = self._tickers - unlisted_in(markets)
        return all(
            ticker in listed and listed[ticker] == self._known.get(ticker) for ticker in looked_for
        )

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        if str(timeframe) not in self.timeframes:
            raise RequestRejectedError(f"coingecko has no {timeframe} candles")
        ticker, _, quote = market_symbol.partition("/")
        coin_id, currency = self._known.get(ticker), self._currencies.get(quote)
        if not coin_id or not currency:
            raise RequestRejectedError(f"coingecko: {market_symbol} is none of its markets")
        end_ms = since_ms + limit * DAY_MS
        from_ms = since_ms - RUN_UP_DAYS * DAY_MS
        until_ms = min(end_ms, self._now_ms())
        if self._plan.reach_days is not None:
            # Like an exchange that answers its newest candles, whatever it is asked for.
            from_ms = max(from_ms, self._now_ms() - self._plan.reach_days * DAY_MS)
        if from_ms >= until_ms:
            return RawRows.from_rows([], [])
        answer = await self._http.get(
            f"/coins/{url_quoted(coin_id, safe='')}/market_chart/range",
            {
                "vs_currency": currency,
                "from": str(-(-from_ms // 1000)),
                "to": str(until_ms // 1000),
            },
        )
        return daily_rows(answer, since_ms, end_ms)

    async def close(self) -> None:
        await self._http.close()

    async def _looked_up(self, tickers: Collection[str]) -> dict[str, str]:
        """The coin that each ticker means; a ticker that means none is left out."""
        candidates = ids_by_ticker(await self._http.get("/coins/list", {}), tickers)
        found = {ticker: ids[0] for ticker, ids in candidates.items() if len(ids) == 1}
        ambiguous = {ticker: ids for ticker, ids in candidates.items() if len(ids) > 1}
        caps = await self._market_caps([coin for ids in ambiguous.values() for coin in ids])
        for ticker, ids in ambiguous.items():
            choice = largest(ticker, ids, caps)
            log.warning("%s", choice.words())
            if choice.coin_id is not None:
                found[ticker] = choice.coin_id
        return found

    async def _market_caps(self, coin_ids: Sequence[str]) -> dict[str, float]:
        caps: dict[str, float] = {}
        for start in range(0, len(coin_ids), _COINS_PER_REQUEST):
            asked = coin_ids[start : start + _COINS_PER_REQUEST]
            answer = await self._http.get(
                "/coins/markets",
                {
                    "vs_currency": "usd",
                    "ids": ",".join(asked),
                    "per_page": str(_COINS_PER_REQUEST),
                    "page": "1",
                },
            )
            caps |= market_caps(answer)
        return caps


def _seconds_per_request(settings: ExchangeSettings, extra_delay_seconds: float) -> float:
    per_minute = settings.requests_per_minute
    if per_minute is None:
        per_minute = REQUESTS_PER_MINUTE
    pace_seconds = 60 / per_minute if per_minute else 0.0
    return max(pace_seconds, (settings.request_delay_ms or 0.0) / 1000) + extra_delay_seconds
