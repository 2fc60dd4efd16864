"""How long an InfluxDB that does not serve is waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_base, wait_random_exponential

from candle_ingestor.operations import retry_after
from candle_ingestor.stores.influxdb.errors import TransientFault

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Patience:
    """How often and how long a request that meets transient faults is tried again.

    Attributes:
        tries: requests made for one call, the first included.
        seconds: the longest time spent between them, in all.
        wait: the pause after a fault that names none itself.
        sleep: pauses; may return early.
        is_to_stop: asked before each pause; once true, the fault in hand is the last.
    """

    tries: int = 12
    seconds: float = 120.0
    wait: wait_base = field(default_factory=lambda: wait_random_exponential(multiplier=0.5, max=20))
    sleep: Callable[[float], object] = time.sleep
    is_to_stop: Callable[[], bool] = lambda: False

    def ask(self, call: Callable[[], _Answer], server: object) -> _Answer:
        """What `call` returns, tried again after transient faults; `server` is named in the log.

        Raises:
            TransientFault: the last one, when tries or time are used up.
        """

        def tell(state: RetryCallState) -> None:
            log.warning(
                "%s does not serve (try %d of %d), again in %.1f s: %s",
                server,
                state.attempt_number,
                self.tries,
                state.upcoming_sleep,
                _fault(state),
            )

        retrying = Retrying(
            retry=retry_if_exception_type(TransientFault),
            stop=self._is_over,
            wait=self._wait_seconds,
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        try:
            return retrying(call)
        except TransientFault as fault:
            log.error("Failed to connect to InfluxDB after retries: %s: %s", server, fault)
            raise

    def _is_over(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number >= self.tries
            or state.idle_for + state.upcoming_sleep > self.seconds
            or self.is_to_stop()
        )

    def _wait_seconds(self, state: RetryCallState) -> float:
        fault = _fault(state)
        asked = fault.retry_after_seconds if isinstance(fault, TransientFault) else None
        return retry_after.wait_seconds(asked, float(self.wait(state)))

    def _sleep(self, seconds: float) -> None:
        self.sleep(seconds)


def _fault(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
