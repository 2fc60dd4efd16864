"""Decimal digits of prices and volumes."""

from __future__ import annotations

from decimal import Decimal

MOST_DIGITS = 18
"""Of which an int64 holds at least one unit."""


def digits_of_precision(step: Decimal | float | str) -> int:
    """How many decimals the multiples of a market's step have: 0.25 -> 2, 1e-08 -> 8, 10 -> 0.

    Raises:
        ValueError: if the step is not a positive number.
    """
    decimal = Decimal(repr(step) if isinstance(step, float) else step)
    if not decimal.is_finite() or decimal <= 0:
        raise ValueError(f"a step of precision is a positive number, not {step}")
    exponent = decimal.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
