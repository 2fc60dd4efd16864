"""What a verification found: differences by kind, the worst of them kept. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series

MOST_KEPT = 1_000

Values = Mapping[str, float | int | str]


class Check(StrEnum):
    """What is compared with what is stored."""

    EXCHANGE = "exchange"
    MERGED = "merged"
    PARTITION = "partition"
    COUNT = "count"


class Kind(StrEnum):
    """How what is stored differs.

    Of candles: one is missing from the store, one is there that should not be, or has other
    values; a merged minute is called known that too few exchanges cover. Of partitions: see
    `verify.partitions`. Of counts: a month has another number of candles than its record says.
    """

    MISSING = "missing"
    SURPLUS = "surplus"
    VALUES = "values"
    UNFOUNDED = "unfounded"
    BAD_MANIFEST = "bad_manifest"
    MISSING_FILE = "missing_file"
    WRONG_DIGEST = "wrong_digest"
    OTHER_ROWS = "other_rows"
    OTHER_FACTS = "other_facts"
    MISSING_MONTH = "missing_month"
    UNLISTED_FILE = "unlisted_file"
    OTHER_COUNT = "other_count"


@dataclass(frozen=True)
class Difference:
    """One candle, interval or month that differs.

    Attributes:
        interval: the candle length, or the time that it is of; None of a whole folder.
        month: of a partition.
        stored, found: the values that differ, as they are stored and as they should be.
        size_pct: how far the worst value is off; infinite where that cannot be told in numbers.
        words: what differs, for people; empty where the values say it.
        origin: where the stored candle came from.
    """

    check: Check
    kind: Kind
    series: Series
    interval: Interval | None = None
    month: Month | None = None
    stored: Values = field(default_factory=dict)
    found: Values = field(default_factory=dict)
    size_pct: float = float("inf")
    words: str = ""
    origin: str = ""


@dataclass
class Findings:
    """All differences counted, the worst kept.

    Attributes:
        counts: how many differences of each check and kind there are.
        repaired: how many of each were brought in line.
        by_series: how many each series has, by check.
    """

    counts: Counter[tuple[Check, Kind]] = field(default_factory=Counter)
    repaired: Counter[tuple[Check, Kind]] = field(default_factory=Counter)
    by_series: Counter[tuple[Check, Series]] = field(default_factory=Counter)
    _worst: list[tuple[float, int, Difference]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def add(self, difference: Difference, *, is_repaired: bool = False) -> None:
        """Takes one difference."""
        key = (difference.check, difference.kind)
        self.counts[key] += 1
        self.by_series[difference.check, difference.series] += 1
        if is_repaired:
            self.repaired[key] += 1
        entry = (difference.size_pct, -next(self._order), difference)
        if len(self._worst) < MOST_KEPT:
            heapq.heappush(self._worst, entry)
        else:
            heapq.heappushpop(self._worst, entry)

    @property
    def worst_first(self) -> list[Difference]:
        """The worst differences, at most `MOST_KEPT`."""
        return [difference for _, _, difference in sorted(self._worst, reverse=True)]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """How many differences are still there."""
        return self.total - sum(self.repaired.values())


def minutes_of(differences: list[Difference]) -> IntervalSet:
    """The time that the differences are of."""
    found = [each.interval for each in differences if each.interval is not None]
    return IntervalSet(found) if found else EMPTY
