"""How long a server asks to be left alone, and how long it is: one arithmetic for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The seconds that a `Retry-After` header asks for; None without one that can be read.

    A date counts from the answer's own `Date`, so that no clock of this machine comes in.
    """
    text = _header(headers, "retry-after").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(_header(headers, "date"))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def wait_seconds(asked_seconds: float | None, backoff_seconds: float) -> float:
    """The wait before the next try: as long as the server asked for, else the backoff.

    A tenth of the backoff is added to what was asked for, so that not all come back at once.
    """
    return backoff_seconds if asked_seconds is None else asked_seconds + backoff_seconds / 10


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
