"""The status on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from candle_ingestor.commands.fitting_table import Column, Kind, print_fitting
from candle_ingestor.commands.saying import say
from candle_ingestor.completeness.figures import share_pct
from candle_ingestor.completeness.runs import INGEST, command_of
from candle_ingestor.completeness.status import SeriesStatus
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted
from candle_ingestor.model.times import iso_text, minutes_words

COLUMNS = (
    Column("series", 0, Kind.TEXT),
    Column("first", 5),
    Column("last", 3),
    Column("behind", 2),
    Column("complete", 1),
    Column("candles", 4),
    Column("no trade", 6),
    Column("months", 7),
)
_MOST_LACKING = 20
_COLOURS = {"ok": "green", "failed": "red", "running": "cyan"}


def print_statuses(
    statuses: Sequence[SeriesStatus],
    console: Console,
    runs: Sequence[Mapping[str, Any]],
    now_ms: int,
) -> None:
    """Prints a row a series, below it what is missing of it, and how the newest run went."""
    print_fitting(COLUMNS, _rows(statuses), console)
    _say_gaps(statuses, console)
    _say_sizes(statuses, console)
    newest = next((run for run in runs if command_of(run) == INGEST), None)
    if newest is not None:
        say(console, f"Last run: {_run_words(newest, now_ms)}", _COLOURS.get(newest["status"], ""))
    if any(status.gaps for status in statuses):
        say(console, "The command gaps tells where they are, and what to do.")


def _rows(statuses: Sequence[SeriesStatus]) -> list[list[str | Text]]:
    rows: list[list[str | Text]] = []
    head = statuses[0].series
    for status in statuses:
        series = status.series
        if series.is_merged or series.timeframe != head.timeframe:
            head = series
        behind = status.minutes_behind
        rows.append(
            [
                _short_name(series, head),
                _day(status.first_ms),
                _day(status.last_ms),
                "" if behind is None else minutes_words(behind),
                _complete(status),
                f"{status.candles:,}",
                f"{status.no_trade:,}",
                f"{status.months_complete}/{status.months_wanted}",
            ]
        )
    return rows


def _short_name(series: Series, head: Series) -> Text:
    """The name below its merged series, `head`, is only what differs."""
    if series.is_merged:
        return Text(series.title, style="bold")
    if not head.is_merged:
        return Text(series.title)
    is_stand_in = series.symbol != head.symbol
    return Text(f"  {series.exchange}" + (f" {series.symbol}" if is_stand_in else ""))


def _say_gaps(statuses: Sequence[SeriesStatus], console: Console) -> None:
    """A line a series that lacks something, of many those that lack the most."""
    lacking = [status for status in statuses if status.gaps]
    worst = sorted(lacking, key=_lack, reverse=True)[:_MOST_LACKING]
    for status in lacking:
        if status in worst:
            say(console, f"{status.series.title} lacks {_gaps(status)}")
    if len(lacking) > len(worst):
        say(console, f"and {len(lacking) - len(worst):,} more that lack less; --format=csv has all")


def _lack(status: SeriesStatus) -> int:
    """How much it lacks; time before its market is no lack."""
    return sum(n for reason, n in status.gaps.items() if reason is not GapReason.NOT_LISTED_YET)


def _gaps(status: SeriesStatus) -> str:
    worst_first = sorted(status.gaps.items(), key=lambda item: -item[1])
    return ", ".join(f"{candles:,} {reason}" for reason, candles in worst_first)


def _complete(status: SeriesStatus) -> str:
    complete = share_pct(status.covered, status.wanted, 1)
    return "" if complete is None else f"{complete:g} %"


def _day(time_ms: int | None) -> str:
    return "" if time_ms is None else iso_text(time_ms)[:10]


def _say_sizes(statuses: Sequence[SeriesStatus], console: Console) -> None:
    sizes = [status.size_bytes for status in statuses if status.size_bytes is not None]
    digits = {
        f"{status.price_digits}/{status.volume_digits}"
        for status in statuses
        if status.series.is_merged and None not in (status.price_digits, status.volume_digits)
    }
    words = [counted(len(statuses), "series", "series")]
    if sizes:
        words.append(f"{sum(sizes) / 1e6:,.1f} MB in the store")
    if digits:
        words.append(f"price/volume digits {', '.join(sorted(digits))}")
    say(console, "; ".join(words))


def _run_words(run: Mapping[str, Any], now_ms: int) -> str:
    minutes = max(now_ms - int(run["started_ms"]), 0) // 60_000
    said = f"{run['status']}, started {iso_text(int(run['started_ms']))}"
    said += f" ({minutes_words(minutes)} ago)"
    return said + (f": {run['error']}" if run.get("error") else "")
