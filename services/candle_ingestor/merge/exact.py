"""Merging of single minutes in exact fractions, for the few that scaled integers cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from statistics import median
from typing import NamedTuple

from candle_ingestor.merge.rules import HighLow

_Values = tuple[Fraction, ...]
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)


class MergedMinute(NamedTuple):
    """The floats nearest to the exact result, and how it came about.

    `kept` has one entry a candle given; `disagrees` says that some deviate and yet all stay.
    """

    values: tuple[float, ...]
    kept: tuple[bool, ...]
    disagrees: bool


def merge_minute(
    candles: Sequence[Sequence[float]], allowed: Fraction, high_low: HighLow
) -> MergedMinute:
    """Merges the candles of one minute, one or more (rules M3 to M5).

    A candle is its open, high, low, close and volume. `allowed` is the deviation from the median
    as a share of it.
    """
    exact = [tuple(Fraction(Decimal(repr(value))) for value in candle) for candle in candles]
    deviating = _deviating(exact, allowed)
    all_stay = len(exact) < 3 or all(deviating)
    kept = tuple(all_stay or not deviates for deviates in deviating)
    taking_part = [candle for candle, stays in zip(exact, kept, strict=True) if stays]
    merged = [_weighted(taking_part, position) for position in (_OPEN, _HIGH, _LOW, _CLOSE)]
    if high_low is HighLow.EXTREMES:
        merged[_HIGH] = max(map(itemgetter(_HIGH), taking_part))
        merged[_LOW] = min(map(itemgetter(_LOW), taking_part))
    merged.append(sum(map(itemgetter(_VOLUME), taking_part), Fraction(0)))
    return MergedMinute(tuple(map(float, merged)), kept, all_stay and any(deviating))


def _deviating(candles: Sequence[_Values], allowed: Fraction) -> list[bool]:
    medians = [median(candle[name] for candle in candles) for name in range(_VOLUME)]
    return [
        any(
            abs(price - middle) > middle * allowed
            for price, middle in zip(candle, medians, strict=False)
        )
        for candle in candles
    ]


def _weighted(candles: Sequence[_Values], position: int) -> Fraction:
    volume = sum(map(itemgetter(_VOLUME), candles), Fraction(0))
    if not volume:
        return sum(map(itemgetter(position), candles), Fraction(0)) / len(candles)
    return sum((c[position] * c[_VOLUME] for c in candles), Fraction(0)) / volume
