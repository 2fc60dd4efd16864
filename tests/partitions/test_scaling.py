"""Exact scaling against the decimal module (rule E2)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from candle_ingestor.model.decimals import digits_of_precision
from candle_ingestor.partitions.scaling import ScalingError, scale

INT64 = range(-(2**63), 2**63)


def exactly_scaled(value: float, digits: int) -> int:
    with localcontext() as context:
        context.prec = 400
        return int((Decimal(repr(value)) * 10**digits).to_integral_value(ROUND_HALF_UP))


near_ties = st.builds(
    lambda whole, digits: float(Decimal(whole * 10 + 5).scaleb(-digits - 1)),
    st.integers(-(10**16), 10**16),
    st.integers(0, 18),
)
decimals = st.builds(
    lambda whole, digits: float(Decimal(whole).scaleb(-digits)),
    st.integers(-(10**17), 10**17),
    st.integers(0, 20),
)
numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), near_ties, decimals)


prices = st.lists(st.one_of(st.floats(0, 1e6), near_ties.map(abs)), min_size=1, max_size=4)
quoted = st.lists(st.integers(0, 10**8).map(lambda cents: cents / 100), min_size=1, max_size=20)


@given(st.one_of(st.lists(numbers, min_size=1, max_size=20), prices, quoted), st.integers(0, 18))
@example([0.49999999999999994], 0)
@example([2251799813685247.75], 0)
@example([23143.714999999997], 2)
@example([0.0, -0.0, 5e-324], 2)
@example([0.49999999999999994, 0.5, 1.5, 2.5, -0.5], 0)
@example([23143.714999999997, 23143.715], 2)
@example([4503599627370497.5, 9007199254740993.0, 9.2e18], 0)
@example([92233720368.54774, -92233720368.54776], 8)
@example([5e-324, -0.0, 1.7976931348623157e308], 18)
def test_scaling_is_exact_for_the_decimal_text_or_refused(values: list[float], digits: int) -> None:
    expected = [exactly_scaled(value, digits) for value in values]
    too_large = [i for i, scaled in enumerate(expected) if scaled not in INT64]
    series = pl.Series("close", values, dtype=pl.Float64)
    if too_large:
        with pytest.raises(ScalingError) as caught:
            scale(series, digits)
        assert caught.value.index == too_large[0]
        assert caught.value.value == values[too_large[0]]
        assert caught.value.digits == digits
    else:
        scaled = scale(series, digits)
        assert scaled.dtype == pl.Int64
        assert scaled.name == "close"
        assert scaled.to_list() == expected


def test_ties_are_rounded_half_away_from_zero() -> None:
    values = pl.Series([1.005, -1.005, 2.675, 0.125, 0.135, 1.0049999])
    assert scale(values, 2).to_list() == [101, -101, 268, 13, 14, 100]


def test_nothing_scales_to_nothing() -> None:
    assert scale(pl.Series([], dtype=pl.Float64), 8).to_list() == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_what_is_no_number_is_refused_with_its_position(value: float | None) -> None:
    with pytest.raises(ScalingError, match=r"index 1 .* with 8 digits") as caught:
        scale(pl.Series([1.0, value, 1e300], dtype=pl.Float64), 8)
    assert caught.value.index == 1


@pytest.mark.parametrize("digits", [-1, 19])
def test_digits_an_int64_cannot_hold_are_refused(digits: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 18"):
        scale(pl.Series([1.0]), digits)


@given(st.integers(1, 10**12), st.integers(0, 12))
def test_multiples_of_a_step_scale_to_whole_numbers(units: int, digits: int) -> None:
    step = Decimal(1).scaleb(-digits)
    value = float(units * step)
    assert Decimal(scale(pl.Series([value]), digits_of_precision(step))[0]) == units
