"""Merging minute by minute against merging in columns: the same floats and words either way."""

from __future__ import annotations

import random
from fractions import Fraction

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from candle_ingestor.merge import weighting
from candle_ingestor.merge.by_column import merge_by_column
from candle_ingestor.merge.by_minute import merge_by_minute
from candle_ingestor.merge.deviations import MOST_TOLD, Disagreement, Exclusion
from candle_ingestor.merge.minute import merge_minute
from candle_ingestor.merge.weighting import CANDLES_MERGED_BY_MINUTE, merge_candles
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe

MINUTE_MS = 60_000
EXCHANGES = ("kraken", "binance", "coinbaseexchange", "bitstamp", "gemini")
Candle = tuple[float, float, float, float, float]

NOISY_VOLUMES = [0.1 + 0.2, 0.26833389999999996, 5.1 * 3, 1e22 / 3, 2 / 3, 1e-7 / 3, 1e15 / 7]
volumes = st.one_of(
    st.sampled_from([0.0, 0.0, -0.0, 1.0, 0.5, 1e-8, 3e-12, 1e16, 1e17, 9e18, 1e20, 1e23, 1e300]),
    st.sampled_from(NOISY_VOLUMES),
    st.integers(0, 10**14).map(lambda count: count / 10**8),
    st.integers(1, 10**6).map(lambda count: count / 100 * 1.1),
    st.floats(1e-12, 1e15),
)


