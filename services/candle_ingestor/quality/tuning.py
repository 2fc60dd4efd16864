"""How much has to be wrong for a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from candle_ingestor.model.quality_rules import QualityRule


@dataclass(frozen=True)
class Tuning:
    """What the user says of rules and thresholds.

    Attributes:
        rules: those that are looked for.
        sensitivity: learnt thresholds are divided by it; above 1 more is found.
        thresholds: fixed ones in the unit of the rule, in place of learnt ones.
    """

    rules: frozenset[QualityRule] = frozenset(QualityRule)
    sensitivity: float = 1.0
    thresholds: Mapping[QualityRule, float] = field(default_factory=dict)

    def threshold(self, rule: QualityRule, learnt: float) -> float:
        """What a value of the rule has to be above, where `learnt` follows from the series."""
        return self.thresholds.get(rule, learnt / self.sensitivity)

    def thresholds_of(self, rule: QualityRule, learnt: pl.Series) -> pl.Series:
        """The same, row by row."""
        fixed = self.thresholds.get(rule)
        if fixed is None:
            return learnt / self.sensitivity
        return pl.Series([fixed], dtype=pl.Float64).new_from_index(0, learnt.len())


DEFAULT_TUNING = Tuning()
