"""Exchange names: what users write, and what ccxt calls the exchange today."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import did_you_mean, quoted

COINGECKO = "coingecko"

WITHOUT_CCXT = (COINGECKO,)
"""Exchanges that ccxt does not have, and that have a client of their own."""

RENAMED = {
    "binance_us": "binanceus",
    "bitcoincom": "fmfwio",
    "bitfinex2": "bitfinex",
    "bitpanda": "onetrading",
    "coinbasepro": "coinbaseexchange",
    "coinbaseprime": "coinbaseexchange",
    "crypto_com": "cryptocom",
    "gateio": "gate",
    "gdax": "coinbaseexchange",
    "hitbtc2": "hitbtc",
    "hitbtc3": "hitbtc",
    "huobi": "htx",
    "huobipro": "htx",
    "lbank2": "lbank",
    "mexc3": "mexc",
    "okcoinusd": "okx",
    "okex": "okx",
    "okex3": "okx",
    "okex5": "okx",
}
"""Names that ccxt, or the exchange itself, has given up, with their successors."""


def resolve_names(
    names: Iterable[str], known: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ccxt ids of the named exchanges in their order, and a warning for each renamed one.

    `known` are the ids that ccxt has.

    Raises:
        ConfigurationError: if a name is unknown, given twice, or none is given.
    """
    resolved: list[str] = []
    warnings: list[str] = []
    for written in names:
        name = written.strip().lower()
        if name not in known and RENAMED.get(name) in known:
            warnings.append(f"exchange '{name}' is called '{RENAMED[name]}' now; using that")
            name = RENAMED[name]
        if name not in known:
            raise ConfigurationError(f"--exchanges: {unknown_name(name, known)}")
        if name in resolved:
            raise ConfigurationError(f"--exchanges names {name} twice; name each exchange once")
        resolved.append(name)
    if not resolved:
        raise ConfigurationError(
            "--exchanges is empty; name at least one, as in --exchanges=kraken"
        )
    return tuple(resolved), tuple(warnings)


def unknown_name(name: str, known: Collection[str]) -> str:
    """What to say of a name that is no exchange."""
    hint = did_you_mean(name, [*known, *RENAMED], "see ccxt's list of exchanges for the ids")
    return f"{quoted(name)} is no exchange that ccxt knows; {hint}"
