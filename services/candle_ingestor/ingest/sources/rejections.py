"""Counts and logs the rejected rows of an answer that was taken (rule M8)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from candle_ingestor.exchanges.rows import shown_raw
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.ingest.sources.sift import RejectedRow
from candle_ingestor.model.series import Series

log = logging.getLogger(__name__)

_MOST_LOGGED = 5


def note_rejected(
    series: Series, rows: Sequence[RejectedRow], counts: SourceCounts, what: str
) -> None:
    """Adds the rows to the counts, and logs the first of them. `what` says what was done."""
    counts.rejected += len(rows)
    counts.last_rejection = rows[-1].why if rows else counts.last_rejection
    for row in rows[:_MOST_LOGGED]:
        log.warning("%s: %s, %s: %s", series, what, row.why, shown_raw(row.raw))
    if len(rows) > _MOST_LOGGED:
        more = len(rows) - _MOST_LOGGED
        log.warning("%s: rejected %d more rows of the same answer", series, more)
