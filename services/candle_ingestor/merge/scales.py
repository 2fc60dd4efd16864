"""The powers of ten that floats are multiplied by, to become exact integers."""

from __future__ import annotations

EXACT_BELOW = 2.0**52
"""A float below it that stands for an integer count is that integer."""

POWERS_OF_TEN = [float(10**digits) for digits in range(23)]
"""Those that a float64 holds exactly."""

MOST_DIGITS = len(POWERS_OF_TEN) - 1

PRICE_BOUNDS = [EXACT_BELOW / POWERS_OF_TEN[digits] for digits in range(MOST_DIGITS, 0, -1)]
"""Ascending; a price may be multiplied by 10**(`MOST_DIGITS` - number of bounds below it)."""

VOLUME_BOUNDS = [bound / 8 for bound in PRICE_BOUNDS]
"""The same for volumes, so that their sum is a small integer as well."""

LARGEST_VOLUME = 1e20
"""Of a scaled volume, so that hundreds of them times prices below 2**52 add up within 128 bits."""
