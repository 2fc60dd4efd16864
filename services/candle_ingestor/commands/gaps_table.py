"""Gaps on the screen, in 80 columns: a strip of months, then the worst gaps and their remedies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from candle_ingestor.commands.coverage_strip import print_strip
from candle_ingestor.commands.saying import say, say_to_copy
from candle_ingestor.completeness.gap_list import GapStatus, ListedGap, SeriesGaps, worst_first
from candle_ingestor.completeness.remedies import Remedy
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.texts import counted, shortened, some_of
from candle_ingestor.model.times import iso_text, minute_text

_MOST_GAPS = 20
_LONGEST_ERROR = 120


def is_any_missing(found: Sequence[SeriesGaps]) -> bool:
    """Whether a gap is not filled."""
    return any(one.status is not GapStatus.FILLED for each in found for one in each.gaps)


def print_gaps(
    found: Sequence[SeriesGaps], unshown: Sequence[SeriesGaps], now_ms: int, console: Console
) -> None:
    """Prints how much of each month is known, and the worst gaps with what to do.

    `unshown` is what the shown series are made from: that something is missing there is said.
    """
    print_strip(found, console)
    listed = worst_first(found)
    missing = [one for one in listed if one.status is not GapStatus.FILLED]
    shown = missing[:_MOST_GAPS]
    for position, one in enumerate(shown):
        say(console, _words(one), "" if one.status is GapStatus.PERMANENT else "yellow", hang=4)
        # One command often fills many gaps in a row: it is told below the last of them.
        if shown[position + 1 : position + 2] and shown[position + 1].remedy == one.remedy:
            continue
        if words := _file_words(one.remedy, now_ms):
            say(console, f"  {words}", hang=4)
        say_to_copy(console, f"  {_command_words(one.remedy)}")
    if len(missing) > _MOST_GAPS:
        say(console, f"and {len(missing) - _MOST_GAPS:,} more; --format=csv has all")
    filled = len(listed) - len(missing)
    if filled:
        say(console, f"{counted(filled, 'gap')} that runs had left open {_is(filled)} filled.")
    if missing:
        say(console, f"{counted(len(missing), 'gap')}: {_by_reason(missing)}.")
    else:
        say(console, "Nothing of what is wanted is missing.", "green")
        _say_unshown(unshown, console)


def _say_unshown(unshown: Sequence[SeriesGaps], console: Console) -> None:
    open_ones = (GapStatus.OPEN, GapStatus.FILLING)
    lacking = [one for each in unshown for one in worst_first([each]) if one.status in open_ones]
    if lacking:
        names = some_of(sorted({one.series.exchange for one in lacking}))
        said = f"What is merged lacks {_by_reason(lacking)} of {names}; --by_exchange lists them."
        say(console, said, "yellow")


def _words(one: ListedGap) -> str:
    interval, reason = one.gap
    said = (
        f"{one.series.title}: {minute_text(interval.start_ms)} to "
        f"{minute_text(interval.end_ms)}, {counted(one.candles, 'candle')}, {reason}, {one.status}"
    )
    if one.past.since_ms is not None:
        said += f", known since {minute_text(one.past.since_ms)}"
    if one.past.attempts:
        said += f", {counted(one.past.attempts, 'attempt')}"
    if one.past.last_error:
        said += f": {shortened(one.past.last_error, _LONGEST_ERROR)}"
    return said


def _by_reason(missing: Sequence[ListedGap]) -> str:
    """How many candle lengths each reason leaves open, the most first."""
    totals: Counter[GapReason] = Counter()
    for one in missing:
        totals[one.gap.reason] += one.candles
    parts = [f"{candles:,} {reason}" for reason, candles in totals.most_common()]
    return f"{', '.join(parts)} candles"


def _file_words(remedy: Remedy, now_ms: int) -> str | None:
    if not remedy.files:
        return None
    files, page = some_of([each.words for each in remedy.files]), remedy.files[0].page
    awaited_ms = remedy.awaited_ms(now_ms)
    if awaited_ms is None:
        return f"Get {files} from {page}, then:"
    return f"Wait for {files}, published after {iso_text(awaited_ms)[:10]} at {page}, then:"


def _command_words(remedy: Remedy) -> str:
    return "Nothing fills it." if remedy.command is None else f"./{remedy.command}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
