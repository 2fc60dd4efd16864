"""Texts of times, one by one and by the table of a month's minutes."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.model.times import iso_text
from candle_ingestor.partitions.timestamps import parse_timestamp, timestamp_texts

DAY_MS = 86_400_000
MINUTE_MS = 60_000
FIRST_MS = 1_709_164_800_000
"""29 February 2024."""


@settings(max_examples=25)
@given(
    start=st.integers(-3000, 3000),
    length=st.integers(0, 6000),
    missing=st.sets(st.integers(0, 6000), max_size=50),
    step_ms=st.sampled_from([1000, MINUTE_MS, 5 * MINUTE_MS]),
)
def test_times_in_bulk_have_the_texts_of_each(
    start: int, length: int, missing: set[int], step_ms: int
) -> None:
    times = [
        FIRST_MS + index * step_ms
        for index in range(start, start + length)
        if index - start not in missing
    ]
    texts = timestamp_texts(pl.Series(times, dtype=pl.Int64)).to_list()
    assert texts == [iso_text(time_ms) for time_ms in times]
    assert [parse_timestamp(text) for text in texts[:50]] == times[:50]


def test_a_time_off_the_minute_among_a_month_of_minutes_keeps_its_text() -> None:
    times = list(range(FIRST_MS, FIRST_MS + 2 * DAY_MS, MINUTE_MS))
    times[1500] += 30_000
    assert timestamp_texts(pl.Series(times))[1500] == "2024-03-01T01:00:30Z"


@pytest.mark.parametrize("text", ["2024-01-15", "2024-01-15 00:00:00Z", "2024-01-15T00:00:00", ""])
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as"):
        parse_timestamp(text)
