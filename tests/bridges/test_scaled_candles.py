"""Scaled integers as the floats and texts that tools read: exact for every int64."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.bridges.scaled_candles import as_decimal_texts, as_floats

VALUES = st.lists(st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 10**16)), max_size=20)
DIGITS = st.integers(0, 18)


@given(values=VALUES, digits=DIGITS)
def test_a_float_is_the_one_nearest_to_the_decimal(values: list[int], digits: int) -> None:
    floats = as_floats(pl.Series(values, dtype=pl.Int64), digits)
    assert floats.to_list() == [float(Decimal(value).scaleb(-digits)) for value in values]


@given(values=VALUES, digits=DIGITS)
def test_a_text_is_the_decimal_and_has_neither_exponent_nor_needless_zeros(
    values: list[int], digits: int
) -> None:
    texts = as_decimal_texts(pl.Series(values, dtype=pl.Int64), digits).to_list()
    assert [Decimal(text).scaleb(digits) for text in texts] == values
    for text in texts:
        assert "e" not in text.lower()
        whole, point, fraction = text.partition(".")
        assert whole == "0" or not whole.startswith("0")
        assert bool(point) == bool(fraction)
        assert not fraction.endswith("0")
