"""Where candles come from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from candle_ingestor.model.intervals import IntervalSet


class Origin(StrEnum):
    """A kind of source of one exchange's candles."""

    ENDPOINT = "candle_endpoint"
    TRADES = "trades"
    ARCHIVE = "archive"


Origins = Mapping[Origin, IntervalSet]
"""Intervals by where their candles came from; what none names came from the candle endpoint."""


def with_origin(origins: Origins, origin: Origin, span: IntervalSet, known: IntervalSet) -> Origins:
    """The origins after everything in `span` was replaced by what is `known` from `origin`."""
    changed = {each: intervals - span for each, intervals in origins.items()}
    if origin is not Origin.ENDPOINT:
        changed[origin] = changed.get(origin, IntervalSet()) | known
    return {each: intervals for each, intervals in changed.items() if intervals}
