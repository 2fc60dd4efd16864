"""Rule M8, against a slow reference that judges row by row."""

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.ingest.sources.sift import SiftedRows, sift
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.timeframe import Timeframe

START_MS = 1_700_000_040_000
MINUTE_MS = 60_000
MINUTE = Timeframe(1)
GOOD = (10.0, 12.0, 9.0, 11.0, 5.0)

Row = tuple[Any, ...]


def at(minute: int, *values: Any) -> Row:
    return (START_MS + minute * MINUTE_MS, *(values or GOOD))


def sifted(*rows: Row, timeframe: Timeframe = MINUTE) -> SiftedRows:
    return sift(RawRows.from_rows(rows, [list(row) for row in rows]), timeframe)


def minutes(*numbers: int) -> IntervalSet:
    return IntervalSet(
        (START_MS + number * MINUTE_MS, START_MS + (number + 1) * MINUTE_MS) for number in numbers
    )


def is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def is_candle(row: Row, duration_ms: int) -> bool:
    if not all(map(is_number, row)) or row[0] % duration_ms:
        return False
    _, first, high, low, close, volume = row
    if min(first, high, low, close) <= 0 or volume < 0:
        return False
    return low <= first <= high and low <= close <= high


def reference(rows: list[Row], duration_ms: int) -> tuple[list[Row], list[int]]:
    """The candles, ascending, and the indices of rejected rows."""
    by_minute: dict[int | None, list[int]] = {}
    for index, row in enumerate(rows):
        minute = None if row[0] is None else row[0] // duration_ms
        by_minute.setdefault(minute, []).append(index)
    candles, rejected = [], []
    for minute, indices in by_minute.items():
        distinct = {rows[index] for index in indices}
        if minute is not None and len(distinct) == 1 and is_candle(rows[indices[0]], duration_ms):
            candles.append(rows[indices[0]])
        else:
            rejected += indices
    return sorted(candles), sorted(rejected)


FIELDS = st.one_of(
    st.sampled_from([1.0, 2.0, 3.0, 2.0, 2.0]),
    st.sampled_from([0.0, -0.0, -1.0, None, math.nan, math.inf, -math.inf, 5e-324, 1e308]),
)
ROWS = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 7).map(lambda minute: START_MS + minute * MINUTE_MS),
            st.sampled_from([None, START_MS + 1, START_MS + 30_000, START_MS + 5 * MINUTE_MS - 1]),
        ),
        *[FIELDS] * 5,
    )
    | st.integers(0, 7).map(at),
    max_size=14,
)


@settings(max_examples=400)
@given(ROWS)
def test_every_row_is_judged_as_the_reference_does(rows: list[Row]) -> None:
    got = sifted(*rows)

    candles, rejected = reference(rows, MINUTE_MS)
    assert got.candles.schema == EXCHANGE_CANDLES
    assert list(got.candles.iter_rows()) == candles
    raw = [tuple(row.raw) for row in got.rejected]
    assert Counter(map(repr, raw)) == Counter(repr(rows[index]) for index in rejected)
    times = {rows[index][0] for index in rejected}
    assert got.rejected_minutes == IntervalSet(
        (time // MINUTE_MS * MINUTE_MS, time // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        for time in times
        if time is not None
    )
    assert got.has_unplaceable == any(time is None or time % MINUTE_MS != 0 for time in times)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((10.0, 9.5, 9.0, 9.5, 1.0), "low <= open, close <= high"),
        ((9.5, 9.9, 9.0, 10.0, 1.0), "low <= open, close <= high"),
        ((8.0, 12.0, 9.0, 11.0, 1.0), "low <= open, close <= high"),
        ((10.0, 12.0, 9.0, 8.0, 1.0), "low <= open, close <= high"),
        ((10.0, 12.0, 0.0, 11.0, 1.0), "a price is not above 0"),
        ((-1.0, 12.0, -2.0, 11.0, 1.0), "a price is not above 0"),
        ((10.0, 12.0, 9.0, 11.0, -0.1), "the volume is negative"),
        ((10.0, 12.0, 9.0, 11.0, None), "a field is missing or no number"),
        ((None, 12.0, 9.0, 11.0, 1.0), "a field is missing or no number"),
        ((10.0, math.inf, 9.0, 11.0, 1.0), "a field is missing or no number"),
        ((10.0, 12.0, 9.0, math.nan, 1.0), "a field is missing or no number"),
    ],
)
def test_a_row_that_is_no_candle_is_rejected_with_its_cause(values: Row, why: str) -> None:
    got = sifted(at(0), at(1, *values), at(2))

    assert got.candles["open_time_ms"].to_list() == [at(0)[0], at(2)[0]]
    (rejected,) = got.rejected
    assert rejected.raw == list(at(1, *values))
    assert why in rejected.why
    assert got.rejected_minutes == minutes(1)
    assert not got.has_unplaceable


