"""The report on the screen: what is there, what lacks, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from candle_ingestor.archives.publications import Publication
from candle_ingestor.commands.fitting_table import Column, Kind, print_fitting
from candle_ingestor.commands.saying import say, say_to_copy
from candle_ingestor.completeness.figures import Figures, share_pct
from candle_ingestor.completeness.next_steps import NextStep
from candle_ingestor.completeness.report import Attention, CompletenessReport, Total
from candle_ingestor.completeness.series_report import SeriesReport
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, some_of
from candle_ingestor.model.times import iso_text, minute_text

COLUMNS = (
    Column("wanted", 3),
    Column("candles", 4),
    Column("no trade", 5),
    Column("complete", 1),
    Column("missing", 2, Kind.WORDS),
)
_MOST_ROWS = 20
_MOST_MONTHS = 24
_MOST_LISTED = 10
_MOST_STEPS = 5
_MOST_FILLED = 3


def print_completeness(report: CompletenessReport, console: Console) -> None:
    """Prints what everything adds up to, what needs attention, and what to do."""
    now = minute_text(report.now_ms)
    say(console, f"Completeness of {report.store} at {now}", "bold")
    if report.is_running:
        say(console, "A run is at work; this is how far it is.", "cyan")
    totals = report.totals
    has_several_lengths = len(totals.timeframes) > 1
    if any(total.name is not None for total in totals.tiers):
        _print_totals("tier", totals.tiers, console, has_several_lengths)
    _print_totals("symbol", _least_complete_first(totals.symbols), console, has_several_lengths)
    _print_totals("exchange", _least_complete_first(totals.exchanges), console, has_several_lengths)
    if has_several_lengths:
        _print_totals("timeframe", totals.timeframes, console, has_length=False)
    _print_totals("month", totals.months[-_MOST_MONTHS:], console, has_several_lengths)
    _say_more(len(totals.months) - _MOST_MONTHS, "earlier month", console)
    _print_attention(report.attention, console)
    _print_steps(report.next_steps, console)
    _print_downloads(report.downloads, report.now_ms, console)


def complete_words(figures: Figures) -> str:
    """`99.98 %`, rounded down, so that only all is 100 %; a dash where nothing is wanted."""
    complete = share_pct(figures.covered, figures.wanted, 2)
    return "-" if complete is None else f"{complete:g} %"


def _print_totals(what: str, totals: Sequence[Total], console: Console, has_length: bool) -> None:
    if not totals:
        return
    columns = (Column(what, 0, Kind.TEXT), *COLUMNS)
    shown = totals[:_MOST_ROWS] if what != "month" else totals
    rows: list[list[str | Text]] = []
    for total in shown:
        name = total.name or "none"
        figures = total.figures
        rows.append(
            [
                Text(f"{name} {total.timeframe}" if has_length else name),
                f"{figures.wanted:,}",
                f"{figures.candles:,}",
                f"{figures.no_trade:,}",
                complete_words(figures),
                Text(_missing_words(figures)),
            ]
        )
    console.print()
    print_fitting(columns, rows, console)
    _say_more(len(totals) - len(shown), what, console)


def _least_complete_first(totals: Sequence[Total]) -> list[Total]:
    """Those of which nothing is wanted last; of equals in the order that they have."""

    def completeness(total: Total) -> float:
        complete = total.figures.completeness_pct
        return 101.0 if complete is None else complete

    return sorted(totals, key=completeness)


def _missing_words(figures: Figures) -> str:
    worst_first = sorted(figures.gaps.items(), key=lambda item: -item[1])
    return ", ".join(f"{candles:,} {reason}" for reason, candles in worst_first if candles)


def _print_attention(attention: Sequence[Attention], console: Console) -> None:
    console.print()
    if not attention:
        say(console, "Nothing needs attention.", "green")
        return
    say(console, f"{counted(len(attention), 'symbol needs', 'symbols need')} attention:", "bold")
    for one in attention[:_MOST_LISTED]:
        said = [f"{one.asset.name} is {_complete_and_missing(one.asset)}"]
        said += [_lacking_words(each, one.asset.series) for each in one.lacking]
        say(console, f"  {'; '.join(said)}", "yellow", hang=4)
    _say_more(len(attention) - _MOST_LISTED, "symbol", console)


def _complete_and_missing(report: SeriesReport) -> str:
    missing = _missing_words(report.figures)
    words = f"{complete_words(report.figures)} complete"
    return f"{words}, {missing}" if missing else words


def _lacking_words(report: SeriesReport, asset: Series) -> str:
    series = report.series
    name = (
        series.exchange if series.symbol == asset.symbol else f"{series.exchange} {series.symbol}"
    )
    return f"{name} lacks {_missing_words(report.figures)}"


def _print_steps(steps: Sequence[NextStep], console: Console) -> None:
    if not steps:
        return
    console.print()
    say(console, "Next steps:", "bold")
    for number, step in enumerate(steps[:_MOST_STEPS], 1):
        filled = [f"{candles:,} of {series.title}" for series, candles in step.fills]
        said = f"  {number}. This fills {some_of(filled, _MOST_FILLED)}"
        if step.awaited_ms is not None:
            said += f", once {_files_words(step.files)} published, after {_day(step.awaited_ms)}"
        elif step.files:
            said += f", once {_files_words(step.files)} there"
        say(console, f"{said}:", hang=5)
        say_to_copy(console, f"     ./{step.command}")
    _say_more(len(steps) - _MOST_STEPS, "step", console)


def _files_words(files: Sequence[Publication]) -> str:
    return "the file below is" if len(files) == 1 else f"the {len(files)} files below are"


def _print_downloads(files: Sequence[Publication], now_ms: int, console: Console) -> None:
    if not files:
        return
    console.print()
    say(console, "Files to get, into a folder of their own:", "bold")
    for file in files[:_MOST_LISTED]:
        said = f"  {file.words}: {counted(file.candles, 'candle')} of {file.series.title}"
        if file.published_from_ms > now_ms:
            said += f", published after {_day(file.published_from_ms)}"
        say(console, said, hang=4)
        say_to_copy(console, f"     {file.page}")
    if len(files) > _MOST_LISTED:
        more = counted(len(files) - _MOST_LISTED, "more file")
        say(console, f"  and {more}; --download_list_path=files.csv lists all")


def _day(time_ms: int) -> str:
    return iso_text(time_ms)[:10]


def _say_more(count: int, what: str, console: Console) -> None:
    if count > 0:
        say(console, f"and {counted(count, f'more {what}')}; --format=json has all")
