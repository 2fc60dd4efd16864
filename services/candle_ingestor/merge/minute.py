"""Merging of the candles of one minute, in integers of any size.

Every value of a kind is scaled by one power of ten to an integer. Where those integers are small
enough for columns, prices are rounded step by step as `by_column` rounds them, so that a minute
becomes the same floats either way. Elsewhere a result is rounded once, to the nearest float.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import compress
from operator import mul
from typing import NamedTuple

from candle_ingestor.merge.scales import (
    EXACT_BELOW,
    LARGEST_VOLUME,
    MOST_DIGITS,
    POWERS_OF_TEN,
    PRICE_BOUNDS,
    VOLUME_BOUNDS,
)
from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.merge_rules import HighLow

_PRICES = len(PRICE_COLUMNS)
_HIGH, _LOW = PRICE_COLUMNS.index("high"), PRICE_COLUMNS.index("low")


class MergedMinute(NamedTuple):
    """The open, high, low, close and volume of a minute, and how they came about.

    `kept` has one entry a candle given; `disagrees` says that some deviate and yet all stay.
    """

    values: tuple[float, ...]
    kept: tuple[bool, ...]
    disagrees: bool


class _Text(NamedTuple):
    """The decimal text of mantissa / 10**decimals."""

    mantissa: int
    decimals: int


class _Scaled(NamedTuple):
    """Each integer / 10**digits is a value."""

    integers: list[int]
    digits: int


def merge_minute(
    candles: Sequence[Sequence[float]], allowed: Fraction, high_low: HighLow
) -> MergedMinute:
    """Merges the candles of one minute, one or more (rules M3 to M5).

    A candle is its open, high, low, close and volume. `allowed` is the deviation from the median
    as a share of it.
    """
    if len(candles) == 1:
        return MergedMinute(tuple(candles[0]), (True,), False)
    prices, volumes, fits_columns = _scaled(candles)
    by_name = [prices.integers[name::_PRICES] for name in range(_PRICES)]
    deviating = _deviating(by_name, allowed)
    all_stay = len(candles) < 3 or all(deviating)
    kept = tuple(all_stay or not deviates for deviates in deviating)
    by_name = [list(compress(integers, kept)) for integers in by_name]
    weights = list(compress(volumes.integers, kept))
    volume = sum(weights)
    if not volume:
        weights = [1] * len(weights)
    rounded = _rounded_as_columns if fits_columns else _nearest
    merged = [
        rounded(sum(map(mul, integers, weights)), sum(weights), prices.digits)
        for integers in by_name
    ]
    if high_low is HighLow.EXTREMES:
        merged[_HIGH] = _nearest(max(by_name[_HIGH]), 1, prices.digits)
        merged[_LOW] = _nearest(min(by_name[_LOW]), 1, prices.digits)
    merged.append(_nearest(volume, 1, volumes.digits))
    return MergedMinute(tuple(merged), kept, all_stay and any(deviating))


def _scaled(candles: Sequence[Sequence[float]]) -> tuple[_Scaled, _Scaled, bool]:
    prices = [price for candle in candles for price in candle[:_PRICES]]
    volumes = [candle[_PRICES] for candle in candles]
    scaled_prices = _by_float(prices, PRICE_BOUNDS)
    scaled_volumes = _by_float(volumes, VOLUME_BOUNDS) or _small_by_text(volumes)
    if scaled_prices and scaled_volumes:
        return scaled_prices, scaled_volumes, True
    return _by_text([*map(_text, prices)]), _by_text([*map(_text, volumes)]), False


def _by_float(values: Sequence[float], bounds: Sequence[float]) -> _Scaled | None:
    digits = MOST_DIGITS - bisect_left(bounds, max(values))
    scale = POWERS_OF_TEN[digits]
    integers = []
    for value in values:
        integer = round(value * scale)
        if integer >= EXACT_BELOW or integer / scale != value:
            return None
        integers.append(integer)
    return _Scaled(integers, digits)


def _small_by_text(volumes: Sequence[float]) -> _Scaled | None:
    texts = [_text(volume) for volume in volumes]
    scaled = _by_text(texts)
    for mantissa, decimals in texts:
        shift = min(scaled.digits - decimals, MOST_DIGITS)
        if mantissa and mantissa * POWERS_OF_TEN[shift] >= LARGEST_VOLUME:
            return None
    return scaled


def _by_text(texts: Sequence[_Text]) -> _Scaled:
    digits = max([0, *(text.decimals for text in texts if text.mantissa)])
    integers = [text.mantissa * 10 ** max(digits - text.decimals, 0) for text in texts]
    return _Scaled(integers, digits)


def _text(value: float) -> _Text:
    number, _, exponent = repr(value).partition("e")
    whole, _, fraction = number.partition(".")
    return _Text(int(whole + fraction), len(fraction) - int(exponent or 0))


def _deviating(by_name: Sequence[Sequence[int]], allowed: Fraction) -> list[bool]:
    share, whole = allowed.numerator, allowed.denominator
    deviating = [False] * len(by_name[0])
    for integers in by_name:
        ascending = sorted(integers)
        lowest, highest = ascending[0], ascending[-1]
        if (highest - lowest) * whole <= lowest * share:
            # No price lies farther from a median than from the farthest other price.
            continue
        twice_the_median = ascending[(len(ascending) - 1) // 2] + ascending[len(ascending) // 2]
        for i, price in enumerate(integers):
            if abs(2 * price - twice_the_median) * whole > twice_the_median * share:
                deviating[i] = True
    return deviating


def _rounded_as_columns(weighted: int, total: int, digits: int) -> float:
    whole, rest = divmod(weighted, total)
    return (float(whole) + float(rest) / float(total)) / POWERS_OF_TEN[digits]


def _nearest(weighted: int, total: int, digits: int) -> float:
    # Python divides integers of any size to the nearest float.
    return weighted / (total * int(10**digits))
