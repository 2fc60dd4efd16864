"""What the failure table makes of an HTTP status, whoever was asked."""

from __future__ import annotations

from collections.abc import Mapping

from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    RateLimitedError,
    ServerFaultError,
)
from candle_ingestor.operations.retry_after import retry_after_seconds

RATE_LIMITED = 429
FIRST_FAULT = 400

_REFUSALS = frozenset({401, 403, 418, 451})
_FIRST_SERVER_FAULT = 500


def error_by_status(status: int, headers: Mapping[str, str], said: str) -> ExchangeError | None:
    """The error of a status, with `said` as its message; None where the table does not list it."""
    if status == RATE_LIMITED:
        return RateLimitedError(said, retry_after_seconds(headers))
    if status in _REFUSALS:
        return ExchangeRefusedError(said)
    if status >= _FIRST_SERVER_FAULT:
        return ServerFaultError(said)
    return None
