"""When a run is to stop: a signal, a time limit, or the first failure."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator


class StopSignal:
    """Tells every part of a run that it is to finish what is in hand and leave.

    Belongs to one event loop. `limit_seconds` counts from its making; 0 is no limit.
    `grace_seconds` is how long what is in hand may still take.
    """

    def __init__(self, limit_seconds: float = 0.0, *, grace_seconds: float = 5.0) -> None:
        self._event = asyncio.Event()
        self._deadline = time.monotonic() + limit_seconds if limit_seconds > 0 else None
        self._grace_seconds = grace_seconds
        self._in_hand: set[asyncio.Timeout] = set()
        self.reason: str | None = None
        self.is_urgent = False

    def request(self, reason: str, *, is_urgent: bool = False) -> None:
        """Asks to stop; the first reason is kept.

        An urgent stop also leaves merging and exporting to the next run.
        """
        if self.reason is None:
            self.reason = reason
        self.is_urgent = self.is_urgent or is_urgent
        if not self._event.is_set():
            self._event.set()
            for limit in self._in_hand:
                limit.reschedule(asyncio.get_running_loop().time() + self._grace_seconds)

    def is_set(self) -> bool:
        """Whether to stop."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.request("time limit")
        return self._event.is_set()

    def seconds_left(self) -> float | None:
        """What is left of the run's time; None without a limit, 0 once it is to stop."""
        if self.is_set():
            return 0.0
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    async def sleep(self, seconds: float) -> None:
        """Sleeps, or until the stop if that comes first."""
        left = self.seconds_left()
        if left is not None:
            seconds = min(seconds, left)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._event.wait()

    @contextlib.asynccontextmanager
    async def in_hand(self) -> AsyncIterator[None]:
        """What is awaited inside is finished, or cancelled when its grace after the stop is over.

        Raises:
            TimeoutError: if it was cancelled so.
        """
        left = self.seconds_left()
        delay = None if left is None else left + self._grace_seconds
        async with asyncio.timeout(delay) as limit:
            self._in_hand.add(limit)
            try:
                yield
            finally:
                self._in_hand.discard(limit)
