"""Progress of a run: bars on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

log = logging.getLogger(__name__)

ALL = "all"
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


class ProgressBars:
    """A bar an exchange and one for all, with rate and time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar(ALL)
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def expect(self, exchange: str, candles: int) -> None:
        for name in (exchange, ALL):
            bar = self._bar(name)
            total = self._progress.tasks[self._index(bar)].total or 0
            self._progress.update(bar, total=total + candles)

    def advance(self, exchange: str, candles: int) -> None:
        for name in (exchange, ALL):
            bar = self._bar(name)
            self._progress.advance(bar, candles)
            speed = self._progress.tasks[self._index(bar)].speed or 0
            self._progress.update(bar, rate=f"{speed:,.0f} candles/s")

    def _bar(self, name: str) -> TaskID:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=0, rate="")
        return self._bars[name]

    def _index(self, bar: TaskID) -> int:
        return self._progress.task_ids.index(bar)
