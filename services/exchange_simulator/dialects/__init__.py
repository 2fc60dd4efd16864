"""The wire formats of the simulated exchanges."""

from collections.abc import Mapping
from types import MappingProxyType

from exchange_simulator.dialects.base import Dialect
from exchange_simulator.dialects.binance import BINANCE, BINANCEUS
from exchange_simulator.dialects.bitstamp import BITSTAMP
from exchange_simulator.dialects.coinbaseexchange import COINBASEEXCHANGE
from exchange_simulator.dialects.coingecko import COINGECKO
from exchange_simulator.dialects.cryptocom import CRYPTOCOM
from exchange_simulator.dialects.kraken import KRAKEN

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
            COINGECKO,
        )
    }
)
"""By ccxt exchange id, and coingecko, which ccxt does not know."""

CCXT_DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {exchange: dialect for exchange, dialect in DIALECTS.items() if dialect is not COINGECKO}
)
"""Those that ccxt speaks."""
