"""Timeframes and their grid."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.timeframe import Timeframe

WEEK = Timeframe(7 * 1440)
timeframes = (st.integers(1, 1440) | st.just(WEEK.minutes)).map(Timeframe)
times_ms = st.integers(0, 4_000_000_000_000)


def is_on_grid(time_ms: int, timeframe: Timeframe) -> bool:
    """Whether it is so many candles after midnight, of a Monday if they are weeks."""
    midnight = (
        datetime(1970, 1, 5, tzinfo=UTC) if timeframe == WEEK else datetime(1970, 1, 1, tzinfo=UTC)
    )
    return (time_ms - int(midnight.timestamp() * 1000)) % timeframe.duration_ms == 0


@given(timeframes)
def test_text_and_timeframe_are_the_same(timeframe: Timeframe) -> None:
    assert Timeframe.parse(str(timeframe)) == timeframe


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("1m", 1), ("90m", 90), ("60m", 60), ("4h", 240), ("24h", 1440), ("1d", 1440), ("1w", 10080)],
)
def test_usual_texts_are_read(text: str, minutes: int) -> None:
    assert Timeframe.parse(text).minutes == minutes


@pytest.mark.parametrize(
    ("minutes", "text"), [(1, "1m"), (60, "1h"), (90, "90m"), (1440, "1d"), (10080, "1w")]
)
def test_the_largest_unit_that_fits_is_written(minutes: int, text: str) -> None:
    assert str(Timeframe(minutes)) == text


@pytest.mark.parametrize(
    "text", ["", "m", "1", "0m", "1441m", "2d", "2w", "1M", "1s", "-1m", "1.5h", " 1m"]
)
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="timeframe"):
        Timeframe.parse(text)


@given(timeframes, times_ms)
def test_a_time_lies_between_the_grid_points_around_it(timeframe: Timeframe, time_ms: int) -> None:
    floor_ms, ceil_ms = timeframe.floor_ms(time_ms), timeframe.ceil_ms(time_ms)
    assert is_on_grid(floor_ms, timeframe)
    assert is_on_grid(ceil_ms, timeframe)
    assert floor_ms <= time_ms <= ceil_ms
    assert ceil_ms - floor_ms == (0 if floor_ms == time_ms else timeframe.duration_ms)


@given(timeframes, times_ms, st.floats(0, 3600))
def test_a_candle_is_closed_once_it_has_ended_and_settled(
    timeframe: Timeframe, now_ms: int, settle_seconds: float
) -> None:
    end_ms = timeframe.closed_end_ms(now_ms, settle_seconds)
    settle_ms = round(settle_seconds * 1000)
    assert is_on_grid(end_ms, timeframe)
    assert end_ms + settle_ms <= now_ms < end_ms + timeframe.duration_ms + settle_ms


@given(timeframes, timeframes, times_ms)
def test_a_timeframe_divides_another_where_all_of_its_candles_begin_with_one(
    finer: Timeframe, coarser: Timeframe, time_ms: int
) -> None:
    first_ms = coarser.ceil_ms(time_ms)
    opens_ms = [first_ms + n * coarser.duration_ms for n in range(finer.minutes + 1)]
    begins = all(finer.floor_ms(open_ms) == open_ms for open_ms in opens_ms)
    assert finer.divides(coarser) == (begins and finer.minutes < coarser.minutes)


def test_weeks_are_made_of_days_and_of_what_divides_a_day() -> None:
    assert Timeframe(1440).divides(WEEK)
    assert not Timeframe(7).divides(WEEK)
    assert not WEEK.divides(WEEK)
