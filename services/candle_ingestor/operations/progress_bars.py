"""Progress of a command as bars on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from candle_ingestor.operations.progress import (
    PartSeen,
    Seen,
    ToldProgress,
    count_words,
    pace_words,
)
from candle_ingestor.operations.screen import Screen
from candle_ingestor.operations.ticking import Ticking

SECONDS_BETWEEN_DRAWINGS = 0.25

MOST_COLUMNS = 75
"""A terminal of 80 columns shows `^C` behind the bars; one that is made narrower, down to these,
has nothing to wrap, which would leave pieces behind."""

_MARGIN = 5


class ProgressBars(ToldProgress):
    """A bar a part, and below them the phase with its time left. They go when the context ends."""

    def __init__(
        self,
        screen: Screen,
        is_stopping: Callable[[], bool] = lambda: False,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(is_stopping, seconds)
        self._screen = screen
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._screen.show(self._drawing)
        self._stack.callback(self._screen.hide)
        self._stack.enter_context(Ticking(SECONDS_BETWEEN_DRAWINGS, self._screen.redraw))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _drawing(self) -> RenderableType:
        width = max(1, min(MOST_COLUMNS, self._screen.console.width - _MARGIN))
        return drawing_of(self.seen(), width)


def drawing_of(seen: Seen, width: int) -> RenderableType:
    """The bars, none of their lines wider than `width` columns."""
    if not seen.phase:
        return ""
    last = Text(f"{seen.phase}: {seen.time_left()}")
    last.truncate(width, overflow="ellipsis")
    if not seen.parts:
        return last
    bars = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    bars.width = width
    bars.add_column(no_wrap=True, overflow="ellipsis")
    bars.add_column(ratio=1, min_width=5)
    bars.add_column(no_wrap=True, overflow="ellipsis", justify="right")
    for part in seen.parts:
        bar = ProgressBar(max(part.total, 1), part.done if part.total else 1)
        bars.add_row(Text(part.name), bar, Text(_details(part)))
    return Group(bars, last)


def _details(part: PartSeen) -> str:
    if part.note:
        return part.note
    return f"{count_words(part)}  {pace_words(part):>9}"