@st.composite
def candles(draw: st.DrawFn, middle: int, unit: int) -> Candle:
    spread = draw(st.sampled_from([0, 2, middle // 20, middle // 20 + 1, middle // 3, 3 * middle]))
    prices = sorted(draw(st.integers(middle, middle + spread)) / unit for _ in range(4))
    low, opened, close, high = prices
    return (opened, high, low, close, draw(volumes))


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[str, pl.DataFrame], MergeRules]:
    names = EXCHANGES[: draw(st.integers(1, 5))]
    middle = draw(st.sampled_from([1, 100, 1954, 2_314_371, 10**9 + 7, 10**13, 2**52 - 9, 10**17]))
    unit = 10 ** draw(st.sampled_from([0, 2, 2, 5, 8, 12, 25]))
    frames = {}
    for name in names:
        minutes = draw(st.sets(st.integers(0, 5), min_size=1))
        rows = [(m * MINUTE_MS, *draw(candles(middle, unit))) for m in sorted(minutes)]
        frames[name] = pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")
    deviation_pct = draw(st.sampled_from([5.0, 5.0, 0.0, 0.1, 33.3, 1e6]))
    return frames, MergeRules(names, 1, deviation_pct, draw(st.sampled_from(HighLow)))


@settings(max_examples=400)
@given(markets())
def test_minute_by_minute_and_columns_give_the_same(
    drawn: tuple[dict[str, pl.DataFrame], MergeRules],
) -> None:
    frames, rules = drawn
    few, many = merge_by_minute(frames, rules), merge_by_column(frames, rules)
    assert_frame_equal(few.candles, many.candles, check_exact=True)
    assert few.excluded == many.excluded
    assert few.disagreements == many.disagreements
    assert sorted(few.exclusions_told) == sorted(many.exclusions_told)
    assert [*few.disagreements_told] == [*many.disagreements_told]


def test_a_volume_of_minus_nothing_beside_float_noise_that_is_left_out_is_none() -> None:
    flat = (1.0, 1.0, 1.0, 1.0)
    candles = {
        "kraken": (*flat, -0.0),
        "binance": (*flat, -0.0),
        "bitstamp": (1.0, 2.0, 1.0, 1.0, 0.1 + 0.2),
    }
    frames = {
        # Of one row alone columns make no use.
        name: pl.DataFrame(
            [(0, *values), (MINUTE_MS, *values)], schema=EXCHANGE_CANDLES, orient="row"
        )
        for name, values in candles.items()
    }
    merged = merge_by_column(frames, MergeRules(tuple(frames), 1))
    assert merged.candles.row(0) == (0, *flat, 0.0, "kraken,binance", 2)


BOUND_PRICES = [2.0**52 / 10.0**digits for digits in range(23)]


@given(
    st.sampled_from(BOUND_PRICES),
    st.integers(-2, 2),
    st.integers(0, 10**12),
    st.sampled_from(HighLow),
)
@example(0.1, 0, 0, HighLow.WEIGHTED)
def test_they_give_the_same_at_the_edges_of_a_scale(
    bound: float, steps: int, volume_count: int, high_low: HighLow
) -> None:
    edge = bound * (1 + steps * 2.0**-52)
    frames = {
        name: pl.DataFrame(
            [(0, price, price, price, price, volume)], schema=EXCHANGE_CANDLES, orient="row"
        )
        for name, price, volume in (
            ("kraken", edge, edge),
            ("binance", edge * (1 - 2.0**-20), volume_count / 10**6),
        )
    }
    rules = MergeRules(("kraken", "binance"), 1, high_low=high_low)
    few, many = merge_by_minute(frames, rules), merge_by_column(frames, rules)
    assert_frame_equal(few.candles, many.candles, check_exact=True)


def test_a_long_interval_merged_at_once_equals_its_short_parts() -> None:
    minutes = CANDLES_MERGED_BY_MINUTE
    names = EXCHANGES[:3]
    drawn = random.Random(11)
    frames = {name: walk(drawn, minutes) for name in names}
    covered = {name: IntervalSet.of(0, minutes * MINUTE_MS) for name in names}
    rules = MergeRules(names, 2)

    def merged(start: int, end: int) -> weighting.MergedCandles:
        span = Interval(start * MINUTE_MS, end * MINUTE_MS)
        return merge_candles(frames, covered, span, Timeframe(1), rules)

    whole = merged(0, minutes)
    parts = [merged(start, start + 100) for start in range(0, minutes, 100)]
    assert_frame_equal(whole.candles, pl.concat(part.candles for part in parts), check_exact=True)
    assert whole.disagreements == sum(part.disagreements for part in parts) > 0
    assert dict(whole.excluded) == {
        name: sum(part.excluded.get(name, 0) for part in parts) for name in names
    }


def test_of_many_deviating_minutes_the_first_and_the_worst_of_each_kind_are_told() -> None:
    names = EXCHANGES[:3]
    minutes = 3 * MOST_TOLD
    prices = {name: [64.0] * minutes for name in names}
    for minute in range(0, minutes, 2):
        prices["kraken"][minute] = 72.0
    prices["kraken"][-2], prices["binance"][-1] = 48.0, 96.0
    frames = {
        name: pl.DataFrame(
            [(n * MINUTE_MS, price, price, price, price, 1.0) for n, price in enumerate(column)],
            schema=EXCHANGE_CANDLES,
            orient="row",
        )
        for name, column in prices.items()
    }

    told = merge_by_column(frames, MergeRules(names, 1))
    assert told.excluded == {"kraken": minutes // 2, "binance": 1}
    first = [Exclusion(n * MINUTE_MS, "kraken", "open", 12.5) for n in range(0, 40, 2)]
    worst = Exclusion((minutes - 2) * MINUTE_MS, "kraken", "open", -25.0)
    other = Exclusion((minutes - 1) * MINUTE_MS, "binance", "open", 50.0)
    assert told.exclusions_told == [*first, worst, other]

    frames.pop(names[2])
    told = merge_by_column(frames, MergeRules(names, 1))
    assert told.disagreements == minutes // 2 + 1
    first_told = [
        Disagreement(n * MINUTE_MS, "open", "kraken", "binance", 12.5) for n in range(0, 40, 2)
    ]
    last = (minutes - 1) * MINUTE_MS
    assert told.disagreements_told[:MOST_TOLD] == first_told
    assert told.disagreements_told[MOST_TOLD:] == [
        Disagreement(last, "open", "binance", "kraken", 50.0)
    ]


def test_a_price_of_nothing_is_told_as_far_off_and_stops_no_merge() -> None:
    nothing = dict.fromkeys(("kraken", "bitstamp"), (0.0, 0.0, 0.0, 0.0, 1.0))
    candles = {**nothing, "binance": (1e300, 1e300, 1e-300, 1.0, 1.0)}
    frames = {
        name: pl.DataFrame(
            [(0, *values), (MINUTE_MS, *values)], schema=EXCHANGE_CANDLES, orient="row"
        )
        for name, values in candles.items()
    }
    rules = MergeRules(tuple(frames), 1)
    for merge in (merge_by_minute, merge_by_column):
        told = merge(frames, rules).exclusions_told
        assert told == [Exclusion(n * MINUTE_MS, "binance", "open", 1e9) for n in (0, 1)]
        two = {name: frames[name] for name in ("kraken", "binance")}
        [first, _] = merge(two, rules).disagreements_told
        assert first == Disagreement(0, "open", "binance", "kraken", 1e9)


def walk(drawn: random.Random, minutes: int) -> pl.DataFrame:
    rows = []
    for minute in range(minutes):
        if drawn.random() < 0.1:
            continue
        price = (2_314_371 + drawn.randrange(-900, 900)) / 100
        if drawn.random() < 0.02:
            price *= 2
        volume = drawn.choice([0.0, drawn.randrange(10**9) / 1e8, drawn.random() * 3])
        rows.append((minute * MINUTE_MS, price, price + 0.5, price - 0.25, price, volume))
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


@given(st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=2), st.floats(0, 1e300))
def test_values_no_column_can_hold_become_the_nearest_floats(
    prices: list[float], volume: float
) -> None:
    candles = [(price, price, price, price, volume) for price in prices]
    merged = merge_minute(candles, Fraction(1, 20), HighLow.WEIGHTED)
    exact = sum(map(decimal_of, prices), Fraction(0)) / 2
    if not all(10**-8 < price < 10**15 for price in prices):
        assert merged.values[0] == float(exact)


def decimal_of(value: float) -> Fraction:
    return Fraction(repr(value))
