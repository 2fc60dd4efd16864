"""An exchange that shows no candle for far longer than it usually does, while others trade."""

from __future__ import annotations

from collections.abc import Iterator

from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.panel import Panel
from candle_ingestor.quality.still_minutes import long_runs
from candle_ingestor.quality.tuning import Tuning


def suspected_outages(panel: Panel, tuning: Tuning) -> Iterator[Found]:
    """Long silence. Minutes that are not covered are no silence, they are a gap."""
    for series, side in panel.sides.items():
        silent = side["known"] & side["open"].is_null()
        yield from long_runs(panel, series, QualityRule.SUSPECTED_OUTAGE, silent, tuning)
