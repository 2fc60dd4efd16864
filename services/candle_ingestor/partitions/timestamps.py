"""The text form of times in partitions, the one of `iso_text`: `2024-01-15T00:00:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import polars as pl

from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, MINUTES_PER_DAY

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_FEWEST_FOR_TABLE = MINUTES_PER_DAY


def parse_timestamp(text: str) -> int:
    """The UTC ms that a text names.

    Raises:
        ValueError: if it is not of this form.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError(f"'{text}' is not a time such as 2024-01-15T00:00:00Z")
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def timestamp_texts(times_ms: pl.Series) -> pl.Series:
    """The texts of ascending times in UTC ms that are whole seconds."""
    if len(times_ms) >= _FEWEST_FOR_TABLE:
        first_day, last_day = times_ms[0] // DAY_MS, times_ms[-1] // DAY_MS
        minutes = (last_day - first_day + 1) * MINUTES_PER_DAY
        if 2 * len(times_ms) >= minutes and not (times_ms % MINUTE_MS != 0).any():
            return _from_table(times_ms, first_day, last_day)
    return times_ms.cast(pl.Datetime("ms")).dt.strftime(_FORMAT)


def _from_table(times_ms: pl.Series, first_day: int, last_day: int) -> pl.Series:
    texts = _texts_of_minutes(first_day, last_day)
    start_ms = first_day * DAY_MS
    first = (times_ms[0] - start_ms) // MINUTE_MS
    last = (times_ms[-1] - start_ms) // MINUTE_MS
    if last - first + 1 == len(times_ms):
        return texts.slice(first, len(times_ms))
    return texts.gather((times_ms - start_ms) // MINUTE_MS)


@lru_cache(maxsize=2)
def _texts_of_minutes(first_day: int, last_day: int) -> pl.Series:
    """Of every minute from the first to the last day, days counted from the epoch."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    days = [f"{epoch + timedelta(day):%Y-%m-%dT}" for day in range(first_day, last_day + 1)]
    minutes = [f"{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(MINUTES_PER_DAY)]
    table = pl.DataFrame({"day": days}).join(pl.DataFrame({"minute": minutes}), how="cross")
    return table.select(pl.concat_str("day", "minute")).to_series()
