"""Lines on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def say(console: Console, line: str | Text, style: str = "", *, hang: int | None = None) -> None:
    """Prints a line as it stands: no bracket in it is markup.

    A terminal breaks it between words; in a pipe it stays one line. What goes on below is indented
    by `hang` columns, or as the line itself is.
    """
    text = Text(line, style=style) if isinstance(line, str) else line
    indent = len(text.plain) - len(text.plain.lstrip(" "))
    below = indent if hang is None else hang
    if not console.is_terminal or not below or console.width <= 2 * below or "\n" in text.plain:
        console.print(text, soft_wrap=not console.is_terminal)
        return
    first, *_ = text.wrap(console, console.width)
    console.print(first)
    rest = text[len(first.plain) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip(" ")) :]
    if rest:
        for each in rest.wrap(console, console.width - below):
            console.print(Text(" " * below).append_text(each))


def say_to_copy(console: Console, line: str) -> None:
    """Prints a line that is to be copied: a terminal wraps it, and it stays one line."""
    console.print(Text(line), soft_wrap=True)
