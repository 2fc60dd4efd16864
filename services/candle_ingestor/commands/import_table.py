"""What importing did, on the screen or in the log."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from candle_ingestor.commands.saying import say
from candle_ingestor.ingest.import_report import FileReport, statuses_of
from candle_ingestor.model.imported_file import FileStatus
from candle_ingestor.model.texts import counted
from candle_ingestor.model.times import minute_text

MOST_FILES_SHOWN = 30
MOST_REASONS_SHOWN = 10

_NUMBERS = ("candles", "new")
_TIMES = ("first", "last")
_COLUMNS = ("series", "status", *_NUMBERS, *_TIMES)
_NARROWEST_FILE = 24
_BETWEEN = 3

_WORDS = {
    FileStatus.IMPORTED: "imported",
    FileStatus.UNCHANGED: "imported before",
    FileStatus.FAILED: "failed",
    FileStatus.PASSED_OVER: "passed over",
    FileStatus.NOT_DONE: "not done",
}
_COLOURS = {FileStatus.FAILED: "red", FileStatus.NOT_DONE: "yellow"}


def print_files(
    reports: Sequence[FileReport], console: Console, *, is_full: bool, is_plan: bool = False
) -> None:
    """Prints a line a file, of many the first, and why files failed or were passed over."""
    known = [each for each in reports if each.series is not None]
    shown = known if is_full else known[:MOST_FILES_SHOWN]
    if shown:
        console.print(_table(shown, console.width, is_plan=is_plan))
    if len(shown) < len(known):
        say(console, f"and {len(known) - len(shown):,} more files; --report=full shows them all")
    for status, colour in ((FileStatus.FAILED, "red"), (FileStatus.PASSED_OVER, "")):
        _say_why([each for each in reports if each.status is status], console, colour)
    for each in reports:
        if each.differences.count:
            _say_differences(each, console)


def _table(reports: Sequence[FileReport], width: int, *, is_plan: bool) -> Table:
    """A line a file. Where it is too narrow for all of it, times are left out before names."""
    rows = [_row(each, is_plan=is_plan) for each in reports]
    columns = len(_COLUMNS)
    if _width_of(rows, columns) + _NARROWEST_FILE > width:
        columns -= len(_TIMES)
    table = Table(title="Plan" if is_plan else "Files", box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("file", overflow="fold")
    for name in _COLUMNS[:columns]:
        table.add_column(f"  {name}", justify="right" if name in _NUMBERS else "left", no_wrap=True)
    for each, row in zip(reports, rows, strict=True):
        style = _COLOURS.get(each.status, "")
        cells = [
            Text(f"  {cell}", style=style if name == "status" else "")
            for name, cell in zip(_COLUMNS[:columns], row, strict=False)
        ]
        table.add_row(Text(each.path), *cells)
    return table


def _row(report: FileReport, *, is_plan: bool) -> tuple[str, ...]:
    words = _WORDS[report.status]
    if is_plan and report.status is FileStatus.IMPORTED:
        words = "to import"
    numbers = f"{report.rows:,}", f"{report.new:,}"
    return str(report.series), words, *numbers, _time(report.first_ms), _time(report.last_ms)


def _width_of(rows: Sequence[Sequence[str]], columns: int) -> int:
    """How wide these columns are behind the file's, with what is between them."""
    table = list(zip(_COLUMNS, *rows, strict=True))
    return sum(max(map(len, cells)) + _BETWEEN for cells in table[:columns])


def _say_differences(report: FileReport, console: Console) -> None:
    differences = report.differences
    candles = counted(differences.count, "candle differs", "candles differ")
    say(console, f"{report.path}: {candles} from the exchange's answers", "yellow")
    for line in differences.first:
        say(console, f"  {line}")


def ending(reports: Sequence[FileReport], seconds: float, stop_reason: str | None) -> str:
    """How the import ended."""
    statuses = statuses_of(reports)
    parts = [
        f"{statuses[status]:,} {words}" for status, words in _WORDS.items() if statuses[status]
    ]
    new = sum(report.new for report in reports)
    what = f"{counted(len(reports), 'file')}: {', '.join(parts)}; {new:,} new candles"
    if stop_reason is None:
        return f"Import done in {seconds:.1f} s: {what}."
    return (
        f"Import stopped by {stop_reason} after {seconds:.1f} s: {what}. The same command goes on "
        "from there."
    )


def _say_why(reports: Sequence[FileReport], console: Console, colour: str) -> None:
    for each in reports[:MOST_REASONS_SHOWN]:
        say(console, f"{each.path} {_WORDS[each.status]}: {each.error}", colour)
    if len(reports) > MOST_REASONS_SHOWN:
        more = counted(len(reports) - MOST_REASONS_SHOWN, "more file")
        say(console, f"and {more} {_WORDS[reports[0].status]}", colour)


def _time(time_ms: int | None) -> str:
    return "" if time_ms is None else minute_text(time_ms)
