"""Questions to Redis: retried, and their failures explained (rules F1 and F5)."""

from __future__ import annotations

import logging
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
from candle_ingestor.operations.redis_connection import RedisConnection

__all__ = [
    "DEFAULT_TRIES",
    "DEFAULT_WAIT",
    "RedisConnection",
    "RedisRefusedError",
    "RedisUnavailableError",
    "RedisWrongTypeError",
    "ask",
    "ping",
]

DEFAULT_TRIES = 5
DEFAULT_WAIT = wait_random_exponential(multiplier=0.5, max=8)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

_REMEDIES = {
    "MISCONF": "it takes no writes while it cannot save to its disk; mend that",
    "NOPERM": "its access rules must allow the job its commands and keys",
    "OOM": "it is full; raise its maxmemory, or let it evict keys",
    "READONLY": "--redis_host and --redis_port must lead to a primary, this is a replica",
}
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
            connection.without_secrets(str(fault)),
        )

    client = redis.Redis(
        host=connection.host,
        port=connection.port,
        password=connection.password or None,
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
    return isinstance(error, redis.ConnectionError | redis.TimeoutError)


def _explained(connection: RedisConnection, error: Exception) -> DependencyError:
    words = connection.without_secrets(str(error))
    if _is_transient(error):
        return RedisUnavailableError(
            f"{connection} cannot be reached: {words}; "
            "check --redis_host and --redis_port, and that it runs"
        )
    if isinstance(error, redis.AuthenticationError) or "AUTH" in words:
        advice = (
            "check --redis_password or REDIS_PASSWORD"
            if connection.password
            else "set REDIS_PASSWORD or --redis_password"
        )
        return RedisRefusedError(f"{connection} refuses the login: {words}; {advice}")
    if "WRONGTYPE" in words:
        return RedisWrongTypeError(f"{connection} holds another kind of value there: {words}")
    return RedisRefusedError(f"{connection} cannot be used: {words}; {_remedy(error)}")


def _remedy(error: Exception) -> str:
    for kind, code in _KNOWN_TO_CLIENT.items():
        if isinstance(error, kind):
            return _REMEDIES[code]
    for code, remedy in _REMEDIES.items():
        if code in str(error):
            return remedy
    return "check that --redis_host and --redis_port lead to a Redis"
