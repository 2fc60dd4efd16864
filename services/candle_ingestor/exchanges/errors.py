"""What can go wrong at an exchange, in two families: transient and permanent (rule F1)."""

from __future__ import annotations

from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.model.texts import shortened

_SHOWN_CHARACTERS = 300


class ExchangeError(CandleIngestorError):
    """A request that an exchange did not answer as asked; the message names the exchange."""


class TransientExchangeError(ExchangeError):
    """Asking the same again may succeed."""


class RateLimitedError(TransientExchangeError):
    """The exchange asks to slow down (429)."""

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerFaultError(TransientExchangeError):
    """The exchange failed (5xx)."""


class NetworkFaultError(TransientExchangeError):
    """No whole answer arrived: a refused or dropped connection, a name not found, a time-out."""


class PermanentExchangeError(ExchangeError):
    """Asking the same again will not help."""


class MalformedAnswerError(PermanentExchangeError):
    """An answer came, and is not what the exchange's format says."""


class RequestRejectedError(PermanentExchangeError):
    """The exchange says that this request is wrong: an unknown market, timeframe or range."""


class ExchangeRefusedError(PermanentExchangeError):
    """The exchange refuses to talk (418, 403, 451, bad key): leave it alone for this run."""


def shown_text(text: str) -> str:
    """As much of an answer's raw text as a message or a log line shows."""
    return shortened(text, _SHOWN_CHARACTERS)


def words_without(exchange: str, error: Exception) -> str:
    """The error's message for a sentence that names the exchange already."""
    said = str(error)
    for beginning in (f"{exchange}: ", f"{exchange} "):
        if said.startswith(beginning):
            return said.removeprefix(beginning)
    return said


class RunEndedError(CandleIngestorError):
    """The run ended before the exchange had answered: neither kept from it, nor a failure of it."""
