"""Numbers, times and lists as the reports write them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from candle_ingestor.model.times import iso_text

_MOST_NAMED = 5


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 minute`, `1,440 minutes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(value: float) -> str:
    """`12 %`, `1.2 %`; small ones with two digits that say something."""
    text = f"{value:,.1f}".removesuffix(".0") if value >= 1 or not value else f"{value:.2g}"
    return f"{text} %"


def share(part: int, whole: int) -> str:
    """The part in whole percent, rounded down, so that only all of it is `100 %`."""
    if 0 < 100 * part < whole:
        return "less than 1 %"
    return f"{100 * part // whole} %"


def minute_text(time_ms: int) -> str:
    """The time as `2023-03-11T07:02Z`."""
    return f"{iso_text(time_ms)[:16]}Z"


def some_of(words: Sequence[str], most: int = _MOST_NAMED) -> str:
    """The words in a row, of many the first and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more:,} more" if more > 0 else "")
