"""What the flags say of the quality watch."""

from __future__ import annotations

import math

from candle_ingestor.config.given import FlagValues
from candle_ingestor.config.groups import QualityConfig
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.texts import did_you_mean, quoted


def quality_from_flags(values: FlagValues) -> QualityConfig:
    """The rules and thresholds that are named.

    Raises:
        ConfigurationError: if there is no such rule, or a threshold is no positive number.
    """
    return QualityConfig(
        rules=frozenset(_rule("quality_rules", name) for name in values.quality_rules),
        sensitivity=values.quality_sensitivity,
        thresholds=dict(_threshold(text) for text in values.quality_thresholds),
        fails_on_findings=values.fail_on_findings,
    )


def _rule(flag: str, name: str) -> QualityRule:
    try:
        return QualityRule(name.strip().lower())
    except ValueError as error:
        rules = [rule.value for rule in QualityRule]
        hint = did_you_mean(name, rules, f"there are {', '.join(rules)}")
        raise ConfigurationError(f"--{flag}: {quoted(name)} is no rule; {hint}") from error


def _threshold(text: str) -> tuple[QualityRule, float]:
    name, _, number = text.partition(":")
    rule = _rule("quality_thresholds", name)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(
            f"--quality_thresholds: {quoted(text)} has no positive number; write it as "
            f"{rule.value}:30"
        )
    return rule, value
