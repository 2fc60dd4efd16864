"""UTC milliseconds as text, for the edges (rule T3)."""

from __future__ import annotations

from datetime import UTC, datetime

from candle_ingestor.model.timeframe import MINUTES_PER_DAY, MINUTES_PER_HOUR


def iso_text(time_ms: int) -> str:
    """The time as `2024-01-15T00:00:00Z`, to the second."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_text_if(time_ms: int | None) -> str | None:
    """The same; None stays None."""
    return None if time_ms is None else iso_text(time_ms)


def minute_text(time_ms: int) -> str:
    """The time as `2023-03-11T07:02Z`."""
    return f"{iso_text(time_ms)[:16]}Z"


def parse_time_ms(text: str) -> int:
    """The time that `2023-03-15T00:00:00Z`, another ISO 8601 text or a number of ms names.

    A text without a zone is UTC.

    Raises:
        ValueError: if it names none.
    """
    if text.isdecimal():
        return int(text)
    time = datetime.fromisoformat(text)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return round(time.timestamp() * 1000)


def minutes_words(minutes: int) -> str:
    """So many minutes as `5 min`, `3 h` or `12 d`."""
    if minutes < 2 * MINUTES_PER_HOUR:
        return f"{minutes} min"
    if minutes < 2 * MINUTES_PER_DAY:
        return f"{minutes // MINUTES_PER_HOUR} h"
    return f"{minutes // MINUTES_PER_DAY:,} d"
