"""One run at a time across machines: the run lock in Redis (rule C6)."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from tenacity.wait import wait_base

from candle_ingestor.errors import DependencyError
from candle_ingestor.model.texts import shortened
from candle_ingestor.operations.redis_client import (
    DEFAULT_TRIES,
    DEFAULT_WAIT,
    RedisRefusedError,
    RedisWrongTypeError,
    ask,
)
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.run_lock import (
    RunLockHeldError,
    RunLockLostError,
    holder_words,
)

DEFAULT_LEASE_SECONDS = 60.0

_LONGEST_SHOWN = 200

_KEY_PREFIX = "candle_ingestor:run_lock:"

# Taking twice with one value is taking once, so a try whose answer was lost can be repeated.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
    return {held, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_RENEW = """
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return held
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return false
"""

_log = logging.getLogger(__name__)


class RedisRunLock:
    """A lock in Redis, held from entering to leaving the context by a lease that is renewed.

    It is released on leaving; after a kill the lease frees it. A thread renews the lease each
    twelfth of its length. When renewing has failed for two thirds of it, and when the lock turns
    out to be gone or another's, it is lost: the run is to stop, which an outage of Redis leaves
    it the last third of the lease to do. A lock that is gone is not taken again, since another
    run may have come and gone meanwhile.

    `wait` is the pause between the tries to take it.
    """

    def __init__(
        self,
        connection: RedisConnection,
        name: str,
        *,
        started_ms: int,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        wait: wait_base = DEFAULT_WAIT,
    ) -> None:
        self.key = _KEY_PREFIX + name
        self._connection = connection
        # A renewal that hangs must leave time for others before the lease ends.
        hurried_seconds = min(connection.timeout_seconds, lease_seconds / 12)
        self._hurried = replace(connection, timeout_seconds=hurried_seconds)
        self._holder = holder_words(started_ms)
        self._lease_seconds = lease_seconds
        self._wait = wait
        self._value = ""
        self._renewed = 0.0
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._telling = threading.Lock()
        self._tell: Callable[[RunLockLostError], object] | None = None
        self._loss: RunLockLostError | None = None

    def is_held(self) -> bool:
        """Whether any run holds the lock.

        Raises:
            RedisUnavailableError: if Redis does not answer at once.
            RedisRefusedError: if it refuses.
        """
        return bool(ask(self._hurried, lambda client: client.exists(self.key), tries=1))

    @contextlib.contextmanager
    def when_lost(self, tell: Callable[[RunLockLostError], object]) -> Iterator[None]:
        """Within the context, calls `tell` with what happened when the lock is lost.

        That is at once if it is lost already, otherwise on the thread that renews the lease.
        `tell` must be quick. It is called at most once, and not after the context.
        """
        with self._telling:
            self._tell = tell
            if self._loss is not None:
                tell(self._loss)
        try:
            yield
        finally:
            with self._telling:
                self._tell = None

    def __enter__(self) -> Self:
        """Takes the lock at once or not at all; only network faults are tried again.

        Raises:
            RunLockHeldError: if another run holds it.
            RedisUnavailableError: if Redis stays unreachable.
            RedisRefusedError: if it refuses, or holds something else under the lock's name.
        """
        if self._thread is not None:
            raise RunLockHeldError(f"this run holds the lock {self.key} already")
        self._value = f"{secrets.token_hex(16)} {self._holder}"
        self._leaving.clear()
        self._loss = None
        try:
            answer = self._ask(_TAKE, self._connection, DEFAULT_TRIES)
        except RedisWrongTypeError as error:
            raise RedisRefusedError(
                f"{error}; it is no run lock, so remove the key {self.key!r}"
            ) from error
        if answer is not None:
            raise RunLockHeldError(self._held_message(*answer))
        self._thread = threading.Thread(target=self._keep_renewed, name="run-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets the lock go, if it is still this run's; a failure to is only logged."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            self._ask(_RELEASE, self._hurried, 1)
        except DependencyError as error:
            _log.warning(
                "The run lock is not released and frees itself within %d s: %s",
                self._lease_seconds,
                error,
            )

    def _keep_renewed(self) -> None:
        try:
            self._renew_until_gone()
        finally:
            if not self._leaving.is_set():
                self._lose("renewing it has ended")

    def _renew_until_gone(self) -> None:
        pause = self._lease_seconds / 12
        is_failing = False
        while not self._leaving.wait(pause):
            unrenewed_seconds = time.monotonic() - self._renewed
            try:
                held = self._ask(_RENEW, self._hurried, 1)
            except DependencyError as error:
                if not is_failing:
                    _log.warning("The run lock is not renewed, trying again: %s", error)
                is_failing = True
                pause = self._lease_seconds / 30
                if time.monotonic() - self._renewed >= self._lease_seconds * 2 / 3:
                    self._lose(f"it cannot be renewed: {error}")
                continue
            if held is None:
                return self._lose(self._why_gone(unrenewed_seconds))
            if _text(held) != self._value:
                return self._lose(f"it was taken by {_holder_in(held)}")
            if is_failing:
                _log.info("The run lock is renewed again")
            is_failing = False
            pause = self._lease_seconds / 12
        return None

    def _ask(self, script: str, connection: RedisConnection, tries: int) -> Any:
        def question(client: Any) -> Any:
            asked = time.monotonic()
            answer = client.eval(script, 1, self.key, self._value, lease_ms)
            # Counted from before the question, so that the lease ends in Redis no sooner.
            self._renewed = asked
            return answer

        lease_ms = round(self._lease_seconds * 1000)
        return ask(connection, question, tries=tries, wait=self._wait)

    def _lose(self, why: str) -> None:
        with self._telling:
            if self._loss is not None:
                return
            self._loss = RunLockLostError(
                f"the run lock {self.key} in {self._connection} is lost: {why}; this run stops, "
                "lest two write at once; what it stored is whole, and the next run goes on from "
                "there"
            )
            _log.error("%s", self._loss)
            if self._tell is not None:
                self._tell(self._loss)

    def _why_gone(self, unrenewed_seconds: float) -> str:
        if unrenewed_seconds >= self._lease_seconds:
            return (
                f"its lease of {self._lease_seconds:g} s ran out, since this process stood still "
                f"for {unrenewed_seconds:.0f} s"
            )
        return "it is gone from Redis: its key was removed, or Redis has lost its data"

    def _held_message(self, held: bytes, lease_left_ms: int) -> str:
        if lease_left_ms < 0:
            end = f"it never ends, so if that is no run, remove the key {self.key!r}"
        else:
            end = f"if that run is dead, it ends within {-(-lease_left_ms // 1000)} s"
        return (
            f"another run holds the lock {self.key} in {self._connection}: "
            f"{_holder_in(held)}; this one leaves; {end}"
        )


def _holder_in(value: bytes) -> str:
    """Who a lock's value names, fit for a line of text whatever it holds."""
    words = shortened(_text(value).partition(" ")[2], _LONGEST_SHOWN)
    return words if words and words.isprintable() else "an unknown holder"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
