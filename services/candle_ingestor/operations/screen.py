"""The terminal that standard error goes to: log lines, and below them what is going on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from threading import RLock

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

_LONGEST_WAIT_SECONDS = 1.0

_STYLES = {
    "DEBUG": "dim",
    "INFO": "green",
    "WARNING": "yellow",
    "ERROR": "bold red",
    "CRITICAL": "bold white on red",
}


class Screen:
    """One console for lines and for what is redrawn below them, from any thread.

    Neither cuts or repeats the other: what is below is taken away, the line is printed whole, and
    it is drawn again, under one lock. rich's own lock does not cover its writing.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lock = RLock()
        self._live: Live | None = None

    @property
    def can_redraw(self) -> bool:
        """Whether it is a terminal that can move its cursor."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def print_line(self, line: Text) -> None:
        """Prints a line, however long it is; the terminal wraps it."""
        with self._lock:
            self.console.print(line, soft_wrap=True)

    def show(self, drawing: Callable[[], RenderableType]) -> None:
        """Draws below the lines what `drawing` returns, again with each `redraw` and each line."""
        with self._lock:
            self.hide()
            # Standard output is another stream, whose readers want no escapes.
            self._live = Live(
                get_renderable=drawing,
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start(refresh=True)

    def redraw(self) -> None:
        with self._lock:
            if self._live is not None:
                self._live.refresh()

    def hide(self) -> None:
        """Takes away what is below the lines, and gives the cursor back.

        Not while another thread is stuck in writing, as to a terminal that was stopped.
        """
        if self._lock.acquire(timeout=_LONGEST_WAIT_SECONDS):
            try:
                if self._live is not None:
                    self._live.stop()
                    self._live = None
            finally:
                self._lock.release()


class LogStream:
    """What a logging handler writes its lines to, for them to be lines of a screen.

    The level that a line begins with is coloured.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, text: str) -> None:
        line = Text(text.removesuffix("\n"))
        level = text.partition(":")[0]
        line.stylize(_STYLES.get(level, ""), 0, len(level) + 1)
        self._screen.print_line(line)

    def flush(self) -> None:
        """There is nothing left to write."""


@cache
def standard_error() -> Screen:
    """The screen of this process's standard error."""
    is_terminal = sys.stderr.isatty()
    return Screen(Console(stderr=True, highlight=False, force_terminal=is_terminal))
