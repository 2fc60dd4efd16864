"""Selection of candles by interval."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.selection import candles_within


@given(
    st.lists(st.integers(0, 50), unique=True).map(sorted),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6).map(IntervalSet),
)
def test_exactly_the_candles_that_open_within_are_kept(
    times: list[int], intervals: IntervalSet
) -> None:
    candles = pl.DataFrame({"open_time_ms": times}, schema={"open_time_ms": pl.Int64})
    selected = candles_within(candles, intervals)
    assert selected.schema == candles.schema
    assert selected["open_time_ms"].to_list() == [t for t in times if intervals.contains(t)]
