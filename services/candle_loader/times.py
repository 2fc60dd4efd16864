"""Times as UTC milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from candle_loader.errors import LoaderError

_TIMEFRAME = re.compile(r"([1-9]\d*)([mhd])", re.ASCII)
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000}


def to_ms(time: int | str) -> int:
    """The UTC ms of a time given as such, or as ISO text such as `2024-01-15` or
    `2024-01-15T00:00:00Z`; text without an offset is UTC.

    Raises:
        LoaderError: if it is neither.
    """
    if type(time) is int:
        return time
    try:
        parsed = datetime.fromisoformat(str(time))
    except ValueError as error:
        raise LoaderError(
            f"{time!r} is no time; give UTC milliseconds or text such as 2024-01-15T00:00:00Z"
        ) from error
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    since_epoch = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1000 + parsed.microsecond // 1000


def to_text(time_ms: int) -> str:
    """The ISO text of a time in UTC ms, to the second."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def month_start_ms(month: str) -> int:
    """The first midnight of a month such as `2023-03`."""
    return to_ms(f"{month}-01")


def following_month(month: str) -> str:
    """The month after one such as `2023-03`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def timeframe_ms(text: str) -> int:
    """The length of a candle such as `1m`, `90m` or `1d`.

    Raises:
        ValueError: if the text names none.
    """
    match = _TIMEFRAME.fullmatch(text)
    if match is None:
        raise ValueError(f"timeframe is {text!r}")
    return int(match[1]) * _UNITS_MS[match[2]]


def timeframe_text(length_ms: int) -> str:
    """The text of a length of whole minutes, in the largest unit that it is whole in: `1h`."""
    unit = next(unit for unit, unit_ms in _UNITS_MS.items() if length_ms % unit_ms == 0)
    return f"{length_ms // _UNITS_MS[unit]}{unit}"
