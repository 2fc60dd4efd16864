"""The quality watch over what a command is asked for, as flags tune it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.quality.findings import Finding
from candle_ingestor.quality.tuning import Tuning
from candle_ingestor.quality.watching import markets_of, watch_market


@dataclass(frozen=True)
class Watched:
    """What the watch found.

    Attributes:
        by_head: the findings of each market, by the series that stands for its symbol.
        candles: how many candles of which series were looked at.
    """

    by_head: Mapping[Series, Sequence[Finding]]
    candles: Mapping[Series, int]

    @property
    def findings(self) -> list[Finding]:
        """All of them, market by market."""
        return [one for found in self.by_head.values() for one in found]


def watch(
    config: Config, ledger: Ledger, heads: Collection[Series], span: Interval | None = None
) -> Watched:
    """Looks at the candles of these series, and of what they are made from.

    Args:
        span: where; None for all that is stored.

    Raises:
        StoreError: if the store cannot be read.
    """
    said = config.quality
    tuning = Tuning(said.rules or frozenset(QualityRule), said.sensitivity, said.thresholds)
    by_head: dict[Series, list[Finding]] = {}
    candles: dict[Series, int] = {}
    for market in markets_of(ledger, list(heads)):
        found = watch_market(ledger, market, span, tuning)
        candles |= found.candles
        for one in found.findings:
            head = market.merged or Series(one.exchange, one.symbol, one.timeframe)
            by_head.setdefault(head, []).append(one)
    return Watched(by_head, candles)
