"""Timeframes and their grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.timeframe import Timeframe

timeframes = st.integers(1, 1440).map(Timeframe)
times_ms = st.integers(0, 4_000_000_000_000)


@given(timeframes)
def test_text_and_timeframe_are_the_same(timeframe: Timeframe) -> None:
    assert Timeframe.parse(str(timeframe)) == timeframe


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("1m", 1), ("90m", 90), ("60m", 60), ("4h", 240), ("24h", 1440), ("1d", 1440)],
)
def test_usual_texts_are_read(text: str, minutes: int) -> None:
    assert Timeframe.parse(text).minutes == minutes


@pytest.mark.parametrize(("minutes", "text"), [(1, "1m"), (60, "1h"), (90, "90m"), (1440, "1d")])
def test_the_largest_unit_that_fits_is_written(minutes: int, text: str) -> None:
    assert str(Timeframe(minutes)) == text


@pytest.mark.parametrize(
    "text", ["", "m", "1", "0m", "1441m", "2d", "1M", "1s", "-1m", "1.5h", " 1m"]
)
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="timeframe"):
        Timeframe.parse(text)


@given(timeframes, times_ms)
def test_a_time_lies_between_the_grid_points_around_it(timeframe: Timeframe, time_ms: int) -> None:
    floor_ms, ceil_ms = timeframe.floor_ms(time_ms), timeframe.ceil_ms(time_ms)
    assert floor_ms % timeframe.duration_ms == ceil_ms % timeframe.duration_ms == 0
    assert floor_ms <= time_ms <= ceil_ms
    assert ceil_ms - floor_ms == (0 if floor_ms == time_ms else timeframe.duration_ms)


@given(timeframes, times_ms, st.floats(0, 3600))
def test_a_candle_is_closed_once_it_has_ended_and_settled(
    timeframe: Timeframe, now_ms: int, settle_seconds: float
) -> None:
    end_ms = timeframe.closed_end_ms(now_ms, settle_seconds)
    settle_ms = round(settle_seconds * 1000)
    assert end_ms % timeframe.duration_ms == 0
    assert end_ms + settle_ms <= now_ms < end_ms + timeframe.duration_ms + settle_ms
