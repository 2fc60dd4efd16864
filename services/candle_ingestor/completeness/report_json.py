"""The report as JSON values and as a table; docs/looking.md describes every field. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from candle_ingestor.archives.publications import Publication
from candle_ingestor.completeness.figures import Figures
from candle_ingestor.completeness.gaps_json import remedy_json
from candle_ingestor.completeness.next_steps import NextStep
from candle_ingestor.completeness.report import Attention, CompletenessReport, Total
from candle_ingestor.completeness.series_report import MonthReport, ReportedGap, SeriesReport
from candle_ingestor.model.csv_text import csv_text
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.times import iso_text, iso_text_if

FORMAT_VERSION = 1


def report_json(report: CompletenessReport) -> dict[str, Any]:
    """The whole report."""
    totals = report.totals
    return {
        "format_version": FORMAT_VERSION,
        "store": report.store,
        "now": iso_text(report.now_ms),
        "is_running": report.is_running,
        "series": [_series(each) for each in report.series],
        "totals": {
            "tiers": _totals(totals.tiers),
            "symbols": _totals(totals.symbols),
            "exchanges": _totals(totals.exchanges),
            "timeframes": _totals(totals.timeframes),
            "months": _totals(totals.months),
        },
        "attention": [_attention(each) for each in report.attention],
        "next_steps": [_step(each) for each in report.next_steps],
        "downloads": [_download(each) for each in report.downloads],
    }


_NAMES = ("exchange", "symbol", "timeframe", "tier", "month")
_FIGURES = ("wanted", "covered", "candles", "no_trade", "completeness_pct")
COLUMNS = (*_NAMES, *_FIGURES, *(f"gap_{reason.value}" for reason in GapReason))
"""The columns of the CSV, in their order."""


def report_csv(report: CompletenessReport) -> str:
    """A header, and a row a series and month; what is not known is empty."""
    return csv_text(COLUMNS, (_row(each, month) for each in report.series for month in each.months))


def _row(report: SeriesReport, month: MonthReport) -> dict[str, Any]:
    gaps = month.figures.gaps
    return {
        **report.series.fields,
        "tier": report.tier,
        "month": month.month,
        **_figures(month.figures),
        **{f"gap_{reason.value}": gaps.get(reason, 0) for reason in GapReason},
    }


def _series(report: SeriesReport) -> dict[str, Any]:
    return {
        **report.series.fields,
        "tier": report.tier,
        **_figures(report.figures),
        "gaps": [_gap(each) for each in report.gaps],
        "months": [
            {"month": str(each.month), **_figures(each.figures), **_open(each.figures)}
            for each in report.months
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "wanted": figures.wanted,
        "covered": figures.covered,
        "candles": figures.candles,
        "no_trade": figures.no_trade,
        "completeness_pct": figures.completeness_pct,
    }


def _open(figures: Figures) -> dict[str, dict[str, int]]:
    return {
        "gap_candles": {reason.value: figures.gaps.get(reason, 0) for reason in GapReason},
    }


def _gap(reported: ReportedGap) -> dict[str, Any]:
    interval, reason = reported.gap
    return {
        "start": iso_text(interval.start_ms),
        "end": iso_text(interval.end_ms),
        "candles": reported.candles,
        "reason": reason.value,
        "remedy": remedy_json(reported.remedy),
    }


def _totals(totals: Iterable[Total]) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "timeframe": str(each.timeframe),
            **_figures(each.figures),
            **_open(each.figures),
        }
        for each in totals
    ]


def _attention(one: Attention) -> dict[str, Any]:
    return {**_lacking(one.asset), "lacking": [_lacking(each) for each in one.lacking]}


def _lacking(report: SeriesReport) -> dict[str, Any]:
    return {
        **report.series.fields,
        "tier": report.tier,
        "completeness_pct": report.figures.completeness_pct,
        **_open(report.figures),
    }


def _step(step: NextStep) -> dict[str, Any]:
    return {
        "command": step.command,
        "files": [file.words for file in step.files],
        "fills": [{**series.fields, "candles": candles} for series, candles in step.fills],
        "published_from": iso_text_if(step.awaited_ms),
    }


def _download(file: Publication) -> dict[str, Any]:
    return {
        **file.series.fields,
        "file": file.file,
        "archive": file.archive or None,
        "page": file.page,
        "start": iso_text(file.missing.start_ms),
        "end": iso_text(file.missing.end_ms),
        "candles": file.candles,
        "published_from": iso_text(file.published_from_ms),
    }
