"""The text form of times in partitions, the one of `iso_text`: `2024-01-15T00:00:00Z`."""

from __future__ import annotations

import re
from datetime import datetime

import polars as pl

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def parse_timestamp(text: str) -> int:
    """The UTC ms that a text names.

    Raises:
        ValueError: if it is not of this form.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError(f"'{text}' is not a time such as 2024-01-15T00:00:00Z")
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def timestamp_texts(times_ms: pl.Series) -> pl.Series:
    """The texts of times in UTC ms that are whole seconds."""
    return times_ms.cast(pl.Datetime("ms")).dt.strftime(_FORMAT)