def test_flat_candles_without_volume_are_candles() -> None:
    row = at(0, 7.0, 7.0, 7.0, 7.0, 0.0)
    assert list(sifted(row).candles.iter_rows()) == [row]


def test_rows_that_agree_are_one_and_rows_that_differ_are_both_rejected() -> None:
    other = at(1, 10.0, 12.0, 9.0, 11.0, 6.0)

    got = sifted(at(0), at(0), at(1), other, at(2))

    assert list(got.candles.iter_rows()) == [at(0), at(2)]
    assert [row.raw for row in got.rejected] == [list(at(1)), list(other)]
    assert {row.why for row in got.rejected} == {"another row of this open time differs"}
    assert got.rejected_minutes == minutes(1)


def test_a_good_row_in_the_minute_of_a_row_off_the_grid_is_rejected_and_told() -> None:
    off_grid = (START_MS + MINUTE_MS + 30_000, *GOOD)

    got = sifted(at(0), at(1), off_grid, at(2))

    assert list(got.candles.iter_rows()) == [at(0), at(2)]
    assert [row.raw for row in got.rejected] == [list(at(1)), list(off_grid)]
    assert "off the grid" in got.rejected[0].why
    assert "off the 1m grid" in got.rejected[1].why
    assert got.has_unplaceable


def test_a_row_without_an_open_time_may_stand_for_any_minute() -> None:
    got = sifted(at(0), (None, *GOOD))

    assert list(got.candles.iter_rows()) == [at(0)]
    assert got.has_unplaceable
    assert not got.rejected_minutes


def test_the_grid_is_that_of_the_timeframe() -> None:
    hour = Timeframe(60)
    on_grid = (3_600_000 * 5, *GOOD)
    off_grid = (3_600_000 * 6 + MINUTE_MS, *GOOD)

    got = sifted(on_grid, off_grid, timeframe=hour)

    assert list(got.candles.iter_rows()) == [on_grid]
    assert got.rejected_minutes == IntervalSet.of(3_600_000 * 6, 3_600_000 * 7)


def test_an_empty_answer_has_neither_candles_nor_rejected_rows() -> None:
    got = sifted()

    assert got.candles.schema == EXCHANGE_CANDLES
    assert got.candles.is_empty()
    assert not got.rejected
    assert not got.has_unplaceable


def test_a_huge_shuffled_page_loses_nothing() -> None:
    rows = [at(minute, 10.0, 12.0 + minute, 9.0, 11.0, float(minute)) for minute in range(20_000)]
    rows[777] = at(777, 10.0, 9.0, 9.0, 11.0, 1.0)
    shuffled = random.Random(1).sample(rows, len(rows))

    got = sifted(*shuffled, *shuffled[:50])

    assert list(got.candles.iter_rows()) == [row for row in rows if row is not rows[777]]
    assert {tuple(row.raw) for row in got.rejected} == {rows[777]}


def test_a_descending_page_comes_out_ascending() -> None:
    got = sifted(at(2), at(1), at(0))

    assert list(got.candles.iter_rows()) == [at(0), at(1), at(2)]
