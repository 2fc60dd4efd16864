"""Daily rows of points: the last price of each UTC day."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.exchanges.coingecko.points import daily_rows
from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.ingest.sources.sift import sift
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, Timeframe

DAY = Timeframe(1440)
START_MS = 1_709_251_200_000  # 2024-03-01
END_MS = START_MS + 10 * DAY_MS


def at(day: int, hour: float = 0.0) -> int:
    return round(START_MS + (day - 1) * DAY_MS + hour * HOUR_MS)


def closes(points: list[Any]) -> dict[int, float | None]:
    rows = daily_rows({"prices": points}, START_MS, END_MS).frame
    return dict(zip(rows["open_time_ms"], rows["close"], strict=True))


def test_the_last_of_several_points_of_a_utc_day_is_the_close_whatever_their_order() -> None:
    points = [[at(2, 23.9), 7.5], [at(1, 0.1), 1.0], [at(1, 23.5), 2], [at(1, 12), 9.0]]

    rows = daily_rows({"prices": points}, START_MS, END_MS)

    assert rows.frame.rows() == [(at(1), 2.0, 2.0, 2.0, 2.0, 0.0), (at(2), 7.5, 7.5, 7.5, 7.5, 0.0)]
    assert rows.raw == [[at(1, 23.5), 2], [at(2, 23.9), 7.5]]


def test_a_point_of_midnight_closes_the_day_before_that_has_none_of_its_own() -> None:
    """Which is what CoinGecko answers for long ranges, and for years long past."""
    assert closes([[at(2), 5.0], [at(3), 6.0]]) == {at(1): 5.0, at(2): 6.0}
    assert closes([[at(1, 22), 4.0], [at(2), 5.0], [at(2, 1), 6.0]]) == {at(1): 4.0, at(2): 6.0}


def test_days_outside_of_what_is_asked_for_are_left_out() -> None:
    assert closes([[at(0, 12), 1.0], [at(1, 12), 2.0], [at(11, 12), 3.0]]) == {at(1): 2.0}


@pytest.mark.parametrize("price", [None, "5", True, [5], {}])
def test_a_last_price_that_is_none_is_a_row_without_prices(price: object) -> None:
    rows = daily_rows({"prices": [[at(1, 5), 4.0], [at(1, 6), price]]}, START_MS, END_MS)

    assert rows.frame.rows() == [(at(1), None, None, None, None, 0.0)]
    assert sift(rows, DAY).rejected[0].why == "a field is missing or no number"


@pytest.mark.parametrize("price", [0, -1.5, float("nan"), float("inf")])
def test_a_price_that_cannot_be_is_left_to_the_judge_of_rows(price: float) -> None:
    sifted = sift(daily_rows({"prices": [[at(1, 5), price]]}, START_MS, END_MS), DAY)

    assert sifted.candles.is_empty()
    assert len(sifted.rejected) == 1
    assert not sifted.has_unplaceable


@pytest.mark.parametrize(
    "point", [None, 5, [], [at(1)], [at(1), 2.0, 3], ["1", 2.0], [None, 2.0], [True, 1], [1.5, 1]]
)
def test_a_point_without_a_usable_time_may_stand_for_any_day(point: object) -> None:
    rows = daily_rows({"prices": [[at(1, 5), 4.0], point]}, START_MS, END_MS)

    sifted = sift(rows, DAY)
    assert sifted.has_unplaceable
    assert sifted.rejected[0].raw == point


def test_two_last_points_of_one_time_that_differ_are_no_close() -> None:
    twice = [[at(1, 5), 4.0], [at(1, 5), 4.0]]
    assert closes(twice) == {at(1): 4.0}
    rows = daily_rows({"prices": [*twice, [at(1, 5), 4.5]]}, START_MS, END_MS)
    assert sift(rows, DAY).candles.is_empty()


@pytest.mark.parametrize("answer", [None, [], {}, {"prices": None}, {"prices": {}}, "prices", 5])
def test_an_answer_without_a_list_of_points_is_malformed(answer: object) -> None:
    with pytest.raises(MalformedAnswerError, match="no list of prices"):
        daily_rows(answer, START_MS, END_MS)


@given(
    st.lists(
        st.tuples(
            st.integers(START_MS - 2 * DAY_MS, END_MS + 2 * DAY_MS),
            st.floats(0.01, 1e6),
        ),
        unique_by=lambda point: point[0],
        max_size=60,
    )
)
def test_any_points_give_the_last_price_of_each_day(points: list[tuple[int, float]]) -> None:
    expected: dict[int, float] = {}
    for time_ms, price in sorted(points):
        day = datetime.fromtimestamp(time_ms / 1000, UTC).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        day_ms = round(midnight.timestamp()) * 1000
        if time_ms == day_ms:
            expected.setdefault(day_ms - DAY_MS, price)
        else:
            expected[day_ms] = price
    within = {day_ms: price for day_ms, price in expected.items() if START_MS <= day_ms < END_MS}

    assert closes([list(point) for point in points]) == within
