"""Merging of exchanges' candles into volume-weighted ones (rules M2 to M6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from candle_ingestor.merge.by_column import merge_by_column
from candle_ingestor.merge.by_minute import merge_by_minute
from candle_ingestor.merge.deviations import Disagreement, Exclusion
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.grid import whole_lengths
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet, covered_at_least
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.timeframe import Timeframe

CANDLES_MERGED_BY_MINUTE = 1_500
"""Of all exchanges; where there are more, the cost of planning for columns is paid back."""


@dataclass(frozen=True)
class MergedCandles:
    """The merged part of an interval.

    Attributes:
        candles: columns MERGED_CANDLES, ascending by open time.
        covered: where at least the minimum number of exchanges cover (M2).
        excluded: how many candles of each exchange were left out (M5); only those with some.
        disagreements: minutes with a price farther than allowed from the median where all candles
            stay, since there are two of them or none would be left (M5).
        exclusions_told, disagreements_told: what to tell of these: all of few, of many the first
            ones (of each exchange) and the worst.
    """

    candles: pl.DataFrame
    covered: IntervalSet
    excluded: Mapping[str, int]
    disagreements: int
    exclusions_told: Sequence[Exclusion] = ()
    disagreements_told: Sequence[Disagreement] = ()


def merge_candles(
    candles: Mapping[str, pl.DataFrame],
    covered: Mapping[str, IntervalSet],
    interval: Interval,
    timeframe: Timeframe,
    rules: MergeRules,
) -> MergedCandles:
    """Merges the candles that open in `interval`.

    A float64 stands for its shortest decimal text. A merged value is the float64 nearest to the
    exact result wherever that has at most 15 significant digits, and at most two units in the last
    place off elsewhere; `low <= open, close <= high` always holds.

    Args:
        candles: by exchange, columns EXCHANGE_CANDLES; ascending, unique, after rule M8. One that
            its exchange does not cover takes no part. May be left out for an exchange.
        covered: coverage by exchange; may be left out for one that covers nothing.
        interval: half-open.

    Raises:
        ValueError: if an exchange is none of the rules'.
    """
    strangers = sorted({*candles, *covered} - {*rules.exchanges})
    if strangers:
        raise ValueError(
            f"candles of {', '.join(strangers)}, which the merge rules do not name "
            f"({', '.join(rules.exchanges)})"
        )
    known = {
        exchange: whole_lengths(covered.get(exchange, EMPTY) & IntervalSet((interval,)), timeframe)
        for exchange in rules.exchanges
    }
    merged_part = covered_at_least(known.values(), rules.min_exchanges)
    frames = {
        exchange: candles_within(candles[exchange], known[exchange] & merged_part)
        for exchange in rules.exchanges
        if exchange in candles
    }
    frames = {exchange: frame for exchange, frame in frames.items() if not frame.is_empty()}
    if not frames:
        return MergedCandles(pl.DataFrame(schema=MERGED_CANDLES), merged_part, {}, 0)
    is_small = sum(frame.height for frame in frames.values()) <= CANDLES_MERGED_BY_MINUTE
    merge = merge_by_minute if is_small else merge_by_column
    minutes = merge(frames, rules)
    return MergedCandles(
        minutes.candles,
        merged_part,
        minutes.excluded,
        minutes.disagreements,
        minutes.exclusions_told,
        minutes.disagreements_told,
    )
