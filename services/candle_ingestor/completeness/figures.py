"""Numbers of candle lengths that are wanted and covered, and their sums. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from candle_ingestor.model.gaps import GapReason

_DECIMALS = 4


@dataclass(frozen=True)
class Figures:
    """How much of something is wanted, and what is known of it, in candle lengths.

    Attributes:
        wanted: how much a run wanted.
        covered: how much of it is known: candles, and candle lengths without a trade.
        candles: how many candles are stored of it.
        gaps: how much of it each reason leaves open; together all that is not covered.
    """

    wanted: int = 0
    covered: int = 0
    candles: int = 0
    gaps: Mapping[GapReason, int] = field(default_factory=dict)

    @property
    def no_trade(self) -> int:
        """How much of it is known to have had no trade."""
        return self.covered - self.candles

    @property
    def completeness_pct(self) -> float | None:
        """What is covered of what is wanted, in percent; None where nothing is wanted.

        Rounded down to four decimals, so that only all of it is 100.
        """
        return share_pct(self.covered, self.wanted, _DECIMALS)

    def is_below(self, least_pct: float) -> bool:
        """Whether less than so many percent are covered; never where nothing is wanted."""
        # As it is typed: 99.9 is no sum of powers of two.
        return 100 * self.covered < Fraction(str(least_pct)) * self.wanted


def share_pct(part: int, whole: int, decimals: int) -> float | None:
    """The part in percent, rounded down to so many decimals; None where the whole is nothing.

    Only all of it is 100.
    """
    if not whole:
        return None
    units: int = 10**decimals
    return 100 * units * part // whole / units


def sum_of(many: Iterable[Figures]) -> Figures:
    """All of the figures together."""
    wanted = covered = candles = 0
    gaps: dict[GapReason, int] = {}
    for each in many:
        wanted += each.wanted
        covered += each.covered
        candles += each.candles
        for reason, count in each.gaps.items():
            gaps[reason] = gaps.get(reason, 0) + count
    return Figures(wanted, covered, candles, gaps)
