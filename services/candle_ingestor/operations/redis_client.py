"""Questions to Redis: retried, and their failures explained (rules F1 and F5)."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from candle_ingestor.errors import DependencyError
from candle_ingestor.operations.ca_file import advice_on_authority
from candle_ingestor.operations.redis_connection import RedisConnection

DEFAULT_TRIES = 5
DEFAULT_WAIT = wait_random_exponential(multiplier=0.5, max=8)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

_REMEDIES = {
    "MISCONF": "it takes no writes while it cannot save to its disk; mend that",
    "NOPERM": "its access rules must allow the job its commands and keys",
    "OOM": "it is full; raise its maxmemory, or let it evict keys",
    "READONLY": "it is a replica; the address must lead to a primary",
    "DB index": "it has fewer databases; check the number at the end of the URL",
}
_NO_TRUST = "CERTIFICATE_VERIFY_FAILED"
_NO_TLS = ("WRONG_VERSION_NUMBER", "wrong version number")
# redis-py takes the code off the messages of these.
_KNOWN_TO_CLIENT = {
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
}


class RedisUnavailableError(DependencyError):
    """Redis cannot be reached now; a later run may."""


class RedisRefusedError(DependencyError):
    """Redis refuses the credentials or the command, or holds something unexpected; permanent."""


class RedisWrongTypeError(RedisRefusedError):
    """A key holds another kind of value than the one asked for."""


def ask(
    connection: RedisConnection,
    question: Callable[[redis.Redis], _Answer],
    *,
    tries: int = DEFAULT_TRIES,
    wait: wait_base = DEFAULT_WAIT,
) -> _Answer:
    """The answer of `question` to a client that lives as long as the question.

    Network faults are tried again, with `wait` between the tries, so the question may reach
    Redis more than once. Each try takes up to the connection's time-out to connect, and that
    again for each answer.

    Raises:
        RedisUnavailableError: if Redis stays unreachable.
        RedisRefusedError: if it refuses.
    """

    def tell(state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        _log.warning(
            "%s does not answer (try %d of %d): %s",
            connection,
            state.attempt_number,
            tries,
            connection.without_secrets(_cause(fault, connection)),
        )

    client = redis.Redis(
        host=connection.host,
        port=connection.port,
        username=connection.username,
        password=connection.password or None,
        db=connection.database,
        ssl=connection.is_tls,
        ssl_ca_certs=str(connection.ca_file) if connection.ca_file else None,
        socket_timeout=connection.timeout_seconds,
        socket_connect_timeout=connection.timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        return Retrying(
            stop=stop_after_attempt(tries),
            wait=wait,
            retry=retry_if_exception(_is_transient),
            before_sleep=tell,
            reraise=True,
        )(question, client)
    except (redis.RedisError, UnicodeError, OverflowError) as error:
        # Not chained: an answer that repeats the password would be shown in a traceback.
        raise _explained(connection, error) from None
    finally:
        client.close()


def ping(connection: RedisConnection, *, wait: wait_base = DEFAULT_WAIT) -> None:
    """Proves that Redis answers and takes the password.

    Raises:
        RedisUnavailableError: if it stays unreachable.
        RedisRefusedError: if it refuses.
    """
    ask(connection, lambda client: client.ping(), wait=wait)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, redis.AuthenticationError | redis.exceptions.AuthorizationError):
        return False
    if _tls_advice(str(error)) is not None:
        return False
    return isinstance(error, redis.ConnectionError | redis.TimeoutError)


def _tls_advice(words: str) -> str | None:
    """What to do where both sides do not come to terms on TLS, which waiting does not mend."""
    if _NO_TRUST in words:
        return (
            f"its certificate is not trusted; {advice_on_authority('--redis_ca_file')}; "
            "otherwise check the host in the URL"
        )
    if any(sign in words for sign in _NO_TLS):
        return "it speaks no TLS there; check the port, or give redis:// in place of rediss://"
    return None


def _cause(error: BaseException | None, connection: RedisConnection) -> str:
    """What went wrong, in words that do not name the server again."""
    fault = error.__context__ if error is not None else None
    if isinstance(fault, socket.gaierror):
        return "cannot resolve its name"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused"
    if isinstance(fault, ssl.SSLError):
        return f"TLS failed: {getattr(fault, 'verify_message', None) or fault.reason or fault}"
    if isinstance(error, redis.TimeoutError):
        return f"timed out after {connection.timeout_seconds:g} s"
    return str(error).rstrip(".")


def _explained(connection: RedisConnection, error: Exception) -> DependencyError:
    words = connection.without_secrets(_cause(error, connection))
    check = f"check {connection.named_by}"
    if _is_transient(error):
        other = (
            "has no TLS, give redis:// in place of rediss://"
            if connection.is_tls
            else "wants TLS, give --redis_url=rediss://HOST:PORT"
        )
        return RedisUnavailableError(
            f"{connection} cannot be reached: {words}; {check}, and that it runs; if it {other}"
        )
    if isinstance(error, redis.AuthenticationError) or "AUTH" in words:
        advice = (
            "check the password: --redis_password, REDIS_PASSWORD, or that of --redis_url"
            if connection.password
            else "set REDIS_PASSWORD or --redis_password"
        )
        return RedisRefusedError(f"{connection} refuses the login: {words}; {advice}")
    if "WRONGTYPE" in words:
        return RedisWrongTypeError(f"{connection} holds another kind of value there: {words}")
    advice = _tls_advice(str(error)) or _remedy(error) or f"{check}: it must lead to a Redis"
    return RedisRefusedError(f"{connection} cannot be used: {words}; {advice}")


def _remedy(error: Exception) -> str | None:
    for kind, code in _KNOWN_TO_CLIENT.items():
        if isinstance(error, kind):
            return _REMEDIES[code]
    return next((remedy for code, remedy in _REMEDIES.items() if code in str(error)), None)
