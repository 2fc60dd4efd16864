"""Months by series on the screen: a cell a month, its shade the share that is known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from candle_ingestor.commands.saying import say
from candle_ingestor.completeness.gap_list import MonthShare, SeriesGaps
from candle_ingestor.model.months import Month
from candle_ingestor.model.texts import counted

SHADES = "·░▒▓█"
"""Nothing, up to a third, up to two thirds, not all, all."""
PLAIN_SHADES = ".-+*#"
"""The same for a terminal without UTF-8."""

_MOST_SERIES = 40
_FEWEST_CELLS = 12
_NOT_WANTED = " "


def print_strip(found: Sequence[SeriesGaps], console: Console) -> None:
    """Prints a row a series, of many the least known; what is too wide goes on below."""
    shown = _least_known(found)
    all_months = sorted({share.month for each in shown for share in each.months})
    if not all_months:
        return
    shades = PLAIN_SHADES if console.options.ascii_only else SHADES
    width = max(len(each.series.title) for each in shown)
    room = max(console.width - width - 1, _FEWEST_CELLS)
    row = _row_of_months(all_months[0], all_months[-1])
    rows = [
        (each.series.title, {share.month: shade_of(share, shades) for share in each.months})
        for each in shown
    ]
    for position in range(0, len(row), room):
        months = row[position : position + room]
        say(console, " " * width + " " + _years(months)[:room])
        for name, cells in rows:
            line = "".join(cells.get(month, _NOT_WANTED) for month in months)
            say(console, f"{name:<{width}} {line}".rstrip())
    nothing, some, everything = shades[0], " ".join(shades[1:-1]), shades[-1]
    say(console, f"A cell is a month: {nothing} nothing known, {some} some, {everything} all.")
    if len(found) > len(shown):
        more = counted(len(found) - len(shown), "more series", "more series")
        say(console, f"Of {more} as much is known or more; --symbols chooses others.")


def shade_of(share: MonthShare, shades: str = SHADES) -> str:
    """One cell; only a month of which all is known that could be by now is full."""
    if not share.due:
        return _NOT_WANTED
    if share.covered == share.due:
        return shades[-1]
    return shades[1 + 3 * share.covered // share.due] if share.covered else shades[0]


def _least_known(found: Sequence[SeriesGaps]) -> Sequence[SeriesGaps]:
    """Those that are shown, in the order that they are given in."""
    if len(found) <= _MOST_SERIES:
        return found
    by_share = sorted(range(len(found)), key=lambda index: _share_known(found[index]))
    return [found[index] for index in sorted(by_share[:_MOST_SERIES])]


def _share_known(one: SeriesGaps) -> float:
    due = sum(share.due for share in one.months)
    return sum(share.covered for share in one.months) / due if due else 1.0


def _row_of_months(first: Month, last: Month) -> list[Month]:
    row = [first]
    while row[-1] < last:
        row.append(row[-1].following())
    return row


def _years(months: Sequence[Month]) -> str:
    """The year above its first month, where there is room for it."""
    cells = [" "] * (len(months) + 4)
    free_from = 0
    for position, month in enumerate(months):
        if (month.month == 1 or position == 0) and position >= free_from:
            cells[position : position + 4] = str(month.year)
            free_from = position + 5
    return "".join(cells).rstrip()
