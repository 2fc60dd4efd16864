"""Coarser candles equal an exact computation in fractions, whatever the floats are."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.timeframe import MINUTE_MS, Timeframe
from candle_ingestor.resample.coarser import coarser_candles, derivable

MINUTE = Timeframe(1)
MONDAY_MS = 1_709_510_400_000
Row = tuple[int, float, float, float, float, float]

market_volumes = st.integers(0, 10**13).map(lambda units: units / 10**8)
any_volumes = st.floats(0, 1e300, allow_subnormal=True)
noisy_volumes = market_volumes.map(lambda volume: volume * 1.1)


def rows_of(volumes: st.SearchStrategy[float], most: int = 40) -> st.SearchStrategy[list[Row]]:
    """Candles at some of the minutes of a few lengths."""
    minutes = st.lists(st.integers(0, 60), unique=True, min_size=1, max_size=most).map(sorted)
    dense = st.tuples(st.integers(0, 12), st.integers(1, 40)).map(
        lambda pair: list(range(pair[0] * 5, pair[0] * 5 + pair[1]))
    )
    price = st.integers(1, 10**6).map(lambda units: units / 100)

    def with_values(chosen: list[int]) -> st.SearchStrategy[list[Row]]:
        row = st.tuples(st.tuples(price, price, price, price), volumes)
        return st.lists(row, min_size=len(chosen), max_size=len(chosen)).map(
            lambda values: [
                (MONDAY_MS + m * MINUTE_MS, p[0], max(p), min(p), p[3], v)
                for m, (p, v) in zip(chosen, values, strict=True)
            ]
        )

    return (minutes | dense).flatmap(with_values)


def frame_of(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def exactly(rows: list[Row], timeframe: Timeframe) -> list[Row]:
    """What the rows are put together to, computed one by one."""
    by_open: dict[int, list[Row]] = {}
    for row in rows:
        by_open.setdefault(timeframe.floor_ms(row[0]), []).append(row)
    return [
        (
            open_ms,
            each[0][1],
            max(row[2] for row in each),
            min(row[3] for row in each),
            each[-1][4],
            float(sum(Fraction(repr(row[5])) for row in each)),
        )
        for open_ms, each in sorted(by_open.items())
    ]


@given(rows_of(market_volumes | noisy_volumes | any_volumes), st.sampled_from([5, 15, 60, 10080]))
def test_coarser_candles_are_first_highest_lowest_last_and_the_exact_sum(
    rows: list[Row], minutes: int
) -> None:
    timeframe = Timeframe(minutes)
    assert coarser_candles(frame_of(rows), MINUTE, timeframe).rows() == exactly(rows, timeframe)


@given(rows_of(market_volumes))
def test_in_steps_it_comes_to_the_same_as_at_once(rows: list[Row]) -> None:
    by_steps = frame_of(rows)
    finer = MINUTE
    for text in ("5m", "15m", "1h", "4h", "1d", "1w"):
        coarser = Timeframe.parse(text)
        by_steps = coarser_candles(by_steps, finer, coarser)
        finer = coarser
    assert by_steps.equals(coarser_candles(frame_of(rows), MINUTE, finer))


@given(rows_of(noisy_volumes), st.integers(1, 11))
def test_what_is_made_in_pieces_is_the_same(rows: list[Row], lengths: int) -> None:
    timeframe = Timeframe(5)
    border_ms = MONDAY_MS + lengths * timeframe.duration_ms
    parts = [[row for row in rows if (row[0] < border_ms) == before] for before in (True, False)]
    made = [coarser_candles(frame_of(part), MINUTE, timeframe) for part in parts]
    assert pl.concat(made).equals(coarser_candles(frame_of(rows), MINUTE, timeframe))


def test_merged_candles_name_all_exchanges_that_take_part_in_the_order_given() -> None:
    schema = MERGED_CANDLES
    sources = ["kraken", "binance", "kraken,bitstamp", "bitstamp", "kraken"]
    rows = [
        (MONDAY_MS + m * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0, names, names.count(",") + 1)
        for m, names in enumerate(sources)
    ]
    made = coarser_candles(
        pl.DataFrame(rows, schema=schema, orient="row"), MINUTE, Timeframe(2), ["kraken", "binance"]
    )
    assert made.schema == schema
    assert made["source_exchanges"].to_list() == ["kraken,binance", "kraken,bitstamp", "kraken"]
    assert made["exchange_count"].to_list() == [2, 2, 1]


minute_sets = st.lists(st.integers(0, 59), unique=True).map(
    lambda minutes: IntervalSet(
        (MONDAY_MS + m * MINUTE_MS, MONDAY_MS + (m + 1) * MINUTE_MS) for m in minutes
    )
)


@given(minute_sets, st.integers(1, 100), st.integers(0, 60))
def test_a_length_can_be_made_where_enough_of_it_is_known(
    covered: IntervalSet, least_pct: int, closed_minutes: int
) -> None:
    timeframe = Timeframe(10)
    closed_ms = MONDAY_MS + closed_minutes * MINUTE_MS
    found = derivable(covered, timeframe, least_pct, closed_ms)
    for open_ms in range(MONDAY_MS, MONDAY_MS + 60 * MINUTE_MS, timeframe.duration_ms):
        end_ms = open_ms + timeframe.duration_ms
        known = (covered & IntervalSet.of(open_ms, end_ms)).duration_ms // MINUTE_MS
        is_enough = known * 10 >= least_pct and 0 < known < 10 and end_ms <= closed_ms
        assert found.whole.covers((open_ms, end_ms)) == (known == 10)
        assert found.partial.covers((open_ms, end_ms)) == is_enough
    assert not found.whole & found.partial


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([0.1, 0.2], 0.3),
        ([0.1] * 10, 1.0),
        ([1e17, 1.5, 0.5], 100000000000000002.0),
        ([9007199254740993.0, 1.0], 9007199254740993.0),
        ([0.26833389999999996, 0.1], 0.36833389999999996),
        ([1e-20, 1e20], 1e20),
        ([5e-324, 5e-324], 1e-323),
    ],
)
def test_sums_are_those_of_decimals(values: list[float], total: float) -> None:
    rows = [
        (MONDAY_MS + m * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, value) for m, value in enumerate(values)
    ]
    assert coarser_candles(frame_of(rows), MINUTE, Timeframe(60))["volume"].to_list() == [total]
