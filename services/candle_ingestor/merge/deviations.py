"""Which minutes deviate, whose prices they are, and by how much (rule M5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from candle_ingestor.model.candles import PRICE_COLUMNS

MOST_TOLD = 20
"""Of each kind, beside the worst."""


class Exclusion(NamedTuple):
    """A candle that was left out of its minute.

    `price` names the one of its prices that lies farthest from the median of that price, and
    `off_median_pct` says how far, in percent of the median: negative where it lies below.
    """

    open_time_ms: int
    exchange: str
    price: str
    off_median_pct: float

    @property
    def size_pct(self) -> float:
        return abs(self.off_median_pct)


class Disagreement(NamedTuple):
    """A minute whose candles all stay, though some deviate.

    `price` names the price that differs most: `highest` is the exchange that has it
    `above_pct` percent above that of `lowest`.
    """

    open_time_ms: int
    price: str
    highest: str
    lowest: str
    above_pct: float

    @property
    def size_pct(self) -> float:
        return self.above_pct


def exclusions_of(
    open_time_ms: int, candles: Mapping[str, Sequence[float]], left_out: Sequence[str]
) -> list[Exclusion]:
    """What to tell of a minute's candles that were left out; `candles` are all, by exchange.

    A candle begins with its open, high, low and close.
    """
    medians = [median(prices) for prices in _by_price(candles)]
    found = []
    for exchange in left_out:
        off = {
            name: 100 * (price / middle - 1)
            for name, price, middle in zip(PRICE_COLUMNS, candles[exchange], medians, strict=False)
        }
        farthest = max(off, key=lambda name: abs(off[name]))
        found.append(Exclusion(open_time_ms, exchange, farthest, off[farthest]))
    return found


def disagreement_of(open_time_ms: int, candles: Mapping[str, Sequence[float]]) -> Disagreement:
    """What to tell of a minute where some candles deviate and all stay."""
    exchanges = list(candles)
    widest = None
    for name, prices in zip(PRICE_COLUMNS, _by_price(candles), strict=True):
        lowest, highest = min(prices), max(prices)
        above_pct = 100 * (highest / lowest - 1)
        if widest is None or above_pct > widest.above_pct:
            widest = Disagreement(
                open_time_ms,
                name,
                exchanges[prices.index(highest)],
                exchanges[prices.index(lowest)],
                above_pct,
            )
    assert widest is not None
    return widest


def _by_price(candles: Mapping[str, Sequence[float]]) -> list[list[float]]:
    return [[candle[i] for candle in candles.values()] for i in range(len(PRICE_COLUMNS))]
