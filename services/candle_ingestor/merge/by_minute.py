"""Merging of a few minutes one by one, which no query is planned for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import compress

import polars as pl

from candle_ingestor.merge.deviations import (
    Disagreement,
    Exclusion,
    disagreement_of,
    exclusions_of,
)
from candle_ingestor.merge.merged_minutes import MergedMinutes
from candle_ingestor.merge.minute import merge_minute
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.merge_rules import MergeRules


def merge_by_minute(frames: Mapping[str, pl.DataFrame], rules: MergeRules) -> MergedMinutes:
    """Merges all candles of the frames as `merge_by_column` does, to the same floats."""
    allowed = rules.max_price_deviation
    minutes: dict[int, dict[str, list[float]]] = {}
    for exchange, frame in frames.items():
        for open_time_ms, *values in frame.rows():
            minutes.setdefault(open_time_ms, {})[exchange] = values
    rows = []
    excluded: Counter[str] = Counter()
    exclusions: list[Exclusion] = []
    disagreements: list[Disagreement] = []
    for open_time_ms, candles in sorted(minutes.items()):
        merged = merge_minute(list(candles.values()), allowed, rules.high_low)
        sources = list(compress(candles, merged.kept))
        if len(sources) < len(candles):
            left_out = [exchange for exchange in candles if exchange not in sources]
            excluded.update(left_out)
            exclusions += exclusions_of(open_time_ms, candles, left_out)
        elif merged.disagrees:
            disagreements.append(disagreement_of(open_time_ms, candles))
        rows.append((open_time_ms, *merged.values, ",".join(sources), len(sources)))
    return MergedMinutes(
        pl.DataFrame(rows, schema=MERGED_CANDLES, orient="row"),
        dict(excluded),
        len(disagreements),
        exclusions,
        disagreements,
    )
