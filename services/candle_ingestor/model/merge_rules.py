"""The rules a merged series is made by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

_FINEST_PCT = Decimal("1e-9")


class HighLow(StrEnum):
    """How merged high and low are made (rule M3)."""

    WEIGHTED = "weighted"
    EXTREMES = "extremes"


@dataclass(frozen=True)
class MergeRules:
    """What decides a merged candle, apart from the candles themselves (rule M10).

    Attributes:
        exchanges: in flag order, which is the order of provenance (M6).
        min_exchanges: how many of them must cover a minute (M2); 1 or more.
        max_price_deviation_pct: how far a price may lie from the median of three or more (M5).
        high_low: whether high and low are weighted as open and close are, or the extremes (M3).
        quote_aliases: pairs of (quote, stand-in), as in (("USD", "USDT"),) (M7).

    Raises:
        ValueError: if the values contradict each other or are out of range.
    """

    exchanges: tuple[str, ...]
    min_exchanges: int
    max_price_deviation_pct: float = 5.0
    high_low: HighLow = HighLow.WEIGHTED
    quote_aliases: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.exchanges or len(set(self.exchanges)) != len(self.exchanges):
            raise ValueError(f"exchanges must be some and distinct, not {self.exchanges}")
        if not 1 <= self.min_exchanges <= len(self.exchanges):
            raise ValueError(
                f"min_exchanges must be from 1 to {len(self.exchanges)} (the exchanges given), "
                f"not {self.min_exchanges}"
            )
        pct = self.max_price_deviation_pct
        if not math.isfinite(pct) or not 0 <= pct <= 1e6 or Decimal(repr(pct)) % _FINEST_PCT:
            raise ValueError(
                "max_price_deviation_pct must be from 0 to 1,000,000 with at most 9 decimals, "
                f"not {pct}"
            )

    @property
    def max_price_deviation(self) -> Fraction:
        """The deviation that M5 allows, as an exact share of the median."""
        return Fraction(Decimal(repr(self.max_price_deviation_pct))) / 100

    def to_json(self) -> dict[str, Any]:
        """The rules as JSON values; `from_json` reads them back."""
        return {
            "exchanges": list(self.exchanges),
            "min_exchanges": self.min_exchanges,
            "max_price_deviation_pct": self.max_price_deviation_pct,
            "high_low": self.high_low.value,
            "quote_aliases": [list(pair) for pair in self.quote_aliases],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MergeRules:
        """The rules that `to_json` wrote.

        Raises:
            ValueError: if the values are none.
        """
        try:
            return cls(
                exchanges=_texts(values["exchanges"]),
                min_exchanges=int(values["min_exchanges"]),
                max_price_deviation_pct=float(values["max_price_deviation_pct"]),
                high_low=HighLow(values["high_low"]),
                quote_aliases=tuple(
                    (str(quote), str(stand_in)) for quote, stand_in in values["quote_aliases"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the rules of a merged series: {values!r} ({error!r})") from error

    def differences(self, newer: MergeRules) -> list[str]:
        """What `newer` changes, one text a rule such as `min_exchanges: 2 -> 3`."""
        return [
            f"{field.name}: {_shown(old)} -> {_shown(new)}"
            for field in fields(self)
            if (old := getattr(self, field.name)) != (new := getattr(newer, field.name))
        ]


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError("a list is expected, not a text")
    return tuple(str(value) for value in values)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        parts = (":".join(part) if isinstance(part, tuple) else str(part) for part in value)
        return ",".join(parts) or "none"
    return str(value)
