"""The times that start and end dates name: absolute, or counted back from today in UTC. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Final

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import quoted

START_DATE_FLAG = "--backfill_start_date"
END_DATE_FLAG = "--backfill_end_date"

DAY_FORMS = (
    "YYYY-MM-DD, YYYY-MM-DDTHH:MM, today, yesterday, N_days_ago, N_weeks_ago, N_months_ago or "
    "N_years_ago"
)

_ABSOLUTE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:t([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?z?)?"
)
_RELATIVE = re.compile(r"([0-9]{1,6})_(day|week|month|year)s?_ago")
_DAYS_BEFORE_TODAY = {"today": 0, "yesterday": 1}
_EPOCH = date(1970, 1, 1)


class Skip(Enum):
    """The one answer of a start date that is no day."""

    SKIP = "skip"


SKIP: Final = Skip.SKIP
"""No backfill at all."""


class DayError(ValueError):
    """A text that names no day; the message quotes it and says why."""


@dataclass(frozen=True, slots=True)
class AbsoluteDay:
    """A day of the calendar, from 1970 on, or a time of it in UTC."""

    day: date
    time_of_day: time = time()

    def start_ms(self, now_ms: int) -> int:
        """The time in UTC ms, the first of the day if none was named, whatever now is."""
        start = datetime.combine(self.day, self.time_of_day, UTC)
        return round(start.timestamp()) * 1000

    def __str__(self) -> str:
        if self.time_of_day == time():
            return self.day.isoformat()
        return f"{self.day}T{self.time_of_day.isoformat().removesuffix(':00')}"


@dataclass(frozen=True, slots=True)
class RelativeDay:
    """A day counted back from today; months and years are those of the calendar.

    A day that the month gone back to does not have becomes its last: one month before
    March 31 is February 28, or 29. `name` is what it was called, if it has a name.
    """

    count: int
    unit: str
    name: str | None = None

    def start_ms(self, now_ms: int) -> int:
        """The first millisecond of the day in UTC.

        Raises:
            DayError: if the day lies before 1970.
        """
        try:
            day = self._before(datetime.fromtimestamp(now_ms // 1000, UTC).date())
        except (ValueError, OverflowError) as error:
            raise self._too_early() from error
        if day < _EPOCH:
            raise self._too_early()
        return AbsoluteDay(day).start_ms(now_ms)

    def _before(self, today: date) -> date:
        if self.unit == "day":
            return today - timedelta(days=self.count)
        if self.unit == "week":
            return today - timedelta(weeks=self.count)
        months_back = self.count * (12 if self.unit == "year" else 1)
        year, month_index = divmod(today.year * 12 + today.month - 1 - months_back, 12)
        _, last_day = monthrange(year, month_index + 1)
        return date(year, month_index + 1, min(today.day, last_day))

    def __str__(self) -> str:
        return self.name or f"{self.count}_{self.unit}{'' if self.count == 1 else 's'}_ago"

    def _too_early(self) -> DayError:
        return DayError(f"'{self}' lies before {_EPOCH}")


Day = AbsoluteDay | RelativeDay


def parse_day(text: str) -> Day:
    """The day that a text of one of DAY_FORMS names; `1_month_ago` is as good as `1_months_ago`.

    Raises:
        DayError: if it names none.
    """
    stripped = text.strip().lower()
    if stripped in _DAYS_BEFORE_TODAY:
        return RelativeDay(_DAYS_BEFORE_TODAY[stripped], "day", stripped)
    if match := _ABSOLUTE.fullmatch(stripped):
        year, month, day_of_month, *clock = (int(part or 0) for part in match.groups())
        hour, minute, second = clock
        try:
            day, time_of_day = date(year, month, day_of_month), time(hour, minute, second)
        except ValueError as error:
            raise DayError(f"{quoted(text)} is not in the calendar: {error}") from error
        if day < _EPOCH:
            raise DayError(f"{quoted(text)} lies before {_EPOCH}")
        return AbsoluteDay(day, time_of_day)
    if match := _RELATIVE.fullmatch(stripped):
        return RelativeDay(int(match[1]), match[2])
    raise DayError(f"{quoted(text)} is not of the form {DAY_FORMS}")


def parse_start_date(text: str) -> Day | Skip:
    """The day that `--backfill_start_date` names, or SKIP for `skip`.

    Raises:
        ConfigurationError: if it names no day.
    """
    if text.strip().lower() == SKIP.value:
        return SKIP
    try:
        return parse_day(text)
    except DayError as error:
        raise _bad_start(error) from error


def parse_end_date(text: str) -> Day:
    """The day that `--backfill_end_date` names: the first one left out.

    Raises:
        ConfigurationError: if it names no day.
    """
    try:
        return parse_day(text)
    except DayError as error:
        raise _bad_end(error) from error


def resolve_dates(start: Day | Skip, end: Day | None, now_ms: int) -> tuple[int | None, int | None]:
    """Start and excluded end in UTC ms at `now_ms`; None for no backfill and for no end.

    Raises:
        ConfigurationError: if a day lies before 1970, the start in the future, the end not after
            the start, or if there is an end and no start.
    """
    start_ms = None if start is SKIP else _start_ms(start, now_ms)
    if end is None:
        return start_ms, None
    try:
        end_ms = end.start_ms(now_ms)
    except DayError as error:
        raise _bad_end(error) from error
    if start_ms is None:
        raise ConfigurationError(
            f"{END_DATE_FLAG} needs a {START_DATE_FLAG} that is a day, not skip"
        )
    if end_ms <= start_ms:
        raise ConfigurationError(
            f"{END_DATE_FLAG}={end} is not after the start; the end day itself is left out"
        )
    return start_ms, end_ms


def _start_ms(day: Day, now_ms: int) -> int:
    try:
        start_ms = day.start_ms(now_ms)
    except DayError as error:
        raise _bad_start(error) from error
    if start_ms > now_ms:
        raise ConfigurationError(f"{START_DATE_FLAG}: '{day}' lies in the future")
    return start_ms


def _bad_start(error: DayError) -> ConfigurationError:
    return ConfigurationError(f"{START_DATE_FLAG}: {error}; or 'skip' for none")


def _bad_end(error: DayError) -> ConfigurationError:
    return ConfigurationError(f"{END_DATE_FLAG}: {error}")
