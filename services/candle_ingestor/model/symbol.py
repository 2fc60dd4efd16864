"""Unified symbols, parsed once at the edge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.model.texts import quoted

KNOWN_QUOTES = (
    *("FDUSD", "PYUSD", "RLUSD", "USDE"),
    *("BUSD", "TUSD", "USDC", "USDD", "USDG", "USDP", "USDQ", "USDR", "USDS", "USDT", "EURC"),
    *("EURI", "EURR", "EURQ", "EURT", "GUSD"),
    *("AUD", "BRL", "CAD", "CHF", "CNY", "DAI", "EUR", "GBP", "HKD", "IDR", "INR", "JPY", "KRW"),
    *("MXN", "NGN", "PLN", "RUB", "SGD", "THB", "TRY", "UAH", "USD", "VND", "ZAR"),
    *("BTC", "ETH", "BNB", "SOL", "TRX", "XRP", "DOGE", "DOT"),
)
"""Quotes that a symbol written without a separator may end with."""

_ASSET = re.compile(r"[A-Z0-9]{1,20}")
_SEPARATOR = re.compile(r"[/\-_]")


class SymbolError(ValueError):
    """A text that names no symbol; the message quotes it and says why."""


@dataclass(frozen=True, order=True, slots=True)
class Symbol:
    """A unified spot pair such as BTC/USD: base and quote in capitals."""

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Symbol:
        """The symbol that `BTC/USD`, `BTC-USD`, `btc_usd`, `btcusd` or `BTCUSDT` names.

        Without a separator the longest known quote at the end wins, as long as a base is left.

        Raises:
            SymbolError: if the text names none.
        """
        if not text.isascii():
            raise SymbolError(f"{quoted(text)} holds more than letters, digits and a separator")
        stripped = text.strip().upper()
        parts = _SEPARATOR.split(stripped)
        if len(parts) == 1:
            base, quote = _split_by_quote(stripped, text)
        elif len(parts) == 2:
            base, quote = parts
        else:
            raise SymbolError(f"{quoted(text)} has more than one separator")
        if not _ASSET.fullmatch(base) or not _ASSET.fullmatch(quote):
            raise SymbolError(
                f"{quoted(text)} is not a pair of assets of 1 to 20 letters and digits"
            )
        if base == quote:
            raise SymbolError(f"{quoted(text)} has the same asset as base and quote")
        return cls(base, quote)

    @property
    def folder_name(self) -> str:
        """The symbol without its slash, as partitions name it (rule E1)."""
        return self.base + self.quote

    def with_quote(self, quote: str) -> Symbol:
        return Symbol(self.base, quote)

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


def symbol_choices(symbol: Symbol, quote_aliases: Sequence[tuple[str, str]]) -> list[Symbol]:
    """The symbols that may be merged under this one, the best first (rule M7)."""
    stand_ins = [stand_in for quote, stand_in in quote_aliases if quote == symbol.quote]
    return [symbol, *(symbol.with_quote(stand_in) for stand_in in stand_ins)]


def stand_ins_of(symbol: Symbol, served: Mapping[str, Symbol]) -> dict[str, Symbol]:
    """What serves in place of the symbol (rule M7), by exchange; `served` is all that serves."""
    return {exchange: other for exchange, other in served.items() if other != symbol}


def _split_by_quote(stripped: str, text: str) -> tuple[str, str]:
    fitting = [q for q in KNOWN_QUOTES if stripped.endswith(q) and len(stripped) > len(q)]
    if not fitting:
        raise SymbolError(
            f"{quoted(text)} ends with no known quote; write it with a slash, as in BTC/USD"
        )
    quote = max(fitting, key=len)
    return stripped.removesuffix(quote), quote
