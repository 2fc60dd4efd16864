"""Candles of exchanges by minute, and what they are merged to."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from candle_ingestor.merge.weighting import MergedCandles, merge_candles
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.timeframe import Timeframe

MINUTE_MS = 60_000
Candle = tuple[float, float, float, float, float]
Market = dict[str, dict[int, Candle]]
Coverage = dict[str, set[int]]
EXCHANGES = ("kraken", "binance", "coinbaseexchange", "bitstamp")


def frame(candles: Mapping[int, Candle]) -> pl.DataFrame:
    rows = [(minute * MINUTE_MS, *values) for minute, values in sorted(candles.items())]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def minutes_set(minutes: set[int]) -> IntervalSet:
    return IntervalSet((minute * MINUTE_MS, (minute + 1) * MINUTE_MS) for minute in minutes)


def merge(market: Market, covered: Coverage, rules: MergeRules, minutes: int) -> MergedCandles:
    return merge_candles(
        {name: frame(candles) for name, candles in market.items()},
        {name: minutes_set(known) for name, known in covered.items()},
        Interval(0, minutes * MINUTE_MS),
        Timeframe(1),
        rules,
    )
