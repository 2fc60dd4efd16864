from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.symbols.start_date import (
    DAY_FORMS,
    SKIP,
    AbsoluteDay,
    DayError,
    RelativeDay,
    parse_day,
    parse_end_date,
    parse_start_date,
    resolve_dates,
)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def start_ms(text: str, now_ms: int) -> int | None:
    return resolve_dates(parse_start_date(text), None, now_ms)[0]


NOON = ms("2024-03-31T12:34:56")


@pytest.mark.parametrize(
    ("text", "now", "day"),
    [
        ("2023-03-01", "2024-03-31T12:34:56", "2023-03-01"),
        ("2024-02-29", "2024-03-31T12:34:56", "2024-02-29"),
        ("1970-01-01", "2024-03-31T12:34:56", "1970-01-01"),
        ("0_days_ago", "2024-03-31T12:34:56", "2024-03-31"),
        ("1_day_ago", "2024-03-31T00:00:00", "2024-03-30"),
        ("90_days_ago", "2024-03-31T23:59:59", "2024-01-01"),
        ("2_weeks_ago", "2024-03-31T12:34:56", "2024-03-17"),
        ("1_months_ago", "2024-03-31T12:34:56", "2024-02-29"),
        ("1_month_ago", "2023-03-31T12:34:56", "2023-02-28"),
        ("1_months_ago", "2024-01-15T12:34:56", "2023-12-15"),
        ("3_months_ago", "2024-03-31T12:34:56", "2023-12-31"),
        ("15_months_ago", "2024-03-31T12:34:56", "2022-12-31"),
        ("1_years_ago", "2024-02-29T12:34:56", "2023-02-28"),
        ("4_years_ago", "2024-02-29T12:34:56", "2020-02-29"),
        (" 1_Year_Ago ", "2024-02-28T12:34:56", "2023-02-28"),
        ("today", "2024-03-31T12:34:56", "2024-03-31"),
        ("Yesterday", "2024-03-01T00:00:00", "2024-02-29"),
        ("2023-03-01T06:30", "2024-03-31T12:34:56", "2023-03-01T06:30"),
        ("2023-03-01t06:30:15z", "2024-03-31T12:34:56", "2023-03-01T06:30:15"),
    ],
)
def test_each_form_names_a_day_or_a_time_in_utc(text: str, now: str, day: str) -> None:
    assert start_ms(text, ms(now)) == ms(day)
    assert parse_end_date(text).start_ms(ms(now)) == ms(day)


@pytest.mark.parametrize("text", ["skip", "SKIP", " skip\n"])
def test_skip_means_no_backfill(text: str) -> None:
    assert parse_start_date(text) is SKIP
    assert start_ms(text, NOON) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2023-3-1",
        "2023-03-01T00",
        "2023-03-01 00:00",
        "2023-03-01T00:00+01:00",
        "20230301",
        "-1_days_ago",
        "1.5_years_ago",
        "_days_ago",
        "1_days",
        "1_hours_ago",
        "1 days ago",
        "1_dayss_ago",
        "٣_days_ago",
        "9" * 5000 + "_days_ago",
    ],
    ids=lambda text: text[:20] or "nothing",
)
def test_any_other_text_is_an_error_that_lists_the_forms(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--backfill_start_date") as caught:
        parse_start_date(text)

    message = str(caught.value)
    for form in (*DAY_FORMS.replace(" or ", ", ").split(", "), "skip"):
        assert form in message
    assert len(message) < 250


@pytest.mark.parametrize(
    "text", ["2023-02-30", "2023-02-29", "2023-13-01", "2023-00-10", "2023-01-10T24:00"]
)
def test_a_day_outside_the_calendar_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{text}' is not in the calendar"):
        parse_start_date(text)


@pytest.mark.parametrize("text", ["1969-12-31", "55_years_ago", "999999_weeks_ago", "0001-01-01"])
def test_a_day_before_1970_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="before 1970-01-01"):
        start_ms(text, NOON)


def test_a_start_in_the_future_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="'2024-04-01' lies in the future"):
        start_ms("2024-04-01", NOON)


def test_an_end_may_lie_in_the_future_and_knows_no_skip() -> None:
    start, end = parse_start_date("2024-03-30"), parse_end_date("2024-04-01")
    assert resolve_dates(start, end, NOON) == (ms("2024-03-30"), ms("2024-04-01"))
    with pytest.raises(ConfigurationError, match="--backfill_end_date: 'skip' is not of the form"):
        parse_end_date("skip")


@pytest.mark.parametrize(
    "text",
    [
        *("2024-02-29", "2024-02-29T01:02", "2024-02-29T01:02:03", "today", "yesterday"),
        *("1_year_ago", "90_days_ago", "0_weeks_ago"),
    ],
)
def test_a_day_is_written_as_it_was_named(text: str) -> None:
    assert str(parse_day(text)) == text


def test_a_day_is_kept_as_it_was_named() -> None:
    assert parse_day("2023-03-01") == AbsoluteDay(date(2023, 3, 1))
    assert parse_day("2023-03-01T06:30") == AbsoluteDay(date(2023, 3, 1), time(6, 30))
    assert parse_day("2_weeks_ago") == RelativeDay(2, "week")
    with pytest.raises(DayError, match="'soon'"):
        parse_day("soon")


@given(st.dates(date(1975, 1, 1), date(2200, 12, 31)), st.integers(0, 48))
def test_going_back_by_months_keeps_the_day_or_takes_the_months_last(
    today: date, months: int
) -> None:
    now_ms = ms(today.isoformat())

    found = datetime.fromtimestamp(RelativeDay(months, "month").start_ms(now_ms) / 1000, UTC).date()

    assert (today.year * 12 + today.month) - (found.year * 12 + found.month) == months
    if found.day != today.day:
        assert found.day < today.day
        assert (found + timedelta(days=1)).day == 1
