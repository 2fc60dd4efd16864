"""The status as JSON values and as a table; docs/looking.md describes every field. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candle_ingestor.completeness.status import SeriesStatus
from candle_ingestor.model.csv_text import csv_text
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.times import iso_text, iso_text_if

FORMAT_VERSION = 1


def status_json(statuses: Sequence[SeriesStatus], store: str, now_ms: int) -> dict[str, Any]:
    """All statuses, and what store and time they are of."""
    return {
        "format_version": FORMAT_VERSION,
        "store": store,
        "now": iso_text(now_ms),
        "series": [_fields(status) for status in statuses],
    }


def status_csv(statuses: Sequence[SeriesStatus]) -> str:
    """A header, and a row a series; what is not known is empty."""
    rows = [_flat(_fields(status)) for status in statuses]
    return csv_text(COLUMNS, rows)


def _fields(status: SeriesStatus) -> dict[str, Any]:
    run = status.last_run
    return {
        **status.series.fields,
        "first": iso_text_if(status.first_ms),
        "last": iso_text_if(status.last_ms),
        "minutes_behind": status.minutes_behind,
        "wanted": status.wanted,
        "covered": status.covered,
        "completeness_pct": status.completeness_pct,
        "candles": status.candles,
        "no_trade": status.no_trade,
        "months_wanted": status.months_wanted,
        "months_complete": status.months_complete,
        "gap_candles": {reason.value: status.gaps.get(reason, 0) for reason in GapReason},
        "price_digits": status.price_digits,
        "volume_digits": status.volume_digits,
        "size_bytes": status.size_bytes,
        "last_run": None
        if run is None
        else {
            "run_id": run.run_id,
            "started": iso_text(run.started_ms),
            "status": run.status,
            "ticker_status": run.ticker_status,
        },
    }


_PLAIN = (
    *("exchange", "symbol", "timeframe", "first", "last", "minutes_behind", "wanted", "covered"),
    *("completeness_pct", "candles", "no_trade", "months_wanted", "months_complete"),
)
_ENDING = ("price_digits", "volume_digits", "size_bytes")
_LAST_RUN = ("run_id", "started", "status", "ticker_status")
COLUMNS = (
    *_PLAIN,
    *(f"gap_{reason.value}" for reason in GapReason),
    *_ENDING,
    *(f"last_run_{name}" for name in _LAST_RUN),
)
"""The columns of the CSV, in their order."""


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    run = fields["last_run"] or {}
    return {
        **{name: fields[name] for name in (*_PLAIN, *_ENDING)},
        **{f"gap_{reason}": candles for reason, candles in fields["gap_candles"].items()},
        **{f"last_run_{name}": run.get(name) for name in _LAST_RUN},
    }
