"""Reads that meet a write half-way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_TRIES = 5
_WAIT_SECONDS = 0.05
_Answer = TypeVar("_Answer")


class TornReadError(ValueError):
    """What was read does not fit together: it was being written just then, or it is damaged."""


def read_untorn(read: Callable[[], _Answer], sleep: Callable[[float], object]) -> _Answer:
    """What `read` returns, asked again a few times where it was torn.

    InfluxDB shows the points of a request, and even the fields of a point, one after the other.

    Raises:
        TornReadError: if it is torn each time, so that it is damaged.
    """
    for _ in range(_TRIES - 1):
        try:
            return read()
        except TornReadError:
            sleep(_WAIT_SECONDS)
    return read()
