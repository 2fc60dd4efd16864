"""Merged candles computed exactly, by the rules M2 to M6 and nothing of the job's code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import median

_UNITS = 10**4
"""A hundredth of the finest price, and the finest volume: every value is a whole number of it."""

Values = tuple[float, ...]
"""Open, high, low, close, volume."""


@lru_cache(maxsize=1 << 16)
def merged_candle(
    candles: tuple[tuple[str, Values], ...], deviation_pct: float, high_low: str
) -> tuple[float | str | int, ...]:
    """The merged candle of one minute: its values, the names that take part, and their number.

    `candles` has those that exist, with their exchanges in flag order; one at least.
    """
    whole = [tuple(_units(value) for value in values) for _, values in candles]
    kept = _kept(whole, deviation_pct)
    taking_part = [whole[place] for place in kept]
    prices = [_weighted(taking_part, position) for position in range(4)]
    if high_low == "extremes":
        prices[1] = max(candle[1] for candle in taking_part) / _UNITS
        prices[2] = min(candle[2] for candle in taking_part) / _UNITS
    names = [candles[place][0] for place in kept]
    volume = sum(candle[4] for candle in taking_part) / _UNITS
    return (*prices, volume, ",".join(names), len(names))


def _units(value: float) -> int:
    units = round(value * _UNITS)
    assert units / _UNITS == value, f"{value!r} is no multiple of 1/{_UNITS}"
    return units


def _weighted(candles: Sequence[tuple[int, ...]], position: int) -> float:
    # A division of whole numbers is rounded once, to the nearest float.
    volume = sum(candle[4] for candle in candles)
    if not volume:
        return sum(candle[position] for candle in candles) / (_UNITS * len(candles))
    return sum(candle[position] * candle[4] for candle in candles) / (_UNITS * volume)


def _kept(candles: Sequence[tuple[int, ...]], deviation_pct: float) -> list[int]:
    """The places of those that rule M5 leaves in."""
    places = range(len(candles))
    if len(candles) < 3:
        return list(places)
    allowed = Fraction(str(deviation_pct)) / 100
    near = set(places)
    for position in range(4):
        middle = Fraction(median(Fraction(candle[position]) for candle in candles))
        near -= {
            place for place in places if abs(candles[place][position] - middle) > middle * allowed
        }
    return sorted(near) or list(places)
