"""Candles side by side, made coarser, and the time that each length is shown for."""

import polars as pl
import pytest

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from candle_ingestor.page.bars import coarser, side_by_side
from candle_ingestor.page.collecting import ChartCollector
from candle_ingestor.page.days import by_day
from candle_ingestor.page.levels import levels_of, near


def candles(*rows: tuple[float, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        [(int(minute) * MINUTE_MS, *values) for minute, *values in rows],
        schema=EXCHANGE_CANDLES,
        orient="row",
    )


def test_a_row_has_what_each_exchange_shows_and_how_far_they_are_apart() -> None:
    head = candles((0, 10, 12, 9, 11, 5), (3, 11, 11, 11, 11, 1))
    first = candles((0, 10, 12, 9, 11, 2), (1, 10, 10, 10, 10, 1))
    second = candles((0, 10, 12, 9, 11.11, 3), (2, 7, 7, 7, 7, 1))
    table = side_by_side(head, [first, second])
    assert table["open_time_ms"].to_list() == [0, MINUTE_MS, 2 * MINUTE_MS, 3 * MINUTE_MS]
    assert table["close"].to_list() == [11, None, None, 11]
    assert table["close.0"].to_list() == [11, 10, None, None]
    assert table["close.1"].to_list() == [11.11, None, 7, None]
    # 1 % of the lower, in hundredths of a percent; one exchange alone is not apart.
    assert table["spread_bp"].to_list() == [pytest.approx(100), None, None, None]


def test_a_longer_candle_is_made_of_those_that_open_in_it() -> None:
    head = candles((58, 10, 12, 9, 11, 5), (60, 11, 15, 8, 9, 1), (61, 9, 10, 7, 10, 2))
    source = candles((58, 1, 1, 1, 11, 5), (60, 1, 1, 1, 9.5, 1), (70, 1, 1, 1, 10.5, 2))
    found = coarser(side_by_side(head, [source, source]), HOUR_MS)
    first, second = found.rows()
    assert first == (0, 10, 12, 9, 11, 5, 0, 11, 11)
    # The exchange's last close is that of a minute which nothing is merged of.
    assert second == (HOUR_MS, 11, 15, 7, 10, 3, 0, 10.5, 10.5)


def test_an_hour_that_only_exchanges_have_has_no_candle_of_its_own() -> None:
    source = candles((5, 1, 1, 1, 11, 5))
    (row,) = coarser(side_by_side(candles(), [source, source]), HOUR_MS).rows()
    assert row == (0, None, None, None, None, None, 0, 11, 11)


def test_days_are_shown_for_all_of_the_time_and_minutes_for_the_newest_and_the_places() -> None:
    known = Interval(0, 400 * DAY_MS)
    gap = Interval(100 * DAY_MS, 100 * DAY_MS + HOUR_MS)
    levels = levels_of(Timeframe(1), known, lines=50)
    assert [level.length_ms // MINUTE_MS for level in levels] == [1, 15, 60, 1440]
    minutes, _, hours, days = levels
    assert days.spans == hours.spans == IntervalSet((known,))
    (newest,) = minutes.spans
    assert newest.end_ms == known.end_ms
    assert newest.duration_ms == 2 * DAY_MS
    head = Series.merged(Symbol("BTC", "USD"), Timeframe(1))
    (first,) = ChartCollector(head, [], levels).places(known, [gap])
    assert first == near(gap, MINUTE_MS)
    assert first.start_ms < gap.start_ms < gap.end_ms < first.end_ms


@pytest.mark.parametrize(
    ("minutes", "lengths"), [(60, [60, 1440]), (7, [7, 15, 60, 1440]), (1440, [1440])]
)
def test_no_length_is_shorter_than_the_candles(minutes: int, lengths: list[int]) -> None:
    levels = levels_of(Timeframe(minutes), Interval(0, 100 * DAY_MS), lines=1)
    assert [level.length_ms // MINUTE_MS for level in levels] == lengths


def test_the_more_series_a_page_has_the_less_of_each_it_shows_in_minutes() -> None:
    known = Interval(0, 400 * DAY_MS)
    shown = [levels_of(Timeframe(1), known, lines)[0].spans.duration_ms for lines in (5, 50, 250)]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > shown[2]


def test_a_long_place_is_shown_where_it_begins() -> None:
    found = near(Interval(10 * DAY_MS, 300 * DAY_MS), MINUTE_MS)
    assert found.start_ms < 10 * DAY_MS
    assert found.duration_ms < 4 * HOUR_MS


def test_time_is_counted_by_the_day_that_it_lies_in() -> None:
    spans = IntervalSet([(DAY_MS - 60_000, 2 * DAY_MS + 5), (3 * DAY_MS, 3 * DAY_MS + 7)])
    assert by_day(spans) == {0: 60_000, DAY_MS: DAY_MS, 2 * DAY_MS: 5, 3 * DAY_MS: 7}
