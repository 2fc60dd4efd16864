"""Scaled integers as the number texts that exchanges send. All of it is exact."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

__all__ = ["NumberTexts", "decimal_texts", "fixed_texts", "float_texts", "padded_texts"]

NumberTexts: TypeAlias = Callable[[Sequence[int], int], list[str]]
"""`(scaled integers, digits)` to their texts."""

_FLOAT_EXACT_BELOW = 10**15  # a float64 holds any decimal of 15 significant digits


def fixed_texts(values: Sequence[int], digits: int) -> list[str]:
    """Always `digits` digits after the point: `(5, 3)` is `0.005`."""
    if digits == 0:
        return [str(value) for value in values]
    if not values or (max(values) < _FLOAT_EXACT_BELOW and min(values) >= 0):
        scale, template = 10**digits, f"%.{digits}f"
        return [template % (value / scale) for value in values]
    return [_fixed(value, digits) for value in values]


def padded_texts(values: Sequence[int], digits: int) -> list[str]:
    """Eight digits after the point, as Binance writes: `(5, 3)` is `0.00500000`."""
    if digits >= 8:
        return fixed_texts(values, digits)
    scale = 10 ** (8 - digits)
    return fixed_texts([value * scale for value in values], 8)


def float_texts(values: Sequence[int], digits: int) -> list[str]:
    """A float64's shortest text, small ones with an exponent: `(6, 5)` is `6e-05`."""
    if values and (max(values) >= _FLOAT_EXACT_BELOW or min(values) < 0):
        return decimal_texts(values, digits)
    scale = 10**digits
    return [repr(value / scale) for value in values]


def decimal_texts(values: Sequence[int], digits: int) -> list[str]:
    """As short as exact allows, without an exponent: `(500, 3)` is `0.5`."""
    if digits == 0:
        return [str(value) for value in values]
    return [_fixed(value, digits).rstrip("0").rstrip(".") for value in values]


def _fixed(value: int, digits: int) -> str:
    sign, text = ("-", str(-value)) if value < 0 else ("", str(value))
    text = text.zfill(digits + 1)
    return f"{sign}{text[:-digits]}.{text[-digits:]}"
