"""Gaps as JSON values and as a table; docs/looking.md describes every field. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candle_ingestor.completeness.gap_list import ListedGap, SeriesGaps, worst_first
from candle_ingestor.completeness.remedies import Remedy
from candle_ingestor.model.csv_text import csv_text
from candle_ingestor.model.times import iso_text, iso_text_if

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
                **each.series.fields,
                "months": [
                    {
                        "month": str(share.month),
                        "wanted": share.wanted,
                        "covered": share.covered,
                        "not_listed_yet": share.not_listed_yet,
                    }
                    for share in each.months
                ],
            }
            for each in found
        ],
    }


COLUMNS = (
    *("exchange", "symbol", "timeframe", "start", "end", "candles", "reason", "status", "since"),
    *("filled", "attempts", "last_error", "command", "files", "page"),
)
"""The columns of the CSV, in their order."""


def gaps_csv(found: Sequence[SeriesGaps]) -> str:
    """A header, and a row a gap, the worst first; what is not known is empty."""
    return csv_text(COLUMNS, map(_row, worst_first(found)))


def _row(listed: ListedGap) -> dict[str, Any]:
    fields = _gap(listed)
    del fields["remedy"]
    remedy = listed.remedy
    return {
        **fields,
        "command": remedy.command,
        "files": "; ".join(each.words for each in remedy.files),
        "page": remedy.files[0].page if remedy.files else None,
    }


def _gap(listed: ListedGap) -> dict[str, Any]:
    interval, reason = listed.gap
    past = listed.past
    return {
        **listed.series.fields,
        "start": iso_text(interval.start_ms),
        "end": iso_text(interval.end_ms),
        "candles": listed.candles,
        "reason": reason.value,
        "status": listed.status.value,
        "since": iso_text_if(past.since_ms),
        "filled": iso_text_if(past.filled_ms),
        "attempts": past.attempts,
        "last_error": past.last_error,
        "remedy": remedy_json(listed.remedy),
    }


def remedy_json(remedy: Remedy) -> dict[str, Any]:
    """A remedy's command, and the files that it takes."""
    return {
        "command": remedy.command,
        "files": [
            {
                "file": each.file,
                "archive": each.archive or None,
                "page": each.page,
                "published_from": iso_text(each.published_from_ms),
            }
            for each in remedy.files
        ],
    }
