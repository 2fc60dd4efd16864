"""Minutes at which exchanges differ by more than the rules allow (rule M5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from candle_ingestor.merge.by_minute import merge_by_minute
from candle_ingestor.merge.deviations import Disagreement, Exclusion
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Merging
from candle_ingestor.page.content import Mark

EXCLUDED = "excluded"
DISAGREEING = "disagreeing"


@dataclass(frozen=True)
class Differing:
    """The marks of some time, and how many minutes of each kind it has."""

    marks: list[Mark]
    excluded: int = 0
    disagreeing: int = 0


def differing_minutes(
    merging: Merging, covered: IntervalSet, frames: Mapping[Series, pl.DataFrame]
) -> Differing:
    """What was left out of the merged candles, and where all stayed though some deviate.

    Args:
        merging: what made the minutes, each by its own rules (rule M10).
        covered: of the merged series; elsewhere nothing is merged.
        frames: the candles of its sources in some time, ascending.
    """
    marks: list[Mark] = []
    excluded = disagreeing = 0
    for basis, span in merging.parts(covered):
        parts = {
            source.exchange: candles_within(frames[source], span)
            for source in basis.sources
            if source in frames
        }
        times = _suspicious(parts, float(basis.rules.max_price_deviation))
        if times.is_empty():
            continue
        merged = merge_by_minute(
            {
                exchange: frame.filter(pl.col("open_time_ms").is_in(times.implode()))
                for exchange, frame in parts.items()
            },
            basis.rules,
        )
        marks += [_exclusion(each) for each in merged.exclusions_told]
        marks += [_disagreement(each) for each in merged.disagreements_told]
        excluded += len({each.open_time_ms for each in merged.exclusions_told})
        disagreeing += merged.disagreements
    return Differing(marks, excluded, disagreeing)


def _suspicious(frames: Mapping[str, pl.DataFrame], allowed: float) -> pl.Series:
    """Open times at which the highest price of all exchanges lies that far above the lowest."""
    candles = pl.concat([frame.select("open_time_ms", "low", "high") for frame in frames.values()])
    # No price lies farther from a median than the highest from the lowest; the margin is for the
    # rounding of floats.
    is_far = pl.col("high").max() > pl.col("low").min() * (1 + allowed * (1 - 1e-9))
    found = candles.group_by("open_time_ms").agg(is_far.alias("is_far"))
    return found.filter("is_far")["open_time_ms"].sort()


def _exclusion(told: Exclusion) -> Mark:
    side = "above" if told.off_median_pct > 0 else "below"
    words = (
        f"{told.exchange} was left out: its {told.price} is {told.size_pct:.2f} % {side} the median"
    )
    return Mark(told.open_time_ms, EXCLUDED, told.exchange, told.size_pct, words)


def _disagreement(told: Disagreement) -> Mark:
    words = (
        f"{told.highest} and {told.lowest} disagree, and both stay: the {told.price} of the one is "
        f"{told.above_pct:.2f} % above that of the other"
    )
    return Mark(told.open_time_ms, DISAGREEING, told.highest, told.size_pct, words)
