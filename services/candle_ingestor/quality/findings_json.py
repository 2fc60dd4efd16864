"""Findings as JSON values and as a table; docs/quality.md describes every field. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from candle_ingestor.model.csv_text import csv_text
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.quality.findings import Finding

FORMAT_VERSION = 1

COLUMNS = (
    *("rule", "exchange", "symbol", "timeframe", "start", "end", "value", "threshold", "unit"),
    *("figures", "words"),
)
"""The columns of the CSV, in their order."""


def quality_json(
    findings: Sequence[Finding], candles: Mapping[Series, int], store: str, now_ms: int
) -> dict[str, Any]:
    """All findings, and which series they were looked for in."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "now": iso_text(now_ms),
        "series": [{**series.fields, "candles": count} for series, count in candles.items()],
        "findings": [finding_json(finding) for finding in findings],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "rule": finding.rule.value,
        "exchange": finding.exchange,
        "symbol": str(finding.symbol),
        "timeframe": str(finding.timeframe),
        "start": iso_text(finding.interval.start_ms),
        "end": iso_text(finding.interval.end_ms),
        "value": _rounded(finding.value),
        "threshold": _rounded(finding.threshold),
        "unit": finding.unit,
        "figures": {name: _rounded(value) for name, value in finding.figures.items()},
        "words": finding.words,
    }


def quality_csv(findings: Iterable[Finding]) -> str:
    """A header, and a row a finding; figures as `name=value`, set apart by spaces."""
    return csv_text(COLUMNS, map(_row, findings))


def _row(finding: Finding) -> dict[str, Any]:
    fields = finding_json(finding)
    figures = fields["figures"].items()
    return {**fields, "figures": " ".join(f"{name}={value:g}" for name, value in figures)}


def _rounded(value: float) -> float:
    """Four digits after the point: more is not known."""
    return round(float(value), 4)
