"""How much has to be wrong for a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from candle_ingestor.quality.findings import Rule


@dataclass(frozen=True)
class Tuning:
    """What the user says of rules and thresholds.

    Attributes:
        rules: those that are looked for.
        sensitivity: learnt thresholds are divided by it; above 1 more is found.
        thresholds: fixed ones in the unit of the rule, in place of learnt ones.
    """

    rules: frozenset[Rule] = frozenset(Rule)
    sensitivity: float = 1.0
    thresholds: Mapping[Rule, float] = field(default_factory=dict)

    def threshold(self, rule: Rule, learnt: float) -> float:
        """What a value of the rule has to be above, where `learnt` follows from the series."""
        return self.thresholds.get(rule, learnt / self.sensitivity)


DEFAULT_TUNING = Tuning()
