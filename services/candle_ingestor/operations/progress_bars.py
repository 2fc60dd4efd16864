"""Progress of a run as bars on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

ALL = "all"


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
