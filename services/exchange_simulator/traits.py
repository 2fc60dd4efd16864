"""The synthetic market's figures: assets, exchanges, listings. Data, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

__all__ = [
    "ASSETS",
    "DEFAULT_SYMBOLS",
    "EXCHANGE_TRAITS",
    "AssetTraits",
    "ExchangeTraits",
    "asset_traits",
    "unit_hash",
]


@dataclass(frozen=True, slots=True)
class AssetTraits:
    """How a base asset trades; prices in USD, volume in base units a minute on a middling book."""

    price: float
    swing: float  # 1 moves over the years as bitcoin does, 0 not at all
    minute_volume: float
    idle_share: float  # of minutes without a trade on a middling book
    listed_ms: int
    price_digits: int


@dataclass(frozen=True, slots=True)
class ExchangeTraits:
    """How an exchange differs from the common market and from others."""

    bias_bps: float
    noise_bps: float
    volume_share: float
    idle_factor: float
    revision_ms: int  # how long after its close a candle's volume is still short
    amount_digits: int
    amount_digits_of: Mapping[str, int]
    price_digits_of: Mapping[str, int]
    unlisted_quotes: frozenset[str]


_2020_01_01 = 1_577_836_800_000
_2020_07_01 = 1_593_561_600_000
_2021_01_01 = 1_609_459_200_000
_2021_07_01 = 1_625_097_600_000

ASSETS: Mapping[str, AssetTraits] = MappingProxyType(
    {
        "BTC": AssetTraits(40_000, 1.0, 4.0, 0.004, _2020_01_01, 2),
        "ETH": AssetTraits(2_500, 1.1, 40.0, 0.01, _2020_07_01, 2),
        "SOL": AssetTraits(120, 1.3, 400.0, 0.05, _2021_07_01, 2),
        "USDT": AssetTraits(1, 0.0, 40_000.0, 0.01, _2020_01_01, 5),
        "USDC": AssetTraits(1, 0.0, 20_000.0, 0.02, _2020_01_01, 5),
    }
)

DEFAULT_SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD", "BTC/USDT", "ETH/USDT", "SOL/USDT")

_NO_USD = frozenset({"USD"})
_NO_USDT = frozenset({"USDT"})
_ALL_LISTED: frozenset[str] = frozenset()
_BINANCE_AMOUNTS = {"BTC": 5, "ETH": 4, "SOL": 3, "USDT": 0, "USDC": 0}

EXCHANGE_TRAITS: Mapping[str, ExchangeTraits] = MappingProxyType(
    {
        "binance": ExchangeTraits(0.0, 1.0, 12.0, 0.2, 0, 2, _BINANCE_AMOUNTS, {}, _NO_USD),
        "binanceus": ExchangeTraits(1.5, 3.0, 0.4, 6.0, 0, 2, _BINANCE_AMOUNTS, {}, _ALL_LISTED),
        "coinbaseexchange": ExchangeTraits(0.5, 1.5, 2.0, 1.0, 0, 8, {}, {}, _ALL_LISTED),
        "kraken": ExchangeTraits(-0.5, 2.0, 1.0, 2.0, 30_000, 8, {}, {"BTC": 1}, _ALL_LISTED),
        "bitstamp": ExchangeTraits(-1.0, 2.5, 0.5, 4.0, 0, 8, {}, {"BTC": 0, "ETH": 1}, _NO_USDT),
        "cryptocom": ExchangeTraits(1.0, 2.0, 0.8, 3.0, 0, 2, _BINANCE_AMOUNTS, {}, _ALL_LISTED),
        "htx": ExchangeTraits(-1.5, 2.0, 1.5, 1.5, 0, 6, {}, {}, _NO_USD),
        "kucoin": ExchangeTraits(0.8, 2.0, 0.9, 2.0, 0, 8, {}, {"BTC": 1}, _NO_USD),
        "okx": ExchangeTraits(0.3, 1.5, 3.0, 0.8, 0, 8, {}, {"BTC": 1}, _NO_USD),
        "bybit": ExchangeTraits(-0.3, 1.5, 2.5, 0.9, 0, 6, {}, {}, _NO_USD),
        "gate": ExchangeTraits(-0.8, 2.0, 1.5, 0.8, 0, 2, _BINANCE_AMOUNTS, {}, _NO_USD),
        "bitfinex": ExchangeTraits(0.8, 2.0, 0.7, 2.0, 0, 8, {}, {"BTC": 0, "ETH": 1}, _ALL_LISTED),
        "mexc": ExchangeTraits(-0.3, 2.5, 1.8, 0.5, 0, 2, _BINANCE_AMOUNTS, {}, _NO_USD),
        "gemini": ExchangeTraits(0.3, 2.0, 0.3, 1.0, 0, 8, {}, {}, _ALL_LISTED),
        "coingecko": ExchangeTraits(0.0, 0.5, 1.0, 0.0, 0, 8, {}, {}, _NO_USDT),
    }
)
"""In the order that outages and bad prints go round by."""


def asset_traits(base: str) -> AssetTraits:
    """The traits of a base asset; one that is not in the table gets some from its name."""
    known = ASSETS.get(base)
    if known is not None:
        return known
    price = 0.05 * 8.0 ** int(5 * unit_hash("price", base)) * (1 + unit_hash("cents", base))
    digits = 2 if price > 50 else 4 if price > 1 else 5
    return AssetTraits(price, 1.2, 40_000 / price, 0.05, _2021_01_01, digits)


def unit_hash(*parts: object) -> float:
    """A number in [0, 1) that is a pure function of its parts."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56
