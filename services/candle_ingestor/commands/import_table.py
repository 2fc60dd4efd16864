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
        console.print(_table(shown, is_plan=is_plan))
    if len(shown) < len(known):
        say(console, f"and {len(known) - len(shown):,} more files; --report=full shows them all")
    for status, colour in ((FileStatus.FAILED, "red"), (FileStatus.PASSED_OVER, "")):
        _say_why([each for each in reports if each.status is status], console, colour)
    for each in reports:
        if each.differences.count:
            _say_differences(each, console)


def _table(reports: Sequence[FileReport], *, is_plan: bool) -> Table:
    table = Table(title="Plan" if is_plan else "Files", box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("file", overflow="fold")
    for name in ("  series", "  status"):
        table.add_column(name, no_wrap=True)
    for name in ("  candles", "  new"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("  first", "  last"):
        table.add_column(name, no_wrap=True)
    for each in reports:
        words = _WORDS[each.status]
        if is_plan and each.status is FileStatus.IMPORTED:
            words = "to import"
        table.add_row(
            Text(each.path),
            f"  {each.series}",
            Text(f"  {words}", style=_COLOURS.get(each.status, "")),
            f"{each.rows:,}",
            f"{each.new:,}",
            f"  {_time(each.first_ms)}",
            f"  {_time(each.last_ms)}",
        )
    return table


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
