"""A verification on the screen, in 80 columns: what was compared, and the worst differences."""

from __future__ import annotations

from rich.console import Console

from candle_ingestor.commands.saying import say
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted, percent, shortened
from candle_ingestor.model.times import iso_text, minute_text
from candle_ingestor.verify.asking import SeriesChecked
from candle_ingestor.verify.findings import Check, Difference, Findings, Kind
from candle_ingestor.verify.report import VerifyReport, ranked

_MOST_LISTED = 20
_LONGEST_ERROR = 200
_KINDS = {
    Kind.MISSING: "not stored",
    Kind.SURPLUS: "stored, and not to be there",
    Kind.VALUES: "with other values",
    Kind.UNFOUNDED: "called known without enough exchanges",
    Kind.BAD_MANIFEST: "with a manifest that cannot be read",
    Kind.MISSING_FILE: "without its file",
    Kind.WRONG_DIGEST: "with another file",
    Kind.OTHER_ROWS: "with other rows than the store's",
    Kind.OTHER_FACTS: "of which the manifest says what is not so",
    Kind.MISSING_MONTH: "not in the manifest",
    Kind.UNLISTED_FILE: "in no manifest",
    Kind.OTHER_COUNT: "with another number of candles than its record says",
}
_THINGS = {
    Check.EXCHANGE: ("exchange candle", "exchange candles"),
    Check.MERGED: ("merged candle", "merged candles"),
    Check.PARTITION: ("month", "months"),
    Check.COUNT: ("month", "months"),
}


def print_verification(report: VerifyReport, console: Console) -> None:
    """Prints what was compared, the worst differences first, and what to do."""
    if report.seed is not None:
        say(console, f"Sample of {report.sample:,}; --seed={report.seed} draws it again.")
    for checked in report.series.values():
        say(console, _series_words(checked, report.findings))
    for merged in report.merged.values():
        differing = report.findings.by_series[Check.MERGED, merged.series]
        said = f"{_name(merged.series)}: {merged.compared:,} made again"
        say(console, said + _differing(differing))
    for folder in report.folders:
        differing = len(folder.differences)
        said = f"{folder.folder}: {counted(folder.months, 'month')} compared"
        if folder.pending:
            said += f", of {folder.pending:,} only the file"
        say(console, said + _differing(differing))
    for exchange in report.exchanges.values():
        if exchange.error:
            why = shortened(exchange.error, _LONGEST_ERROR)
            say(console, f"{exchange.exchange} could not be asked for all: {why}", "red")
    _print_differences(report, console)
    for error in report.errors:
        say(console, error, "red")
    _print_end(report, console)


def difference_words(difference: Difference) -> str:
    """One difference, as a person reads it."""
    said = _name(difference.series)
    if difference.words:
        when = "" if difference.month else f" {_when(difference)}"
        return f"{said}{when}: {difference.words}"
    said += f" {_when(difference)}: "
    if difference.kind is Kind.MISSING:
        return said + f"not stored; right is {_all_values(difference.found)}"
    if difference.kind is Kind.SURPLUS:
        return said + f"{_all_values(difference.stored)} is stored, and there is none"
    parts = [
        f"{name} {_value(before)} is stored, right is {_value(difference.found[name])}"
        for name, before in difference.stored.items()
    ]
    return said + "; ".join(parts) + f" ({percent(difference.size_pct)})"


def _series_words(checked: SeriesChecked, findings: Findings) -> str:
    name = _name(checked.series)
    if checked.not_askable:
        return f"{name}: not compared: {checked.not_askable}"
    said = f"{name}: {checked.compared:,} compared"
    said += _differing(findings.by_series[Check.EXCHANGE, checked.series])
    notes = [f"{candles:,} {reason}" for reason, candles in sorted(checked.unanswered.items())]
    left = []
    if checked.provisional:
        left.append(f"{checked.provisional:,} provisional")
    if checked.beyond_reach:
        left.append(f"{checked.beyond_reach:,} beyond reach")
    if left:
        said += f"; left out {', '.join(left)}"
    return said + (f"; not answered: {', '.join(notes)}" if notes else "")


def _print_differences(report: VerifyReport, console: Console) -> None:
    worst = report.findings.worst_first[:_MOST_LISTED]
    for difference in worst:
        say(console, difference_words(difference), "yellow")
    more = report.findings.total - len(worst)
    if more:
        say(console, f"and {more:,} more; --format=json has up to 100")
    for (check, kind), found in ranked(report.findings):
        said = f"{counted(found, *_THINGS[check])} {_KINDS[kind]}"
        if report.repairs:
            said += f", {report.findings.repaired[check, kind]:,} repaired"
        say(console, said)


def _print_end(report: VerifyReport, console: Console) -> None:
    if report.stop_reason is not None:
        say(console, f"Stopped by {report.stop_reason}; what was not compared is left open.")
    if report.repairs and report.findings.total:
        files = counted(len(report.files_written), "file")
        candles = counted(report.candles_changed, "candle")
        say(console, f"Repaired: {candles} changed in the store, {files} written.")
    if report.findings.left and report.repairs:
        say(
            console,
            "What is left cannot be mended so. A complete month takes --restate as well; "
            "of the rest the lines above say what to do.",
            "red",
        )
    elif report.findings.left:
        say(console, "Nothing was written. --repair replaces what differs.", "red")
    elif not report.findings.total and report.stop_reason is None and not report.is_short:
        if report.compared:
            say(console, "All that was compared agrees.", "green")
        else:
            say(console, "Nothing was compared.", "yellow")


def _when(difference: Difference) -> str:
    interval = difference.interval
    if interval is None:
        return ""
    if interval.duration_ms == difference.series.timeframe.duration_ms:
        return minute_text(interval.start_ms)
    return f"{iso_text(interval.start_ms)} to {iso_text(interval.end_ms)}"


def _differing(count: int) -> str:
    return f", {count:,} differ" if count else ""


def _name(series: Series) -> str:
    return f"merged {series.title}" if series.is_merged else series.title


def _all_values(values: object) -> str:
    assert isinstance(values, dict)
    return "/".join(_value(value) for value in values.values())


def _value(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
