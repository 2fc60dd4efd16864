"""The clients of a configuration; a module of its own, since loading ccxt takes long."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from candle_ingestor.config import ExchangesConfig
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.client import CandleClient
from candle_ingestor.exchanges.coingecko.client import CoinGeckoClient
from candle_ingestor.exchanges.names import COINGECKO

log = logging.getLogger(__name__)


def make_clients(
    config: ExchangesConfig, tickers: Collection[str], now_ms: Callable[[], int]
) -> list[CandleClient]:
    """A client an exchange, in flag order. Needs a running event loop.

    `tickers` are the bases of the wanted symbols, for a client that looks them up one by one.

    Raises:
        ConfigurationError: if the settings of an exchange say what its client cannot do.
    """
    proxies = config.proxies.shown()
    if proxies is not None:
        log.info("Exchanges are asked through a proxy: %s", proxies)

    def make(name: str) -> CandleClient:
        settings = config.settings[name]
        if name == COINGECKO:
            return CoinGeckoClient(
                settings,
                tickers,
                now_ms,
                extra_delay_seconds=config.api_call_delay_seconds,
                timeout_seconds=config.request_timeout_seconds,
                proxies=config.proxies,
            )
        return CcxtClient(
            name,
            settings,
            extra_delay_seconds=config.api_call_delay_seconds,
            timeout_seconds=config.request_timeout_seconds,
            proxies=config.proxies,
        )

    return [make(name) for name in config.names]
