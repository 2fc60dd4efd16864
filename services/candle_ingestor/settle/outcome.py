"""What settling did for one symbol."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.model.gaps import Gap

log = logging.getLogger(__name__)


@dataclass
class MergeCounts:
    """What merging did to one symbol.

    Attributes:
        candles: how many merged candles came to be, changed or went.
        disagreements, excluded: as in `MergedCandles`, of all minutes that were merged.
    """

    candles: int = 0
    disagreements: int = 0
    excluded: Counter[str] = field(default_factory=Counter)


@dataclass
class TickerOutcome:
    """What settling did for one symbol, and what is left open.

    Attributes:
        errors: why it is not done; empty if it is.
        rule_changes: what differs from the rules that its past was merged by, in words.
        gaps: what is wanted of the merged series and not covered.
    """

    symbol: str
    merged: MergeCounts = field(default_factory=MergeCounts)
    rule_changes: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    wanted_candles: int = 0
    covered_candles: int = 0
    files_written: list[str] = field(default_factory=list)
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
