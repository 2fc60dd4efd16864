"""What settling did for one symbol."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.merge.deviations import MOST_TOLD, Disagreement, Exclusion
from candle_ingestor.merge.weighting import MergedCandles
from candle_ingestor.model.gaps import Gap

log = logging.getLogger(__name__)

Deviation = TypeVar("Deviation", bound=Exclusion | Disagreement)


@dataclass
class Told(Generic[Deviation]):
    """The deviating minutes that a report tells of, however many there are.

    Attributes:
        first: the first ones, ascending by time, at most `MOST_TOLD`.
        worst: the one that deviates most; None where there is none.
    """

    first: list[Deviation] = field(default_factory=list)
    worst: Deviation | None = None

    def add(self, found: Iterable[Deviation]) -> None:
        """Takes some more, of whatever time."""
        all_of_them = [*self.first, *found]
        self.first = sorted(all_of_them)[:MOST_TOLD]
        worst = all_of_them if self.worst is None else [self.worst, *all_of_them]
        self.worst = max(worst, key=lambda each: each.size_pct, default=None)


@dataclass
class MergeCounts:
    """What merging did to one symbol.

    Attributes:
        candles: how many merged candles came to be, changed or went.
        disagreements, excluded: as in `MergedCandles`, of all minutes that were merged.
        exclusions_told: by exchange.
    """

    candles: int = 0
    disagreements: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    exclusions_told: dict[str, Told[Exclusion]] = field(default_factory=dict)
    disagreements_told: Told[Disagreement] = field(default_factory=Told)

    def note(self, merged: MergedCandles) -> None:
        """Adds what deviated in a piece that was merged."""
        self.disagreements += merged.disagreements
        self.excluded.update(merged.excluded)
        for exchange in merged.excluded:
            found = [each for each in merged.exclusions_told if each.exchange == exchange]
            self.exclusions_told.setdefault(exchange, Told()).add(found)
        if merged.disagreements:
            self.disagreements_told.add(merged.disagreements_told)


@dataclass
class TickerOutcome:
    """What settling did for one symbol, and what is left open.

    Attributes:
        errors: why it is not done; empty if it is.
        rule_changes: what differs from the rules that its past was merged by, in words.
        derived_candles: how many candles of coarser timeframes came to be, changed or went.
        gaps: what is wanted of the merged series and not covered.
        is_exported: whether its CSV was brought in line.
    """

    symbol: str
    merged: MergeCounts = field(default_factory=MergeCounts)
    rule_changes: list[str] = field(default_factory=list)
    derived_candles: int = 0
    gaps: list[Gap] = field(default_factory=list)
    wanted_candles: int = 0
    covered_candles: int = 0
    files_written: list[str] = field(default_factory=list)
    is_exported: bool = False
    errors: list[str] = field(default_factory=list)

    def fail(self, message: str) -> None:
        """Marks the symbol as not done, for each reason once."""
        if message not in self.errors:
            self.errors.append(message)

    @contextmanager
    def on_its_own(self) -> Iterator[None]:
        """Within it, what nobody foresaw fails this symbol and stops no other (rule F2)."""
        try:
            yield
        except CandleIngestorError:
            raise
        except Exception as error:
            log.exception("%s: an unforeseen failure; the other symbols go on", self.symbol)
            self.fail(f"an unforeseen failure: {error!r}; the log tells where")
