"""Fetches candles with nothing but ccxt, without pacing: what the job is measured against."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt_async

MINUTE_MS = 60_000


async def fetch(task: dict[str, Any]) -> None:
    """All exchanges at once, each one request after the other."""
    await asyncio.gather(
        *(
            fetch_exchange(exchange, base_url, task["markets"][exchange], task)
            for exchange, base_url in task["base_urls"].items()
        )
    )


async def fetch_exchange(
    exchange: str, base_url: str, markets: Sequence[str], task: dict[str, Any]
) -> None:
    client: Any = getattr(ccxt_async, exchange)({"enableRateLimit": False})
    client.urls["api"] = moved(client.urls["api"], base_url)
    client.options["fetchMarkets"] = {"types": ["spot"]}
    try:
        await client.load_markets()
        for market in markets:
            await fetch_market(client, market, task)
    finally:
        await client.close()


async def fetch_market(client: Any, market: str, task: dict[str, Any]) -> None:
    since_ms, end_ms = task["since_ms"], task["end_ms"]
    while True:
        rows = await client.fetch_ohlcv(market, "1m", since_ms, task["page_candles"])
        if end_ms is None:
            return
        since_ms = rows[-1][0] + MINUTE_MS
        if since_ms >= end_ms:
            return


def moved(addresses: Any, base_url: str) -> Any:
    if isinstance(addresses, dict):
        return {key: moved(value, base_url) for key, value in addresses.items()}
    return base_url + urlsplit(addresses).path


if __name__ == "__main__":
    asyncio.run(fetch(json.loads(sys.argv[1])))
