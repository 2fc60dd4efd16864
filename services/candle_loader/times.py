"""Times as UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from candle_loader.errors import LoaderError


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
