"""Gaps on the screen, in 80 columns: a strip of months, then the worst gaps and their remedies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from candle_ingestor.commands.saying import say
from candle_ingestor.completeness.gap_list import (
    GapStatus,
    ListedGap,
    MonthShare,
    SeriesGaps,
    worst_first,
)
from candle_ingestor.completeness.remedies import Remedy
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, shortened, some_of
from candle_ingestor.model.times import minute_text

_MOST_MONTHS = 48
_MOST_GAPS = 20
_LONGEST_ERROR = 120
_SHADES = "·░▒▓█"
"""Nothing, up to a third, up to two thirds, not all, all."""
_NOT_WANTED = " "


def print_gaps(found: Sequence[SeriesGaps], console: Console) -> None:
    """Prints how much of each month is known, and the worst gaps with what to do."""
    _print_strip(found, console)
    listed = worst_first(found)
    missing = [one for one in listed if one.status is not GapStatus.FILLED]
    shown = missing[:_MOST_GAPS]
    for position, one in enumerate(shown):
        say(console, _words(one), "" if one.status is GapStatus.PERMANENT else "yellow")
        # One command often fills many gaps in a row: it is told below the last of them.
        if shown[position + 1 : position + 2] and shown[position + 1].remedy == one.remedy:
            continue
        for line in _remedy_words(one.remedy):
            say(console, f"  {line}")
    if len(missing) > _MOST_GAPS:
        say(console, f"and {len(missing) - _MOST_GAPS:,} more; --format=csv has all")
    filled = len(listed) - len(missing)
    if filled:
        say(console, f"{counted(filled, 'gap')} that runs have told of {_is(filled)} filled.")
    if not missing:
        say(console, "Nothing of what is wanted is missing.", "green")


def shade_of(share: MonthShare) -> str:
    """One cell; only a month that is known whole is full."""
    if share.covered == share.wanted:
        return _SHADES[-1]
    return _SHADES[1 + 3 * share.covered // share.wanted] if share.covered else _SHADES[0]


def _print_strip(found: Sequence[SeriesGaps], console: Console) -> None:
    all_months = sorted({share.month for each in found for share in each.months})
    if not all_months:
        return
    months = _row_of_months(all_months[0], all_months[-1])[-_MOST_MONTHS:]
    width = max(len(_name(each.series)) for each in found)
    say(console, " " * width + " " + _years(months))
    for each in found:
        by_month = {share.month: shade_of(share) for share in each.months}
        cells = "".join(by_month.get(month, _NOT_WANTED) for month in months)
        say(console, f"{_name(each.series):<{width}} {cells}".rstrip())
    say(console, f"A cell is a month: {_SHADES[0]} nothing known, {_SHADES[-1]} all known.")


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


def _name(series: Series) -> str:
    whose = f"{series.symbol} {series.timeframe}"
    return whose if series.is_merged else f"{series.exchange} {whose}"


def _words(one: ListedGap) -> str:
    interval, reason = one.gap
    said = (
        f"{_name(one.series)}: {minute_text(interval.start_ms)} to "
        f"{minute_text(interval.end_ms)}, {counted(one.candles, 'candle')}, {reason}, {one.status}"
    )
    if one.past.since_ms is not None:
        said += f", known since {minute_text(one.past.since_ms)}"
    if one.past.attempts:
        said += f", {counted(one.past.attempts, 'attempt')}"
    if one.past.last_error:
        said += f": {shortened(one.past.last_error, _LONGEST_ERROR)}"
    return said


def _remedy_words(remedy: Remedy) -> Iterable[str]:
    if remedy.files:
        files = some_of([each.words for each in remedy.files])
        yield f"Get {files} from {remedy.files[0].page}, then:"
    if remedy.command is not None:
        yield f"./{remedy.command}"
    else:
        yield "Nothing fills it."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
