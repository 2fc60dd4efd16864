"""What to do about the gaps of many series, in few commands, and which files to get. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from candle_ingestor.archives.publications import Publication
from candle_ingestor.completeness.series_report import SeriesReport
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series

_SYMBOLS = "--symbols="


@dataclass(frozen=True)
class NextStep:
    """A command that fills gaps.

    Attributes:
        command: a line to copy.
        files: what is to be got before.
        awaited_ms: when the first of the files is published, where none is by now; else None.
        fills: which series it fills, each with how many candle lengths.
    """

    command: str
    files: tuple[Publication, ...]
    fills: tuple[tuple[Series, int], ...]
    awaited_ms: int | None = None


@dataclass
class _Step:
    symbols: dict[str, None] = field(default_factory=dict)
    files: list[Publication] = field(default_factory=list)
    fills: dict[Series, int] = field(default_factory=dict)


def next_steps(reports: Iterable[SeriesReport], now_ms: int) -> list[NextStep]:
    """The remedies of all gaps, one for all symbols that differ in nothing else.

    What fills the most of merged series comes first, and what waits for files comes last.
    """
    steps: dict[tuple[tuple[str, ...], int | None], _Step] = {}
    for report in reports:
        for each in report.gaps:
            command = each.remedy.command
            if command is None:
                continue
            words, symbols = _without_symbols(command)
            step = steps.setdefault((words, each.remedy.awaited_ms(now_ms)), _Step())
            step.symbols |= dict.fromkeys(symbols)
            step.files += each.remedy.files
            step.fills[report.series] = step.fills.get(report.series, 0) + each.candles
    found = [
        NextStep(
            " ".join(_with_symbols(words, step.symbols)),
            tuple(merged_files(step.files)),
            tuple(step.fills.items()),
            awaited_ms,
        )
        for (words, awaited_ms), step in steps.items()
    ]
    return sorted(found, key=_merged_first)


def files_to_get(reports: Iterable[SeriesReport]) -> list[Publication]:
    """Every published file that has what is missing, each once, by series and time."""
    return merged_files(
        file for report in reports for each in report.gaps for file in each.remedy.files
    )


def merged_files(files: Iterable[Publication]) -> list[Publication]:
    """The files, each once with all that it fills, by series and time."""
    found: dict[tuple[Series, str, str], list[Publication]] = {}
    for file in files:
        found.setdefault((file.series, file.archive, file.file), []).append(file)
    whole = [
        replace(same[0], missing=IntervalSet(each for file in same for each in file.missing))
        for same in found.values()
    ]
    return sorted(whole, key=lambda each: (each.series, each.published_from_ms))


def _without_symbols(command: str) -> tuple[tuple[str, ...], list[str]]:
    """The words of a command, the flag of symbols without its value, and that."""
    words = tuple(command.split(" "))
    symbols = [word.removeprefix(_SYMBOLS) for word in words if word.startswith(_SYMBOLS)]
    return tuple(_SYMBOLS if word.startswith(_SYMBOLS) else word for word in words), symbols


def _with_symbols(words: Iterable[str], symbols: Iterable[str]) -> list[str]:
    return [word + ",".join(symbols) if word == _SYMBOLS else word for word in words]


def _merged_first(step: NextStep) -> tuple[int, int, int]:
    merged = sum(candles for series, candles in step.fills if series.is_merged)
    return step.awaited_ms or 0, -merged, -sum(candles for _, candles in step.fills)
