"""Sources that know closing prices only, and what they may not be mixed with. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.habits import PRICES_ONLY

ALLOW = "--allow_price_only_sources"


def price_only_of(exchanges: Iterable[str]) -> tuple[str, ...]:
    """Those of the exchanges that know no more of a candle than its close, in their order."""
    return tuple(exchange for exchange in exchanges if exchange in PRICES_ONLY)


def is_mixture(exchanges: Collection[str]) -> bool:
    """Whether closing prices and real candles would come together."""
    return 0 < len(price_only_of(exchanges)) < len(exchanges)


def refuse_mixture(exchanges: Collection[str]) -> None:
    """Makes sure that real candles are not merged with closing prices.

    Raises:
        ConfigurationError: if they would be, with what to do.
    """
    if not is_mixture(exchanges):
        return
    poor = ", ".join(price_only_of(exchanges))
    rich = ", ".join(each for each in exchanges if each not in PRICES_ONLY)
    raise ConfigurationError(
        f"--exchanges: {poor} has closing prices only (open, high and low are the close, and there "
        f"is no volume), and is not merged with the candles of {rich}; run it apart with a "
        f"--sqlite_path and --data_root of its own, or allow it with {ALLOW}"
    )
