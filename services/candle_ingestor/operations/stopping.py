"""When a run is to stop: a signal, a time limit, or the first failure."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator

from candle_ingestor.errors import CandleIngestorError, DependencyError
from candle_ingestor.operations.run_lock import RunLockLostError

TIME_LIMIT = "time limit"


class StopSignal:
    """Tells every part of a run that it is to finish what is in hand and leave.

    Belongs to one event loop, but for `wait` and `is_grace_over`, which any thread may call. Where
    there is no event loop, any thread may call everything but `sleep` and `in_hand`.
    `limit_seconds` counts from its making; 0 is no limit. `grace_seconds` is how long what is in
    hand may still take.
    """

    def __init__(self, limit_seconds: float = 0.0, *, grace_seconds: float = 5.0) -> None:
        self._event = asyncio.Event()
        self._is_requested = threading.Event()
        self._requested_at: float | None = None
        self._deadline = time.monotonic() + limit_seconds if limit_seconds > 0 else None
        self._grace_seconds = grace_seconds
        self._in_hand: set[asyncio.Timeout] = set()
        self._signals: set[int] = set()
        self.reason: str | None = None
        self.failure: CandleIngestorError | None = None
        self.is_urgent = False

    def note_signal(self, number: int) -> bool:
        """Whether it is the first of its number."""
        is_first = number not in self._signals
        self._signals.add(number)
        return is_first

    def request(
        self,
        reason: str,
        *,
        is_urgent: bool = False,
        failure: CandleIngestorError | None = None,
    ) -> None:
        """Asks to stop; the first reason is kept, and the first failure.

        An urgent stop also leaves merging and exporting to the next run. With a failure the run
        ends as failed by it.
        """
        if self.reason is None:
            self.reason = reason
        self.failure = self.failure or failure
        self.is_urgent = self.is_urgent or is_urgent
        if not self._event.is_set():
            self._event.set()
            self._requested_at = time.monotonic()
            self._is_requested.set()
            # One that is expiring ends what is in hand by itself, and can no longer be put off.
            waiting = (limit for limit in self._in_hand if not limit.expired())
            for limit in waiting:
                limit.reschedule(asyncio.get_running_loop().time() + self._grace_seconds)

    def note_cut_short(self) -> None:
        """Hears that something was given up, since what is left of the run's time is too short."""
        if self.reason is None:
            self.reason = TIME_LIMIT

    def is_set(self) -> bool:
        """Whether to stop."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.request(TIME_LIMIT)
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

    def wait(self, seconds: float) -> None:
        """Blocks for so long, or until the stop, or after it no longer than the grace lasts."""
        left = self._grace_left_seconds()
        seconds = max(0.0, seconds if left is None else min(seconds, left))
        if self._is_requested.is_set():
            time.sleep(seconds)
        else:
            self._is_requested.wait(seconds)

    def is_grace_over(self) -> bool:
        """Whether what is in hand may take no longer."""
        left = self._grace_left_seconds()
        return left is not None and left <= 0

    def _grace_left_seconds(self) -> float | None:
        stops = [at for at in (self._deadline, self._requested_at) if at is not None]
        return min(stops) + self._grace_seconds - time.monotonic() if stops else None

    @contextlib.contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Adds a note to what fails inside, should the stop have cut the waiting for it short.

        A lost run lock gets none: it is what the stop comes from.
        """
        try:
            yield
        except RunLockLostError:
            raise
        except DependencyError as error:
            if self.is_set():
                error.add_note(
                    f"it was told to stop ({self.reason}), and did not wait any longer; what is "
                    "stored is whole, and the same command goes on from there"
                )
            raise

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
