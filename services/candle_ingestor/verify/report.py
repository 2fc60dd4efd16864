"""What a verification came to, and its JSON; docs/verify.md describes every key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text, iso_text_if
from candle_ingestor.verify.asking import ExchangeChecked, SeriesChecked, could_not_be_asked
from candle_ingestor.verify.findings import Check, Difference, Findings, Kind
from candle_ingestor.verify.partitions import FolderChecked

FORMAT_VERSION = 1
MOST_LISTED = 100


@dataclass
class MergedChecked:
    """How many candle lengths of a merged series were made again and compared."""

    series: Series
    compared: int = 0


@dataclass
class VerifyReport:
    """What was compared, and what differs.

    Attributes:
        sample: how many candle lengths were to be drawn; None for a whole span.
        seed: which ones; None for a whole span.
        start_ms, end_ms: the span that was asked for; None where it is open.
        repairs: whether what differs was replaced.
        candles_changed: how many candles of exchanges and merged ones a repair wrote or removed.
        files_written: what a repair exported.
        errors: what a repair could not bring in line.
        stop_reason: why it ended early, if it did.
    """

    sample: int | None
    seed: int | None
    start_ms: int | None
    end_ms: int | None
    repairs: bool
    exchanges: dict[str, ExchangeChecked] = field(default_factory=dict)
    series: dict[Series, SeriesChecked] = field(default_factory=dict)
    merged: dict[Series, MergedChecked] = field(default_factory=dict)
    folders: list[FolderChecked] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    candles_changed: int = 0
    files_written: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stop_reason: str | None = None

    @property
    def is_short(self) -> bool:
        """Whether something that an exchange could have told was not heard."""
        return could_not_be_asked(self.exchanges.values(), self.series.values())

    @property
    def compared(self) -> int:
        """How much was compared: candle lengths of exchanges and merged ones, and months."""
        asked = sum(each.compared for each in self.series.values())
        merged = sum(each.compared for each in self.merged.values())
        return asked + merged + sum(each.months for each in self.folders)

    @property
    def status(self) -> str:
        """`differs`, `not_asked`, `stopped`, `repaired` or `agrees`, the first that is so."""
        if self.findings.left or self.errors:
            return "differs"
        if self.is_short:
            return "not_asked"
        if self.stop_reason is not None:
            return "stopped"
        return "repaired" if self.findings.total else "agrees"


def verify_json(report: VerifyReport, store: str, now_ms: int) -> dict[str, Any]:
    """The report as JSON values, with the worst differences first."""
    findings = report.findings
    listed = findings.worst_first[:MOST_LISTED]
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "now": iso_text(now_ms),
        "status": report.status,
        "sample": report.sample,
        "seed": report.seed,
        "start": iso_text_if(report.start_ms),
        "end": iso_text_if(report.end_ms),
        "repair": report.repairs,
        "stop_reason": report.stop_reason,
        "exchanges": [
            {"exchange": each.exchange, "requests": each.requests, "error": each.error}
            for each in report.exchanges.values()
        ],
        "series": [_series(each, findings) for each in report.series.values()],
        "merged": [
            {
                **each.series.fields,
                "compared": each.compared,
                "differing": findings.by_series[Check.MERGED, each.series],
            }
            for each in report.merged.values()
        ],
        "partitions": [
            {
                **each.series.fields,
                "format": each.file_format.value,
                "folder": str(each.folder),
                "months": each.months,
                "pending": each.pending,
                "differing": len(each.differences),
            }
            for each in report.folders
        ],
        "counts": [
            {
                "check": check.value,
                "kind": kind.value,
                "found": found,
                "repaired": findings.repaired[check, kind],
            }
            for (check, kind), found in ranked(findings)
        ],
        "differences": [difference_json(each) for each in listed],
        "differences_left_out": findings.total - len(listed),
        "candles_changed": report.candles_changed,
        "files_written": report.files_written,
        "errors": report.errors,
    }


def ranked(findings: Findings) -> list[tuple[tuple[Check, Kind], int]]:
    """How many differences there are of each check and kind, most first."""
    return sorted(findings.counts.items(), key=lambda item: (-item[1], item[0]))


def difference_json(difference: Difference) -> dict[str, Any]:
    """One difference as JSON values; what is not so of its kind is null."""
    interval, month = difference.interval, difference.month
    size_pct = difference.size_pct
    return {
        "check": difference.check.value,
        "kind": difference.kind.value,
        **difference.series.fields,
        "start": None if interval is None else iso_text(interval.start_ms),
        "end": None if interval is None else iso_text(interval.end_ms),
        "month": None if month is None else str(month),
        "stored": _values(difference.stored),
        "found": _values(difference.found),
        "size_pct": None if size_pct == float("inf") else size_pct,
        "source": difference.origin or None,
        "words": difference.words or None,
    }


def _values(values: Mapping[str, Any]) -> dict[str, Any] | None:
    return dict(values) or None


def _series(checked: SeriesChecked, findings: Findings) -> dict[str, Any]:
    return {
        **checked.series.fields,
        "known": checked.known,
        "provisional": checked.provisional,
        "beyond_reach": checked.beyond_reach,
        "chosen": checked.chosen,
        "compared": checked.compared,
        "differing": findings.by_series[Check.EXCHANGE, checked.series],
        "unanswered": dict(sorted(checked.unanswered.items())),
        "not_asked": checked.not_askable or None,
    }
