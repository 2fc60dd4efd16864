"""Progress of a command as bars on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.text import Text

from candle_ingestor.operations.progress import (
    PartSeen,
    Seen,
    ToldProgress,
    count_words,
    pace_words,
)
from candle_ingestor.operations.screen import Screen
from candle_ingestor.operations.ticking import ticking

SECONDS_BETWEEN_DRAWINGS = 0.25

MOST_COLUMNS = 75
"""A terminal of 80 columns shows `^C` behind the bars; one that is made narrower, down to these,
has nothing to wrap, which would leave pieces behind."""

_MARGIN = 5
_SHORTEST_BAR = 5


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

    def __enter__(self) -> Self:
        self._screen.show(self._drawing)
        self._stack.callback(self._screen.hide)
        self._stack.enter_context(ticking(SECONDS_BETWEEN_DRAWINGS, self._screen.redraw))
        return self

    def _drawing(self) -> Text:
        width = max(1, min(MOST_COLUMNS, self._screen.console.width - _MARGIN))
        return drawing_of(self.seen(), width)


def drawing_of(seen: Seen, width: int) -> Text:
    """A line a part and one of the phase, none of them wider than `width` columns."""
    # Made by hand, since a table of the library takes ten times as long each time.
    names = max((len(part.name) for part in seen.parts), default=0)
    details = [_details(part) for part in seen.parts]
    bar_width = max(_SHORTEST_BAR, width - names - max(map(len, details), default=0) - 4)
    lines = []
    for part, detail in zip(seen.parts, details, strict=True):
        done = bar_width if part.done >= part.total else bar_width * part.done // part.total
        room = width - names - bar_width - 4
        lines.append(
            Text.assemble(
                f"{part.name:<{names}}  ",
                ("━" * done, "green"),
                ("─" * (bar_width - done), "dim"),
                f"  {detail:>{max(room, 0)}}",
            )
        )
    if seen.phase:
        lines.append(Text(f"{seen.phase}: {seen.time_left()}"))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n", end="").join(lines)


def _details(part: PartSeen) -> str:
    if part.note:
        return part.note
    return f"{count_words(part)}  {pace_words(part):>9}"
