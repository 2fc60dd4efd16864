"""How often a request is tried again, and when (the failure table of docs/design.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from candle_ingestor.exchanges.errors import (
    NetworkFaultError,
    RateLimitedError,
    RunEndedError,
    ServerFaultError,
    TransientExchangeError,
)
from candle_ingestor.operations import retry_after

Answer = TypeVar("Answer")

SERVER_FAULT_TRIES = 3
NETWORK_FAULT_TRIES = 5


@dataclass(frozen=True)
class RetryPolicy:
    """Waits and limits of retries.

    Attributes:
        first_wait_seconds, longest_wait_seconds: bounds of the exponential backoff with jitter.
        rate_limit_patience_seconds: how long rate limits are waited out where the run itself has
            no end.
    """

    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    rate_limit_patience_seconds: float = 600.0

    async def run(
        self,
        ask: Callable[[], Awaitable[Answer]],
        *,
        seconds_left: Callable[[], float | None],
        sleep: Callable[[float], Awaitable[None]],
        on_retry: Callable[[TransientExchangeError, float], None],
    ) -> Answer:
        """The answer, asked again after transient errors.

        `seconds_left` is what the run's time allows, None for no end; `sleep` waits. `on_retry`
        hears of each error that is waited out, and for how many seconds.

        Raises:
            ExchangeError: the last one, when the tries are used up, or at once when it is
                permanent.
            RunEndedError: when the run's time does not allow the next try.
        """
        try:
            return await ask()
        except TransientExchangeError as error:
            failures = [error]
        attempts = _Attempts(self, seconds_left)

        async def ask_again() -> Answer:
            # The first attempt was made before, since retrying costs something where none fails.
            if failures:
                raise failures.pop()
            return await ask()

        def before_sleep(state: RetryCallState) -> None:
            error = _error(state)
            if isinstance(error, TransientExchangeError) and state.next_action is not None:
                on_retry(error, state.next_action.sleep)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientExchangeError),
            stop=attempts.are_used_up,
            wait=attempts.wait_seconds,
            sleep=sleep,
            before_sleep=before_sleep,
            reraise=True,
        )
        try:
            return await retrying(ask_again)
        except TransientExchangeError as error:
            if attempts.are_cut_short:
                raise RunEndedError(f"the run ended before another try: {error}") from error
            raise


class _Attempts:
    """Counts the kinds of errors of one request apart, as the failure table does."""

    def __init__(self, policy: RetryPolicy, seconds_left: Callable[[], float | None]) -> None:
        self._policy = policy
        self._seconds_left = seconds_left
        self._server_faults = 0
        self._network_faults = 0
        self._backoff = wait_random_exponential(
            multiplier=policy.first_wait_seconds, max=policy.longest_wait_seconds
        )
        self._attempt = 0
        self._wait_seconds = 0.0
        self._rate_limit_seconds = 0.0
        self.are_cut_short = False

    def are_used_up(self, state: RetryCallState) -> bool:
        error = _error(state)
        wait_seconds = self.wait_seconds(state)
        if isinstance(error, ServerFaultError):
            self._server_faults += 1
            if self._server_faults >= SERVER_FAULT_TRIES:
                return True
        if isinstance(error, NetworkFaultError):
            self._network_faults += 1
            if self._network_faults >= NETWORK_FAULT_TRIES:
                return True
        left = self._seconds_left()
        if left is not None:
            self.are_cut_short = wait_seconds >= left
            return self.are_cut_short
        if isinstance(error, RateLimitedError):
            self._rate_limit_seconds += wait_seconds
            return self._rate_limit_seconds > self._policy.rate_limit_patience_seconds
        return False

    def wait_seconds(self, state: RetryCallState) -> float:
        """The wait after this attempt, the same whenever it is asked for."""
        if state.attempt_number != self._attempt:
            self._attempt = state.attempt_number
            self._wait_seconds = self._next_wait_seconds(state)
        return self._wait_seconds

    def _next_wait_seconds(self, state: RetryCallState) -> float:
        error = _error(state)
        backoff = float(self._backoff(state))
        asked = error.retry_after_seconds if isinstance(error, RateLimitedError) else None
        return retry_after.wait_seconds(asked, backoff)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
