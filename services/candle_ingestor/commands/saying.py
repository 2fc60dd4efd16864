"""Lines on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def say(console: Console, line: str | Text, style: str = "") -> None:
    """Prints a line as it stands: no bracket in it is markup.

    A terminal breaks it between words; in a pipe it stays one line.
    """
    text = Text(line, style=style) if isinstance(line, str) else line
    console.print(text, soft_wrap=not console.is_terminal)


def say_to_copy(console: Console, line: str) -> None:
    """Prints a line that is to be copied: a terminal wraps it, and it stays one line."""
    console.print(Text(line), soft_wrap=True)
