"""The command report: how complete everything is, and what to do about the rest."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from candle_ingestor.commands.completeness_table import complete_words, print_completeness
from candle_ingestor.commands.download_list import write_download_list
from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.quality_table import print_findings
from candle_ingestor.commands.reading import (
    filling_series,
    nothing_stored,
    print_json,
    print_plain,
    reading,
    shown_series,
)
from candle_ingestor.commands.remedy_place import remedy_place
from candle_ingestor.commands.report_page import open_page, report_page
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.watching import Watched, watch
from candle_ingestor.completeness.remedies import Place
from candle_ingestor.completeness.report import CompletenessReport, ReportParts, make_report
from candle_ingestor.completeness.report_json import report_csv, report_json
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import some_of
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.writable import is_stream, require_writable_file, write_named_file
from candle_ingestor.quality.findings_json import finding_json
from candle_ingestor.symbols.tiers import TIER_FLAG, is_of_tier, require_known_tiers

log = logging.getLogger(__name__)

TOO_INCOMPLETE = 1
"""The exit code where something is less complete than --fail_below."""

_WIDTH_OF_FILES = 1_000
_MOST_NAMED = 5


def report(config: Config, clock: Clock, console: Console) -> int:
    """Tells how complete everything is, whether a job runs or not.

    Returns:
        0; 1 where a symbol is less complete than --fail_below, or nothing is stored.

    Raises:
        ConfigurationError: if a symbol or tier is named that the store knows nothing of, if a file
            cannot be written, or for findings as CSV.
        FullDiskError: if the disk takes no more.
        StoreError: if the store cannot be read.
    """
    _refuse_unwritable(config)
    if config.run.format == "csv" and config.run.has_findings:
        raise ConfigurationError(
            "--findings: the CSV of the report has no place for findings; give --format=json, or "
            "use the command quality --format=csv"
        )
    text = io.StringIO()
    page = console
    if config.run.output is not None:
        page = Console(file=text, highlight=False, width=_WIDTH_OF_FILES)
    with reading(config, clock) as store:
        ledger = Ledger(store)
        found = _made(config, ledger, clock.now_ms())
        if config.run.format == "html":
            with make_progress(config.run.progress) as progress:
                html = report_page(config, ledger, found, progress)
            print_plain(page, html)
        elif found.series or config.run.format != "text":
            watched = _watched(config, ledger, found) if config.run.has_findings else None
            _PRINTERS[config.run.format](found, watched, page)
        else:
            say(page, nothing_stored(store))
    if config.run.output is not None:
        write_named_file("--output", config.run.output, text.getvalue())
        if not is_stream(config.run.output):
            say(console, f"The report is in {config.run.output}")
        _open_if_wanted(config, config.run.output)
    if config.run.download_list_path is not None:
        write_download_list(found.downloads, config.run.download_list_path)
    return _judged(found, config.run.fail_below)


def write_page(config: Config, clock: Clock, path: Path, place: Place) -> None:
    """Writes the page of what is stored, whole or not at all, and opens it if that is wanted.

    `place` is what the commands of its remedies say of the store.

    Raises:
        ConfigurationError: if the file cannot be written.
        StoreError: if the store cannot be read.
    """
    with reading(config, clock) as store:
        ledger = Ledger(store)
        found = _made(config, ledger, clock.now_ms(), place)
        with make_progress(config.run.progress) as progress:
            page = report_page(config, ledger, found, progress)
    write_named_file("--output", path, page)
    _open_if_wanted(config, path)


def _open_if_wanted(config: Config, path: Path) -> None:
    if config.run.opens and not open_page(path):
        log.warning("--open: no browser was found here; open %s with one yourself", path)


def _made(
    config: Config, ledger: Ledger, now_ms: int, place: Place | None = None
) -> CompletenessReport:
    shown = shown_series(config, ledger, with_exchanges=True, with_derived=False)
    shown = _of_tiers(config, ledger, shown)
    parts = ReportParts(
        ledger,
        ledger.store.description,
        now_ms,
        config.candles.settle_seconds,
        filling=filling_series(config, ledger),
        place=place or remedy_place(config, ledger),
    )
    return make_report(parts, shown)


def _watched(config: Config, ledger: Ledger, found: CompletenessReport) -> Watched:
    with make_progress(config.run.progress) as progress:
        return watch(config, ledger, [each.series for each in found.counted], progress)


def _of_tiers(config: Config, ledger: Ledger, shown: list[Series]) -> list[Series]:
    """Those of the series whose symbol has one of the tiers of --tier."""
    named = config.symbols.tiers
    if not named or not shown:
        return shown
    tiers = {each: _tiers_of(ledger, each) for each in shown}
    known = [tier for each in tiers.values() for tier in each]
    if not known:
        raise ConfigurationError(
            f"{TIER_FLAG}={','.join(named)}: {ledger.store.description} knows no tiers; a run "
            "remembers those that its list of symbols names"
        )
    require_known_tiers(named, known, f"nothing in {ledger.store.description} has")
    return [each for each in shown if any(is_of_tier(tier, named) for tier in tiers[each])]


def _tiers_of(ledger: Ledger, series: Series) -> list[int | str]:
    """The tier of its symbol, and of those that are merged from it."""
    of_series = (ledger.record(each).tier for each in (series, *ledger.dependents(series)))
    return [tier for tier in of_series if tier is not None]


def _print_text(found: CompletenessReport, watched: Watched | None, console: Console) -> None:
    print_completeness(found, console)
    if watched is not None:
        console.print()
        print_findings(watched.findings, watched.candles, console)


def _print_json(found: CompletenessReport, watched: Watched | None, console: Console) -> None:
    findings = None if watched is None else list(map(finding_json, watched.findings))
    print_json(console, {**report_json(found), "findings": findings})


def _print_csv(found: CompletenessReport, _: Watched | None, console: Console) -> None:
    print_plain(console, report_csv(found))


_PRINTERS: Mapping[str, Callable[[CompletenessReport, Watched | None, Console], None]] = {
    "text": _print_text,
    "json": _print_json,
    "csv": _print_csv,
}


def _judged(found: CompletenessReport, least_pct: float | None) -> int:
    """The exit code, and why, in the log: standard output may be read by a program."""
    if least_pct is None:
        return 0
    flag = f"--fail_below={least_pct:g}"
    if not any(each.figures.wanted for each in found.counted):
        log.error("%s: nothing is stored yet, so that nothing is complete", flag)
        return TOO_INCOMPLETE
    below = found.below(least_pct)
    if not below:
        log.info("Nothing is less complete than %s", flag)
        return 0
    words = [f"{each.name} at {complete_words(each.figures)}" for each in below]
    how_many = f"{len(below):,} of {len(found.counted):,}"
    log.error("Less complete than %s: %s, %s", flag, how_many, some_of(words, _MOST_NAMED))
    return TOO_INCOMPLETE


def _refuse_unwritable(config: Config) -> None:
    if config.run.output is None and (config.run.opens or config.run.format == "html"):
        flag = "--open" if config.run.opens else "--format=html"
        raise ConfigurationError(f"{flag}: add --output=PATH, the file that the page is written to")
    if config.run.output is not None and not config.is_given("format"):
        form = config.run.output.suffix.removeprefix(".").lower()
        if form in ("html", "json", "csv"):
            log.warning(
                "--output: %s gets the report as text; --format=%s makes it %s",
                *(config.run.output, form, form.upper()),
            )
    for flag, path in (
        ("--output", config.run.output),
        ("--download_list_path", config.run.download_list_path),
    ):
        if path is not None:
            require_writable_file(flag, path)
