"""Short ways to ask an exchange by ccxt for what a test needs."""

from typing import Any

import pytest

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.model.timeframe import Timeframe


def spot_market(symbol: str) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "id": f"{base}{quote}",
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "type": "spot",
        "spot": True,
        "active": True,
        "info": {},
        "precision": {},
        "limits": {},
    }


async def error_of(client: CcxtClient, symbol: str, since_ms: int) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        await client.fetch_candles(symbol, Timeframe(1), since_ms, 100)
    return caught.value
