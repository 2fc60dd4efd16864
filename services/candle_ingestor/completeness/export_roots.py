"""Which folders the series of a store were exported to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.series_record import SeriesRecord

_KIND = "|".join(re.escape(each.value) for each in (*ExportFormat, *Fill))
_KINDS = re.compile(rf" \((?:{_KIND})(?:, (?:{_KIND}))*\)$")


def export_roots(records: Iterable[SeriesRecord]) -> list[str]:
    """The absolute data roots that records remember exports to, sorted, whatever the format."""
    targets = {target for record in records for target in record.exports.backlog}
    return sorted({_KINDS.sub("", target) for target in targets})
