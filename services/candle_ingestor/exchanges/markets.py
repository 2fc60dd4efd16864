"""Markets of an exchange and their cache on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from candle_ingestor.exchanges.kept_markets import checked_markets
from candle_ingestor.model.symbol import Symbol, SymbolError
from candle_ingestor.operations.atomic_file import replace_file

FORMAT_VERSION = 1

_BUSIEST = tuple(
    (base, quote) for base in ("BTC", "ETH") for quote in ("USDT", "USD", "USDC", "EUR")
)


@dataclass(frozen=True)
class Market:
    """A symbol on one exchange.

    Attributes:
        exchange: the ccxt exchange id.
        symbol: the symbol that is traded there.
        price_step, amount_step: the market's own precision, where it states one.
    """

    exchange: str
    symbol: Symbol
    price_step: float | None = None
    amount_step: float | None = None


Markets = Mapping[str, Mapping[Symbol, Market] | None]
"""By exchange, what it lists; None where that could not be learnt."""


def markets_by_symbol(exchange: str, markets: Iterable[dict[str, Any]]) -> dict[Symbol, Market]:
    """The markets whose symbol is a plain spot pair, by that symbol."""
    found = {}
    for market in markets:
        try:
            symbol = Symbol(str(market["base"]), str(market["quote"]))
            if str(market["symbol"]) != str(symbol):
                continue
        except (KeyError, SymbolError):
            continue
        precision = market.get("precision") or {}
        found[symbol] = Market(
            exchange,
            symbol,
            price_step=precision.get("price"),
            amount_step=precision.get("amount"),
        )
    return found


def busiest_markets(symbols: Iterable[Symbol]) -> tuple[str, ...]:
    """The markets that are traded all the time wherever they are listed, two at most."""
    order = {(base, quote): place for place, (base, quote) in enumerate(_BUSIEST)}
    listed = [symbol for symbol in symbols if (symbol.base, symbol.quote) in order]
    listed.sort(key=lambda symbol: order[symbol.base, symbol.quote])
    return tuple(map(str, listed[:2]))


@dataclass(frozen=True)
class CachedMarkets:
    """ccxt's market dictionaries, and when they were fetched."""

    markets: list[dict[str, Any]]
    fetched_ms: int


class MarketsCache(Protocol):
    """Markets kept between runs. Neither call ever fails: a broken cache is an empty one."""

    def read(self, exchange: str, address: str) -> CachedMarkets | None: ...

    def write(self, exchange: str, address: str, cached: CachedMarkets) -> str | None:
        """Keeps the markets. Returns why that did not work, if it did not."""


class DiskMarketsCache:
    """One JSON file an exchange in a folder, replaced whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, exchange: str, address: str) -> CachedMarkets | None:
        try:
            kept = json.loads((self._folder / f"{exchange}.json").read_bytes())
            if kept["format_version"] != FORMAT_VERSION or kept["address"] != address:
                return None
            return CachedMarkets(checked_markets(kept["markets"]), int(kept["fetched_ms"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def write(self, exchange: str, address: str, cached: CachedMarkets) -> str | None:
        kept = {
            "format_version": FORMAT_VERSION,
            "address": address,
            "fetched_ms": cached.fetched_ms,
            "markets": cached.markets,
        }
        try:
            replace_file(self._folder / f"{exchange}.json", json.dumps(kept).encode())
        except OSError as error:
            return f"cannot keep the markets of {exchange} in {self._folder}: {error.strerror}"
        return None
