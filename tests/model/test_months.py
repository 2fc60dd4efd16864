"""Calendar months in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month, months_of

times_ms = st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1000)


def test_a_month_goes_from_midnight_to_midnight_utc() -> None:
    assert Month.parse("2024-02").interval == (
        datetime(2024, 2, 1, tzinfo=UTC).timestamp() * 1000,
        datetime(2024, 3, 1, tzinfo=UTC).timestamp() * 1000,
    )


@given(times_ms)
def test_a_time_lies_in_its_month(time_ms: int) -> None:
    month = Month.of(time_ms)
    assert month.interval.start_ms <= time_ms < month.interval.end_ms
    assert Month.parse(str(month)) == month
    assert month.following().interval.start_ms == month.interval.end_ms
    assert month < month.following()


@pytest.mark.parametrize(
    "text", ["2024-13", "2024-00", "2024-1", "24-01", "2024-01-01", "", "0000-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month such as 2023-03"):
        Month.parse(text)


@given(st.lists(st.tuples(times_ms, st.integers(1, 10**10)), max_size=5))
def test_months_of_intervals_are_those_with_a_point_in_them(spans: list[tuple[int, int]]) -> None:
    intervals = IntervalSet((start, start + length) for start, length in spans)
    months = months_of(intervals)
    assert months == sorted(set(months))
    assert all(intervals & IntervalSet([month.interval]) for month in months)
    covered = IntervalSet(month.interval for month in months)
    assert intervals - covered == EMPTY
