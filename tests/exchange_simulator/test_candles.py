"""The arithmetic: aggregation, unfinished candles, number texts, the cache."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_simulator.cache import RowBudgetCache
from exchange_simulator.candles import Candle, Columns, aggregate, candle_as_of
from exchange_simulator.number_text import (
    NumberTexts,
    decimal_texts,
    fixed_texts,
    float_texts,
    padded_texts,
)

MINUTE_MS = 60_000

prices = st.integers(1, 10**12)


@st.composite
def candles(draw: st.DrawFn, open_ms: int = 0) -> Candle:
    low, first, close, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    if draw(st.booleans()):
        first, close = close, first
    return Candle(open_ms, first, high, low, close, draw(st.integers(0, 10**15)))


@given(
    st.lists(candles(), max_size=60),
    st.sampled_from([1, 5, 15, 60]),
    st.integers(0, 10**6),
    st.data(),
)
def test_aggregation_is_open_high_low_close_and_sum_of_each_bucket(
    parts: list[Candle], minutes: int, first_minute: int, data: st.DataObject
) -> None:
    offsets = data.draw(
        st.lists(st.integers(0, 500), unique=True, min_size=len(parts), max_size=len(parts))
    )
    series = [
        part._replace(open_ms=(first_minute + offset) * MINUTE_MS)
        for part, offset in zip(parts, sorted(offsets), strict=True)
    ]
    step_ms = minutes * MINUTE_MS
    merged = aggregate(Columns.of(series), step_ms)
    expected = []
    for open_ms in sorted({part.open_ms - part.open_ms % step_ms for part in series}):
        bucket = [part for part in series if open_ms <= part.open_ms < open_ms + step_ms]
        expected.append(
            Candle(
                open_ms,
                bucket[0].open,
                max(part.high for part in bucket),
                min(part.low for part in bucket),
                bucket[-1].close,
                sum(part.volume for part in bucket),
            )
        )
    assert list(merged.between(-1, 10**15)) == expected


@given(candles(), st.integers(0, MINUTE_MS - 1), st.sampled_from([1, 100]))
def test_an_unfinished_candle_lies_within_the_final_one(
    final: Candle, elapsed_ms: int, quantum: int
) -> None:
    seen = candle_as_of(final, MINUTE_MS, elapsed_ms, price_quantum=quantum, volume_quantum=quantum)
    assert seen.open == final.open
    assert seen.low <= min(seen.open, seen.close) <= max(seen.open, seen.close) <= seen.high
    assert final.low - quantum < seen.low
    assert seen.high <= final.high
    assert 0 <= seen.volume <= final.volume
    assert seen.volume > 0 or seen.open == seen.high == seen.low == seen.close


@given(candles(), st.integers(MINUTE_MS, 3 * MINUTE_MS))
def test_a_closed_candle_is_final_but_for_its_revision(final: Candle, elapsed_ms: int) -> None:
    assert candle_as_of(final, MINUTE_MS, elapsed_ms) == final
    seen = candle_as_of(final, MINUTE_MS, elapsed_ms, revision_ms=30_000)
    if elapsed_ms >= 90_000 or final.volume <= 1:
        assert seen == final
    else:
        assert seen._replace(volume=final.volume) == final
        assert 0.96 * final.volume - 1 <= seen.volume < final.volume


@pytest.mark.parametrize("texts", [fixed_texts, padded_texts, float_texts, decimal_texts])
@given(values=st.lists(st.integers(0, 10**19), min_size=1, max_size=5), digits=st.integers(0, 8))
def test_number_texts_are_exact(texts: NumberTexts, values: list[int], digits: int) -> None:
    written = texts(values, digits)
    assert [Decimal(text).scaleb(digits) for text in written] == values


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        (fixed_texts, ["0.00006", "1.50000", "23.00000"]),
        (padded_texts, ["0.00006000", "1.50000000", "23.00000000"]),
        (float_texts, ["6e-05", "1.5", "23.0"]),
        (decimal_texts, ["0.00006", "1.5", "23"]),
    ],
)
def test_each_exchange_writes_numbers_in_its_way(texts: NumberTexts, written: list[str]) -> None:
    assert texts([6, 150_000, 2_300_000], 5) == written


def test_the_cache_keeps_the_blocks_used_last_within_its_rows() -> None:
    cache: RowBudgetCache[list[int]] = RowBudgetCache(10)
    made: list[str] = []

    def block(name: str, rows: int) -> None:
        def make() -> list[int]:
            made.append(name)
            return [0] * rows

        cache.get_or_make(name, make)

    for name in ("a", "b", "a", "c", "a", "b"):
        block(name, 4)
    assert made == ["a", "b", "c", "b"]
    assert cache.rows == 8
    block("large", 25)
    assert cache.rows == 25
    block("empty", 0)
    assert cache.rows == 1
