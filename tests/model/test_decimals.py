"""The decimals of a market's steps."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candle_ingestor.model.decimals import digits_of_precision


@pytest.mark.parametrize(
    ("step", "digits"),
    [
        (1e-8, 8),
        (0.1, 1),
        (5e-05, 5),
        (0.25, 2),
        (1, 0),
        (1.0, 0),
        (10, 0),
        (2.5e22, 0),
        ("0.00100", 3),
        (Decimal("0.010"), 2),
    ],
)
def test_digits_of_a_market_s_step(step: Decimal | float | str, digits: int) -> None:
    assert digits_of_precision(step) == digits


@pytest.mark.parametrize("step", [0, -0.1, float("nan"), float("inf")])
def test_a_step_that_is_none_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match="a step of precision is a positive number"):
        digits_of_precision(step)
