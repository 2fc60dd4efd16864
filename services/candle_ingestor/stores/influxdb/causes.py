"""Why no whole answer of the server arrived, in words that do not name it again. Pure."""

from __future__ import annotations

import errno

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)


def cause_of(error: HTTPError, timeout_seconds: float) -> str:
    """The cause of a fault of the network. `timeout_seconds` is how long an answer was waited for.

    TLS is told in the words of its library, which name the fault best.
    """
    if isinstance(error, NameResolutionError):
        return "cannot resolve its name"
    if isinstance(error, NewConnectionError):
        fault = error.__cause__
        if isinstance(fault, OSError) and fault.errno == errno.ECONNREFUSED:
            return "connection refused"
        return f"no connection: {fault or error}"
    if isinstance(error, ConnectTimeoutError):
        return "timed out, connecting to it"
    if isinstance(error, ReadTimeoutError):
        return f"timed out after {timeout_seconds:g} s, waiting for its answer"
    if isinstance(error, IncompleteRead) or any(isinstance(a, IncompleteRead) for a in error.args):
        return "it closed the connection before its answer was whole"
    if isinstance(error, ProtocolError) and any(isinstance(a, OSError) for a in error.args):
        return "it closed the connection without an answer"
    if isinstance(error, SSLError):
        return f"TLS failed: {error}"
    return f"{type(error).__name__}: {error}"
