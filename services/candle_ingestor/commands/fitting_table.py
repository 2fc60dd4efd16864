"""Tables that fit a terminal of any width: less important columns go, no name or number is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from candle_ingestor.commands.saying import say


class Kind(Enum):
    """How the cells of a column stand: a text and a number in one line, words in several."""

    TEXT = "text"
    NUMBER = "number"
    WORDS = "words"


@dataclass(frozen=True)
class Column:
    """A column. `rank` 0 names the row and always stands; else the highest is left out first."""

    name: str
    rank: int
    kind: Kind = Kind.NUMBER


def print_fitting(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], console: Console
) -> None:
    """Prints the rows, of as many columns as fit, and below them the names of those that do not.

    Where even the first column does not fit, its cells are broken into lines.
    """
    kept = _fitting(columns, rows, console.width)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=0)
    for index in kept:
        column = columns[index]
        justify: JustifyMethod = "right" if column.kind is Kind.NUMBER else "left"
        is_whole = column.kind is not Kind.WORDS and len(kept) > 1
        table.add_column(column.name, justify=justify, no_wrap=is_whole, overflow="fold")
    for row in rows:
        table.add_row(*(row[index] for index in kept))
    console.print(table)
    left_out = [column.name for index, column in enumerate(columns) if index not in kept]
    if left_out:
        say(console, f"Too narrow for: {', '.join(left_out)}")


def _fitting(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int
) -> list[int]:
    """The positions of the columns that stand, in their order."""
    needed = [_needed(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
    kept = list(range(len(columns)))
    while sum(needed[i] for i in kept) + len(kept) - 1 > width:
        last = max(kept, key=lambda i: columns[i].rank)
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return kept


def _needed(column: Column, cells: Sequence[str | Text]) -> int:
    """The width below which something would be cut."""
    texts = [column.name, *map(str, cells)]
    if column.kind is Kind.WORDS:
        texts = [word for text in texts for word in text.split()]
    return max(map(cell_len, texts), default=0)
