"""The algebra below the rules, against plain Python."""

from itertools import pairwise
from statistics import median

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.quality.findings import Found, joined
from candle_ingestor.quality.robust import middle_of, runs_of, smallest_change

NUMBERS = st.integers(-5, 5).map(float)
ROWS = st.lists(st.tuples(NUMBERS, *[st.none() | NUMBERS] * 4), min_size=1, max_size=8)
SERIES = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))


def column(rows: list[tuple[float | None, ...]], place: int) -> pl.Series:
    return pl.Series([row[place] for row in rows], dtype=pl.Float64)


@given(st.lists(st.sampled_from([True, False, None])), st.integers(0, 3), st.integers(1, 4))
def test_runs_hold_all_that_holds_but_short_ones(
    holds: list[bool | None], apart: int, least: int
) -> None:
    series = pl.Series(holds, dtype=pl.Boolean)

    everything = runs_of(series, apart=apart)

    told = {place for start, end in everything for place in range(start, end)}
    assert {place for place, each in enumerate(holds) if each} <= told
    for (_, end), (start, _) in pairwise(everything):
        assert start - end > apart
    for start, end in everything:
        assert holds[start]
        assert holds[end - 1]
    assert runs_of(series, least, apart) == [
        (start, end) for start, end in everything if end - start >= least
    ]


@given(ROWS, st.integers(1, 4))
def test_the_middle_is_the_median_or_the_nearer_of_two(
    rows: list[tuple[float | None, ...]], others: int
) -> None:
    columns = [column(rows, place) for place in range(1, others + 1)]

    found = middle_of(columns, column(rows, 0))

    for row, one in zip(rows, found, strict=True):
        there = sorted(value for value in row[1 : others + 1] if value is not None)
        own = row[0]
        assert own is not None
        if not there:
            assert one is None
        elif len(there) % 2:
            assert one == median(there)
        else:
            both = there[len(there) // 2 - 1 : len(there) // 2 + 1]
            assert one in both
            assert abs(own - one) == min(abs(own - each) for each in both)


@given(ROWS)
def test_a_change_is_the_smallest_of_those_that_go_the_same_way(
    rows: list[tuple[float | None, ...]],
) -> None:
    found = smallest_change([column(rows, place) for place in range(5)])

    for row, one in zip(rows, found, strict=True):
        there = [value for value in row if value is not None]
        if len(there) < len(row):
            assert one is None
        elif all(value > 0 for value in there) or all(value < 0 for value in there):
            assert one == min(there, key=abs)
        else:
            assert one == 0


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10), NUMBERS), max_size=8),
    st.integers(0, 5),
)
def test_joined_findings_cover_what_they_are_made_of_and_lie_apart(
    spans: list[tuple[int, int, float]], apart: int
) -> None:
    found = [
        Found(QualityRule.PRICE_OFFSET, SERIES, Interval(start, start + length), value, 1.0)
        for start, length, value in spans
    ]

    one_each = joined(found, apart)

    for part in found:
        assert any(
            one.interval.start_ms <= part.interval.start_ms
            and part.interval.end_ms <= one.interval.end_ms
            and abs(part.value) <= abs(one.value)
            for one in one_each
        )
    for before, after in pairwise(one_each):
        assert after.interval.start_ms - before.interval.end_ms > apart
