"""Progress of a run: what it is told, and log lines of it. Bars are in progress_bars."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0


class RunProgress(Protocol):
    """Hears what is expected of each exchange, and what is done."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def expect(self, exchange: str, candles: int) -> None:
        """Adds to what is to be fetched from the exchange, in candle lengths."""

    def advance(self, exchange: str, candles: int) -> None:
        """Adds to what is settled."""


class NoProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def expect(self, exchange: str, candles: int) -> None:
        return None

    def advance(self, exchange: str, candles: int) -> None:
        return None


class ProgressLines(NoProgress):
    """A log line every so often, with rate and time left; none in a short run.

    `seconds` is a clock that never goes back.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._started = self._told = seconds()
        self._expected: Counter[str] = Counter()
        self._done: Counter[str] = Counter()

    def expect(self, exchange: str, candles: int) -> None:
        self._expected[exchange] += candles

    def advance(self, exchange: str, candles: int) -> None:
        self._done[exchange] += candles
        now = self._seconds()
        if now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self._tell(now - self._started)

    def _tell(self, seconds: float) -> None:
        parts = [f"{e} {self._done[e]:,} of {total:,}" for e, total in self._expected.items()]
        log.info(
            "%s candle lengths fetched, %s a second, about %s s left",
            ", ".join(parts),
            f"{self._done.total() / seconds:,.0f}",
            f"{self._seconds_left(seconds):,.0f}",
        )

    def _seconds_left(self, seconds: float) -> float:
        # Exchanges work at once, so that the slowest one decides.
        left = [
            (self._expected[e] - done) * seconds / done for e, done in self._done.items() if done
        ]
        return max(left, default=0.0)
