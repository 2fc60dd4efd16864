"""Gaps as JSON values and as a table; docs/looking.md describes every field. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from candle_ingestor.completeness.gap_list import ListedGap, SeriesGaps, worst_first
from candle_ingestor.completeness.remedies import Remedy
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text

FORMAT_VERSION = 1


def gaps_json(found: Sequence[SeriesGaps], store: str, now_ms: int) -> dict[str, Any]:
    """All gaps, the worst first, and how much of each month is known."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "now": iso_text(now_ms),
        "gaps": [_gap(listed) for listed in worst_first(found)],
        "series": [
            {
                **names_json(each.series),
                "months": [
                    {"month": str(share.month), "wanted": share.wanted, "covered": share.covered}
                    for share in each.months
                ],
            }
            for each in found
        ],
    }


COLUMNS = (
    *("exchange", "symbol", "timeframe", "start", "end", "candles", "reason", "status", "since"),
    *("attempts", "last_error", "command", "files", "page"),
)
"""The columns of the CSV, in their order."""


def gaps_csv(found: Sequence[SeriesGaps]) -> str:
    """A header, and a row a gap, the worst first; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for listed in worst_first(found):
        fields = _gap(listed)
        remedy = fields.pop("remedy")
        files = remedy["files"]
        fields["command"] = remedy["command"]
        fields["files"] = "; ".join(each.words for each in listed.remedy.files)
        fields["page"] = files[0]["page"] if files else None
        writer.writerow(fields)
    return text.getvalue()


def names_json(series: Series) -> dict[str, str]:
    """What identifies a series."""
    return {
        "exchange": series.exchange,
        "symbol": str(series.symbol),
        "timeframe": str(series.timeframe),
    }


def _gap(listed: ListedGap) -> dict[str, Any]:
    interval, reason = listed.gap
    past = listed.past
    return {
        **names_json(listed.series),
        "start": iso_text(interval.start_ms),
        "end": iso_text(interval.end_ms),
        "candles": listed.candles,
        "reason": reason.value,
        "status": listed.status.value,
        "since": None if past.since_ms is None else iso_text(past.since_ms),
        "attempts": past.attempts,
        "last_error": past.last_error,
        "remedy": remedy_json(listed.remedy),
    }


def remedy_json(remedy: Remedy) -> dict[str, Any]:
    """A remedy's command, and the files that it takes."""
    return {
        "command": remedy.command,
        "files": [
            {"file": each.file, "archive": each.archive or None, "page": each.page}
            for each in remedy.files
        ],
    }
