"""The wire formats of the simulated exchanges."""

from collections.abc import Mapping
from types import MappingProxyType

from exchange_simulator.dialects.base import Dialect
from exchange_simulator.dialects.binance import BINANCE, BINANCEUS
from exchange_simulator.dialects.bitfinex import BITFINEX
from exchange_simulator.dialects.bitstamp import BITSTAMP
from exchange_simulator.dialects.bybit import BYBIT
from exchange_simulator.dialects.coinbaseexchange import COINBASEEXCHANGE
from exchange_simulator.dialects.coingecko import COINGECKO
from exchange_simulator.dialects.cryptocom import CRYPTOCOM
from exchange_simulator.dialects.gate import GATE
from exchange_simulator.dialects.gemini import GEMINI
from exchange_simulator.dialects.htx import HTX
from exchange_simulator.dialects.kraken import KRAKEN
from exchange_simulator.dialects.kucoin import KUCOIN
from exchange_simulator.dialects.mexc import MEXC
from exchange_simulator.dialects.okx import OKX

__all__ = ["CCXT_DIALECTS", "DIALECTS", "Dialect"]

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.exchange: dialect
        for dialect in (
            BINANCE,
            BINANCEUS,
            COINBASEEXCHANGE,
            KRAKEN,
            BITSTAMP,
            CRYPTOCOM,
            HTX,
            KUCOIN,
            OKX,
            BYBIT,
            GATE,
            BITFINEX,
            MEXC,
            GEMINI,
            COINGECKO,
        )
    }
)
"""By ccxt exchange id, and coingecko, which ccxt does not know."""

CCXT_DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {exchange: dialect for exchange, dialect in DIALECTS.items() if dialect is not COINGECKO}
)
"""Those that ccxt speaks."""
