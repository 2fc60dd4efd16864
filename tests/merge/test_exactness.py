"""Merging against an independent exact computation (rules M2 to M6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merged_market import (
    EXCHANGES,
    MINUTE_MS,
    Candle,
    Coverage,
    Market,
    frame,
    merge,
    minutes_set,
)

from candle_ingestor.merge.weighting import MergedCandles, merge_candles
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class Expected:
    values: tuple[Fraction, ...]
    sources: tuple[str, ...]
    excluded: tuple[str, ...]
    disagrees: bool


def decimal_of(value: float) -> Fraction:
    return Fraction(Decimal(repr(value)))


def middle(values: list[Fraction]) -> Fraction:
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def expected_minute(candles: Mapping[str, Candle], rules: MergeRules) -> Expected:
    exact = {name: [decimal_of(value) for value in candle] for name, candle in candles.items()}
    allowed = decimal_of(rules.max_price_deviation_pct) / 100
    out: list[str] = []
    for name, candle in exact.items():
        for i in range(4):
            centre = middle([other[i] for other in exact.values()])
            if abs(candle[i] - centre) / centre > allowed:
                out.append(name)
                break
    disagrees = bool(out) and (len(exact) < 3 or len(out) == len(exact))
    if disagrees:
        out = []
    stay = {name: candle for name, candle in exact.items() if name not in out}
    volume = sum((candle[4] for candle in stay.values()), Fraction(0))
    weights = {name: candle[4] if volume else Fraction(1) for name, candle in stay.items()}
    weight = sum(weights.values(), Fraction(0))
    prices = [
        sum((weights[name] * stay[name][i] for name in stay), Fraction(0)) / weight
        for i in range(4)
    ]
    if rules.high_low is HighLow.EXTREMES:
        prices[1] = max(candle[1] for candle in stay.values())
        prices[2] = min(candle[2] for candle in stay.values())
    return Expected((*prices, volume), tuple(stay), tuple(out), disagrees)


def expected_minutes(
    market: Market, covered: Coverage, rules: MergeRules
) -> tuple[dict[int, Expected], set[int]]:
    minutes = {minute for known in covered.values() for minute in known}
    enough = {
        minute
        for minute in minutes
        if sum(minute in covered.get(name, ()) for name in rules.exchanges) >= rules.min_exchanges
    }
    merged = {}
    for minute in enough:
        candles = {
            name: market[name][minute]
            for name in rules.exchanges
            if minute in covered.get(name, ()) and minute in market.get(name, {})
        }
        if candles:
            merged[minute] = expected_minute(candles, rules)
    return merged, enough


def significant_digits(value: Fraction) -> int | None:
    """Of the decimal text, None where it has no end."""
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    return len(str(int(value * 10 ** max(twos, fives))).rstrip("0"))


def scaled(value: Fraction, digits: int) -> int:
    return math.floor(value * 10**digits + Fraction(1, 2))


def assert_as_near_as_a_float_can_be(found: float, exact: Fraction) -> None:
    nearest = float(exact)
    assert abs(found - nearest) <= 2 * math.ulp(nearest)
    assert abs(decimal_of(found) - exact) <= abs(exact) / 10**9
    if found != nearest:
        digits = significant_digits(exact)
        assert digits is None or digits > 15


def assert_equal_to_the_exact_computation(
    result: MergedCandles, market: Market, covered: Coverage, rules: MergeRules
) -> dict[int, Expected]:
    expected, enough = expected_minutes(market, covered, rules)
    assert result.covered == minutes_set(enough)
    assert dict(result.candles.schema) == MERGED_CANDLES
    assert result.candles["open_time_ms"].to_list() == [m * MINUTE_MS for m in sorted(expected)]
    for open_time_ms, *values, sources, count in result.candles.iter_rows():
        minute = expected[open_time_ms // MINUTE_MS]
        for found, exact in zip(values, minute.values, strict=True):
            assert_as_near_as_a_float_can_be(found, exact)
        assert sources == ",".join(minute.sources)
        assert count == len(minute.sources)
        opened, high, low, close, _ = values
        assert low <= min(opened, close)
        assert high >= max(opened, close)
    excluded = [name for minute in expected.values() for name in minute.excluded]
    assert dict(result.excluded) == {name: excluded.count(name) for name in set(excluded)}
    assert result.disagreements == sum(minute.disagrees for minute in expected.values())
    return expected


@st.composite
def candles(draw: st.DrawFn, base: int, decimals: int) -> Candle:
    unit = 10**decimals
    spread = draw(st.sampled_from([2, 2, base // 20 + 1, base // 10 + 1]))
    prices = sorted(draw(st.lists(st.integers(base, base + spread), min_size=4, max_size=4)))
    if draw(st.integers(0, 7)) == 0:
        factor = draw(st.sampled_from([2, 3, 50]))
        prices = [price * factor for price in prices]
    low, opened, close, high = (float(Decimal(price) / unit) for price in prices)
    if draw(st.booleans()):
        opened, close = close, opened
    volume = draw(
        st.one_of(
            st.just(0.0),
            st.sampled_from([1.0, 0.5, 0.26833389999999996, 0.1 + 0.2, 1e-8, 3e-12, 1e17, 9e18]),
            st.integers(0, 10**14).map(lambda q: float(Decimal(q) / 10**8)),
            st.floats(1e-9, 1e12),
        )
    )
    return (opened, high, low, close, volume)


@st.composite
def markets(draw: st.DrawFn, minutes: int = 6) -> tuple[Market, Coverage, MergeRules]:
    names = EXCHANGES[: draw(st.integers(1, 4))]
    decimals = draw(st.sampled_from([0, 2, 2, 5, 8, 12]))
    base = draw(st.sampled_from([1, 100, 1954, 2_314_371, 99_999_999, 10**13, 10**16 + 1]))
    silent = st.integers(0, 4).map(lambda n: n == 0)
    market: Market = {}
    covered: Coverage = {}
    for name in names:
        covered[name] = {m for m in range(minutes) if not draw(silent)}
        market[name] = {
            m: draw(candles(base, decimals)) for m in range(minutes) if not draw(silent)
        }
    rules = MergeRules(
        names,
        draw(st.integers(1, len(names))),
        draw(st.sampled_from([5.0, 5.0, 0.0, 0.1, 100.0])),
        draw(st.sampled_from(HighLow)),
    )
    return market, covered, rules


@settings(max_examples=200)
@given(markets())
def test_merged_candles_equal_the_exact_computation(
    drawn: tuple[Market, Coverage, MergeRules],
) -> None:
    market, covered, rules = drawn
    result = merge(market, covered, rules, 6)
    assert_equal_to_the_exact_computation(result, market, covered, rules)


@settings(max_examples=50)
@given(markets(), st.integers(0, 6))
def test_an_interval_merged_in_two_parts_gives_the_same_candles(
    drawn: tuple[Market, Coverage, MergeRules], cut: int
) -> None:
    market, covered, rules = drawn
    frames = {name: frame(rows) for name, rows in market.items()}
    known = {name: minutes_set(minutes) for name, minutes in covered.items()}
    whole, before, after = (
        merge_candles(frames, known, Interval(a * MINUTE_MS, b * MINUTE_MS), Timeframe(1), rules)
        for a, b in ((0, 6), (0, cut), (cut, 6))
    )
    assert pl.concat([before.candles, after.candles]).equals(whole.candles)
    assert before.covered | after.covered == whole.covered


RECORDED = Path(__file__).parents[3] / "shared" / "data" / "market_2023_03_1m"
RECORDED_FILES = {
    "coinbaseexchange": "coinbase_BTC-USD",
    "binanceus": "binanceus_BTC-USD",
    "cryptocom": "cryptocom_BTC-USD",
    "kraken": "kraken_BTC-USD",
}
RECORDED_START_MINUTE = 1_677_628_800_000 // MINUTE_MS
RECORDED_MINUTES = 20_160


@pytest.fixture(scope="module")
def recorded_market() -> Market:
    if not RECORDED.is_dir():
        pytest.skip(f"the recorded market is not at {RECORDED}")
    market = {}
    for exchange, name in RECORDED_FILES.items():
        rows = pl.read_csv(RECORDED / f"{name}.csv.gz", infer_schema=False)
        market[exchange] = {
            int(row[0]) // MINUTE_MS: (
                float(row[1]),
                float(row[2]),
                float(row[3]),
                float(row[4]),
                float(row[5]),
            )
            for row in rows.iter_rows()
        }
    return market


@pytest.mark.parametrize(
    ("exchanges", "deviation_pct", "minutes"),
    [(3, 5.0, RECORDED_MINUTES), (4, 5.0, RECORDED_MINUTES), (4, 0.2, 3_000)],
    ids=["three exchanges", "four exchanges", "a strict deviation"],
)
def test_the_recorded_market_merges_as_the_exact_computation_says(
    recorded_market: Market, exchanges: int, deviation_pct: float, minutes: int
) -> None:
    names = tuple(RECORDED_FILES)[:exchanges]
    market = {name: recorded_market[name] for name in names}
    all_minutes = range(RECORDED_START_MINUTE, RECORDED_START_MINUTE + minutes)
    covered = {name: set(all_minutes) for name in names}
    rules = MergeRules(names, 3, deviation_pct)
    result = merge(market, covered, rules, all_minutes.stop)
    expected = assert_equal_to_the_exact_computation(result, market, covered, rules)
    for open_time_ms, *values, _, _ in result.candles.iter_rows():
        exact = expected[open_time_ms // MINUTE_MS].values
        for found_value, exact_value, digits in zip(values, exact, (2, 2, 2, 2, 8), strict=True):
            assert scaled(decimal_of(found_value), digits) == scaled(exact_value, digits)
