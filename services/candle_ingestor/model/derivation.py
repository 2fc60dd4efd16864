"""What the series of a coarser timeframe is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series

WHOLE_PCT = 100.0
"""The share of its time that a candle's source must cover, unless less is asked for."""


@dataclass(frozen=True)
class Derivation:
    """What a derived series is made by.

    Attributes:
        source: the series of the same exchange and symbol whose candles are put together.
        min_coverage_pct: how much of a candle's time `source` must cover, in percent, above 0.
        partial: the candle lengths of which `source` covers enough, and not all. They are covered.
        stale: candle lengths of which a candle may be stored that is no longer what `source` makes
            of them; none of it is covered.

    Raises:
        ValueError: if the share is not above 0 and at most 100.
    """

    source: Series
    min_coverage_pct: float = WHOLE_PCT
    partial: IntervalSet = EMPTY
    stale: IntervalSet = EMPTY

    def __post_init__(self) -> None:
        if not 0 < self.min_coverage_pct <= WHOLE_PCT:
            raise ValueError(
                f"min_coverage_pct must be above 0 and at most 100, not {self.min_coverage_pct}"
            )

    @property
    def takes_parts(self) -> bool:
        """Whether a candle may be made of a part of its time."""
        return self.min_coverage_pct < WHOLE_PCT

    def made(self, span: IntervalSet, partial: IntervalSet) -> Derivation:
        """The derivation after all that is stored in `span` was replaced."""
        if not (partial or self.partial or self.stale):
            return self
        return replace(self, partial=(self.partial - span) | partial, stale=self.stale - span)

    def with_stale(self, span: IntervalSet) -> Derivation:
        """The derivation after what made the candles of `span` has changed."""
        return replace(self, partial=self.partial - span, stale=self.stale | span)

    def within(self, kept: IntervalSet) -> Derivation:
        """The derivation with no word on what lies outside `kept`."""
        return replace(self, partial=self.partial & kept, stale=self.stale & kept)
