"""The ccxt clients of a configuration; a module of its own, since loading ccxt takes long."""

from __future__ import annotations

import logging

from candle_ingestor.config import ExchangesConfig
from candle_ingestor.exchanges.ccxt.client import CcxtClient

log = logging.getLogger(__name__)


def make_clients(config: ExchangesConfig) -> list[CcxtClient]:
    """A ccxt client an exchange, in flag order. Needs a running event loop."""
    proxies = config.proxies.shown()
    if proxies is not None:
        log.info("Exchanges are asked through a proxy: %s", proxies)
    return [
        CcxtClient(
            name,
            config.settings[name],
            extra_delay_seconds=config.api_call_delay_seconds,
            timeout_seconds=config.request_timeout_seconds,
            proxies=config.proxies,
        )
        for name in config.names
    ]
