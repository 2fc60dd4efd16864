"""Lines on standard output, which a terminal wraps and a pipe gets whole."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def say(console: Console, line: str, style: str = "") -> None:
    """Prints the line as it stands: no brackets of it are markup, no width cuts it."""
    console.print(Text(line, style=style), soft_wrap=True)
