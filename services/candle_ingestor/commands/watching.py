"""The quality watch over what a command is asked for, as flags tune it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.operations.progress import Progress
from candle_ingestor.quality.findings import Finding
from candle_ingestor.quality.tuning import Tuning
from candle_ingestor.quality.watching import Market, MarketWatch, markets_of

_MONTHS = "months of candles"


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
    config: Config,
    ledger: Ledger,
    heads: Collection[Series],
    progress: Progress,
    span: Interval | None = None,
) -> Watched:
    """Looks at the candles of these series, and of what they are made from.

    Args:
        span: where; None for all that is stored.

    Raises:
        StoreError: if the store cannot be read.
    """
    tuning = tuning_of(config)
    watches = [
        MarketWatch(ledger, market, span, tuning) for market in markets_of(ledger, list(heads))
    ]
    progress.begin("Reading candles", {_MONTHS: sum(len(watch.months) for watch in watches)})
    by_head: dict[Series, Sequence[Finding]] = {}
    candles: dict[Series, int] = {}
    for watch in watches:
        found = watch.read(lambda: progress.advance(_MONTHS, 1))
        candles |= found.candles
        by_head |= findings_by_head(watch.market, found.findings)
    return Watched(by_head, candles)


def tuning_of(config: Config) -> Tuning:
    """How flags tune the watch."""
    said = config.quality
    return Tuning(said.rules or frozenset(QualityRule), said.sensitivity, said.thresholds)


def findings_by_head(market: Market, findings: Iterable[Finding]) -> dict[Series, list[Finding]]:
    """The findings of a market by the series that stands for the symbol."""
    found: dict[Series, list[Finding]] = {}
    for one in findings:
        head = market.merged or Series(one.exchange, one.symbol, one.timeframe)
        found.setdefault(head, []).append(one)
    return found
