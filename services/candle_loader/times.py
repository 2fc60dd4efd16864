"""Times as UTC milliseconds, and the grids that candles stand on."""

from __future__ import annotations

import operator
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from candle_loader.errors import LoaderError

Time = int | str | date
"""A time as a caller may give it; a `datetime` and a pandas `Timestamp` are dates too."""

_TIMEFRAME = re.compile(r"([1-9]\d*)([mhdw])", re.ASCII)
_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000}
_FIRST_MONDAY_MS = 4 * _UNITS_MS["d"]
_YEAR = re.compile(r"(?!0000)\d{4}", re.ASCII)
_MONTH = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_YEARS = range(1970, 10_000)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def start_to_ms(time: Time) -> int:
    """The first UTC ms of a time; of a month `2024-01` or a year `2024` its first midnight.

    A time between two milliseconds counts as the later one, so that a range that starts there
    holds no candle from before it.

    Args:
        time: UTC ms; a year, as a number or a text; text such as `2024-01`, `2024-01-15` or
            `2024-01-15T06:00:00Z`; a date, a datetime, a pandas Timestamp or a numpy datetime64.
            Without an offset or a time zone it is UTC.

    Raises:
        LoaderError: if it is none of these.
    """
    span = _span_of(time)
    return _instant_to_ms(time) if span is None else month_start_ms(span[0])


def end_to_ms(time: Time) -> int:
    """The same where a range ends: a month or a year ends with its last millisecond, so that
    `2024-01` is the first midnight of February. A date is its own midnight."""
    span = _span_of(time)
    return _instant_to_ms(time) if span is None else month_start_ms(following_month(span[1]))


def to_ms(text: str) -> int:
    """The UTC ms of an ISO text.

    Raises:
        LoaderError: if it is none.
    """
    return _instant_to_ms(text)


def _span_of(time: Time) -> tuple[str, str] | None:
    """The first and the last month of a time that names a month or a year."""
    if isinstance(time, int) and not isinstance(time, bool) and time in _YEARS:
        time = str(time)
    if not isinstance(time, str):
        return None
    if _YEAR.fullmatch(time):
        return f"{time}-01", f"{time}-12"
    return (time, time) if _MONTH.fullmatch(time) else None


def _instant_to_ms(time: Any) -> int:
    if isinstance(time, str | date):
        return _since_epoch_ms(time)
    if getattr(getattr(time, "dtype", None), "kind", None) == "M":
        return _since_epoch_ms(time.astype("datetime64[us]").item())
    if isinstance(time, bool):
        raise _no_time(time)
    try:
        return operator.index(time)
    except TypeError as error:
        raise _no_time(time) from error


def _since_epoch_ms(time: Any) -> int:
    try:
        moment = datetime.fromisoformat(time if isinstance(time, str) else time.isoformat())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return -((_EPOCH - moment) // _MILLISECOND)
    except (AttributeError, ValueError, OverflowError) as error:
        raise _no_time(time) from error


def _no_time(time: Any) -> LoaderError:
    return LoaderError(
        f"{time!r} is no time; give UTC milliseconds, a date or a datetime, or text such as 2024, "
        "2024-01, 2024-01-15 or 2024-01-15T00:00:00Z"
    )


def to_text(time_ms: int) -> str:
    """The ISO text of a time in UTC ms, to the second; ms where it is of no year that has one."""
    try:
        return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{time_ms} ms"


def month_start_ms(month: str) -> int:
    """The first midnight of a month such as `2023-03`."""
    return to_ms(f"{month}-01")


def month_of(time_ms: int) -> str:
    """The month such as `2023-03` that a time in UTC ms lies in."""
    return to_text(time_ms)[: len("2023-03")]


def following_month(month: str) -> str:
    """The month after one such as `2023-03`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def timeframe_ms(text: str) -> int:
    """The length of a candle such as `1m`, `90m`, `1d` or `1w`.

    Raises:
        ValueError: if the text names none from a minute to a day, nor a week.
    """
    match = _TIMEFRAME.fullmatch(text)
    length_ms = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if 0 < length_ms <= _UNITS_MS["d"] or length_ms == _UNITS_MS["w"]:
        return length_ms
    raise ValueError(f"timeframe is {text!r}")


def timeframe_text(length_ms: int) -> str:
    """The text of a length of whole minutes, in the largest unit that it is whole in: `1h`."""
    unit = next(unit for unit, unit_ms in _UNITS_MS.items() if length_ms % unit_ms == 0)
    return f"{length_ms // _UNITS_MS[unit]}{unit}"


def usual_timeframe(text: str) -> str:
    """The usual text of a timeframe: `1h` for `60m`.

    Raises:
        LoaderError: if the text names none.
    """
    try:
        return timeframe_text(timeframe_ms(text))
    except ValueError as error:
        raise LoaderError(f"{text!r} is no timeframe; write 1m, 5m, 1h, 1d or 1w") from error


def grid_offset_ms(length_ms: int) -> int:
    """The first open time since the Unix epoch: 0, but the first Monday for weeks."""
    return _FIRST_MONDAY_MS if length_ms == _UNITS_MS["w"] else 0


def floor_to_grid(time_ms: int, length_ms: int) -> int:
    """The latest open time at or before a time."""
    return time_ms - (time_ms - grid_offset_ms(length_ms)) % length_ms


def ceil_to_grid(time_ms: int, length_ms: int) -> int:
    """The earliest open time at or after a time."""
    return time_ms + (grid_offset_ms(length_ms) - time_ms) % length_ms
