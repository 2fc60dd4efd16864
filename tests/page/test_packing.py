"""What is packed is what a browser unpacks: undone here as the page's scripts undo it."""

import base64
import gzip
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.page.bars import bar_columns
from candle_ingestor.page.content import Bars
from candle_ingestor.page.packing import (
    bar_columns_packed,
    packed,
    shown_digits,
    shown_volume_digits,
)

MINUTE_MS = 60_000
LARGEST = (1 << 31) - 2

numbers = st.none() | st.integers(-LARGEST, LARGEST)


def unpacked(text: str, rows: int) -> list[list[Any]]:
    content = gzip.decompress(base64.b85decode(text.translate(str.maketrans(",./", "<>&"))))
    columns = []
    for start in range(0, len(content), 4 * rows):
        planes = [content[start + plane * rows : start + (plane + 1) * rows] for plane in range(4)]
        words = [
            sum(byte << 8 * i for i, byte in enumerate(bytes_))
            for bytes_ in zip(*planes, strict=True)
        ]
        columns.append(
            [
                None if word == 0xFFFFFFFF else -(word + 1) // 2 if word % 2 else word // 2
                for word in words
            ]
        )
    return columns


@given(
    st.integers(1, 20).flatmap(
        lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=4)
    )
)
def test_numbers_come_back_as_they_were(columns: list[list[int | None]]) -> None:
    text = packed([pl.Series(column, dtype=pl.Int64) for column in columns])
    assert unpacked(text, len(columns[0])) == columns


prices = st.integers(1, 10_000_000).map(lambda cents: cents / 100)


@st.composite
def bars(draw: st.DrawFn) -> pl.DataFrame:
    rows = []
    minutes = draw(st.lists(st.integers(0, 500), min_size=1, max_size=12, unique=True))
    for minute in sorted(minutes):
        values: list[float | None]
        source = draw(st.none() | prices)
        if draw(st.booleans()):
            open_, close = draw(prices), draw(prices)
            high = max(open_, close) + draw(prices)
            low = min(open_, close) / draw(st.sampled_from([1, 2, 4]))
            values = [open_, round(high, 2), round(low, 2), close, draw(prices)]
        else:
            values = [None] * 5
        rows.append((minute * MINUTE_MS, *values, draw(st.none() | st.floats(0, 99)), source))
    schema = dict.fromkeys(bar_columns(1), pl.Float64()) | {"open_time_ms": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


@given(bars())
def test_bars_come_back_with_the_digits_that_were_asked_for(table: pl.DataFrame) -> None:
    everything = Bars(MINUTE_MS, IntervalSet.of(0, 600 * MINUTE_MS), table)
    columns = unpacked(packed(bar_columns_packed(everything, 2, 2)), table.height)
    step, close, open_, high, low, volume, spread, source = columns
    index, before = table["open_time_ms"][0] // MINUTE_MS, 0
    for i, row in enumerate(table.rows()):
        index += step[i] or 0
        assert index * MINUTE_MS == row[0]
        here = None if close[i] is None else close[i] + before
        if here is not None:
            opened = open_[i] + before
            found = (
                opened,
                high[i] + max(opened, here),
                min(opened, here) - low[i],
                here,
                volume[i],
            )
            assert found == tuple(round(value * 100) for value in row[1:6])
            before = here
        assert (here is None) == (row[4] is None)
        assert spread[i] == (None if row[6] is None else round(row[6] * 10))
        assert (None if source[i] is None else source[i] + before) == (
            None if row[7] is None else round(row[7] * 100)
        )


@given(st.floats(1e-8, 1e9), st.none() | st.integers(0, 10), st.integers(4, 7))
def test_prices_keep_so_many_digits_and_no_more_than_there_are(
    highest: float, digits: int | None, in_all: int
) -> None:
    kept = shown_digits(highest, digits, in_all)
    assert digits is None or kept <= digits
    # In decimals: floats would round what lies just below a power of ten up to it.
    price = Decimal(repr(highest))
    assert price.scaleb(kept) < 10**in_all
    if digits is None:
        assert price.scaleb(kept + 1) >= 10 ** (in_all - 1)


def test_a_price_just_below_a_power_of_ten_keeps_the_digits_of_that_power() -> None:
    assert shown_digits(999_999_999.9999999, None, 4) == -5


def test_nothing_has_no_digits() -> None:
    assert shown_digits(None, 2, 7) == shown_volume_digits(None) == shown_volume_digits(0.0) == 0
