"""Fills a page from what the other commands that look tell. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from candle_ingestor.completeness.gap_list import listed_gaps, urgency
from candle_ingestor.completeness.runs import figures_of
from candle_ingestor.completeness.series_report import SeriesReport
from candle_ingestor.completeness.standing import standing_of
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.page.content import (
    PageFile,
    PageFinding,
    PageGap,
    PageRun,
    PageSeries,
)
from candle_ingestor.quality.findings import Finding
from candle_ingestor.settle.accounting import wanted_of


def page_series(ledger: Ledger, report: SeriesReport, closed_end_ms: int) -> PageSeries:
    """How a series stands; `closed_end_ms` is the end of the newest candle that is closed."""
    record = ledger.record(report.series)
    standing = standing_of(record, report.series.timeframe, wanted_of(record, closed_end_ms))
    figures = report.figures
    return PageSeries(
        series=report.series,
        first_ms=standing.first_ms,
        last_ms=standing.last_ms,
        minutes_behind=standing.minutes_behind,
        wanted=figures.wanted,
        covered=figures.covered,
        candles=figures.candles,
        no_trade=figures.no_trade,
        months=report.months,
        digits=standing.price_digits,
        tier=None if report.tier is None else str(report.tier),
    )


def page_gaps(
    ledger: Ledger, reports: Sequence[SeriesReport], *, filling: Collection[Series]
) -> tuple[PageGap, ...]:
    """The gaps of the series that are reported, the worst first."""
    fresh = {
        (report.series, reported.gap)
        for report in reports
        for reported in report.gaps
        if reported.is_fresh
    }
    listed = [
        one
        for report in reports
        for one in listed_gaps(
            report.series,
            ledger.record(report.series),
            [(reported.gap, reported.remedy) for reported in report.gaps],
            filling=filling,
        )
    ]
    return tuple(
        PageGap(
            series=one.series,
            interval=one.gap.interval,
            candles=one.candles,
            reason=one.gap.reason.value,
            status=one.status.value,
            since_ms=one.past.since_ms,
            command=one.remedy.command,
            files=tuple(PageFile(file.words, file.page) for file in one.remedy.files),
            last_error=one.past.last_error,
            is_fresh=(one.series, one.gap) in fresh,
        )
        for one in sorted(listed, key=urgency)
    )


def page_runs(reports: Iterable[Mapping[str, Any]]) -> tuple[PageRun, ...]:
    """The runs in their order."""
    return tuple(_page_run(report) for report in reports)


def page_finding(finding: Finding) -> PageFinding:
    """A finding of the quality watch."""
    return PageFinding(
        rule=finding.rule,
        exchange=finding.exchange,
        interval=finding.interval,
        words=finding.words,
        figures={finding.unit: finding.value, **finding.figures},
        threshold=finding.threshold,
    )


def _page_run(report: Mapping[str, Any]) -> PageRun:
    figures = figures_of(report)
    return PageRun(
        run_id=figures["run_id"],
        status=figures["status"],
        started_ms=report["started_ms"],
        seconds=figures["seconds"],
        requests=figures["requests"],
        candles=figures["candles"],
        merged_candles=figures["merged_candles"],
        gap_candles=figures["gap_candles"],
        error=figures["error"] or figures["stop_reason"],
        command=figures["command"],
    )
