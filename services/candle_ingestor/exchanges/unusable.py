"""Exchanges whose candles cannot be used, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.habits import ExchangeHabits, VolumeUnit, habits_of

_COUNTED_IN = {
    VolumeUnit.QUOTE: "in the quote currency",
    VolumeUnit.CONTRACTS: "in contracts",
}


def why_unusable(habits: ExchangeHabits) -> str | None:
    """What is wrong with the exchange's candles, as words that follow its name; None for nothing.

    A volume that is no base volume is wrong, since candles are merged by base volume (rule M3).
    """
    if habits.flaw is not None:
        return habits.flaw
    if not habits.has_base_volumes:
        unit = _COUNTED_IN[habits.volume_unit]
        return f"counts volume {unit}, and its rows do not carry the base volume that merging needs"
    return None


def refuse_unusable(exchanges: Iterable[str]) -> None:
    """Makes sure that the candles of the exchanges can be merged.

    Raises:
        ConfigurationError: if those of one cannot, with why and what to do.
    """
    for exchange in exchanges:
        why = why_unusable(habits_of(exchange, None))
        if why is not None:
            raise ConfigurationError(
                f"--exchanges: {exchange} {why}; leave {exchange} out "
                "(docs/exchanges.md tells what works)"
            )
