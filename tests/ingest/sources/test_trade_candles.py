"""Candles of trades: exact, however the trades are cut to pages."""

from decimal import Decimal
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.exchanges.trades import TRADES
from candle_ingestor.ingest.sources.trade_candles import (
    NOTHING_MADE,
    finished,
    joined,
    made_of,
)
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.timeframe import Timeframe

MINUTE = Timeframe(1)
NS = 10**9
START_NS = 1_709_251_200 * NS

Trade = tuple[int, float, str]


def frame_of(trades: list[Trade]) -> pl.DataFrame:
    rows = [(START_NS + ns, price, amount, None) for ns, price, amount in trades]
    return pl.DataFrame(rows, schema=TRADES, orient="row")


amounts = st.decimals(0, 10**9, places=8).map(lambda amount: f"{amount:f}") | st.integers(
    1, 10**6
).map(lambda mantissa: f"{mantissa}e-12")
trade_lists = st.lists(
    st.tuples(st.integers(0, 400 * NS), st.floats(0.01, 1e6), amounts), max_size=60
).map(lambda trades: sorted(trades, key=lambda trade: trade[0]))


def exactly(trades: list[Trade], timeframe: Timeframe) -> list[tuple[float, ...]]:
    by_open: dict[int, list[Trade]] = {}
    for trade in trades:
        open_ms = timeframe.floor_ms((START_NS + trade[0]) // 10**6)
        by_open.setdefault(open_ms, []).append(trade)
    return [
        (
            open_ms,
            group[0][1],
            max(price for _, price, _ in group),
            min(price for _, price, _ in group),
            group[-1][1],
            float(sum((Decimal(amount) for _, _, amount in group), Decimal())),
        )
        for open_ms, group in by_open.items()
    ]


@given(trade_lists, st.sampled_from([1, 2, 5]))
def test_a_candle_is_first_highest_lowest_last_and_the_exact_sum(
    trades: list[Trade], minutes: int
) -> None:
    timeframe = Timeframe(minutes)
    made = finished(made_of(frame_of(trades), timeframe))
    assert made.schema == pl.Schema(EXCHANGE_CANDLES)
    assert made.rows() == exactly(trades, timeframe)


@given(trade_lists, st.lists(st.integers(0, 60), max_size=5))
def test_the_same_candles_come_of_pages_cut_anywhere(trades: list[Trade], cuts: list[int]) -> None:
    borders = sorted({0, len(trades), *(min(cut, len(trades)) for cut in cuts)})
    made = NOTHING_MADE
    for first, stop in pairwise(borders):
        made = joined(made, made_of(frame_of(trades[first:stop]), MINUTE))
    assert finished(made).rows() == exactly(trades, MINUTE)


def test_a_sum_that_floats_would_miss_is_exact() -> None:
    trades = [(n, 1.0, "0.1") for n in range(10)] + [(20, 1.0, "100000000000.00000001")]
    assert finished(made_of(frame_of(trades), MINUTE))["volume"].to_list() == [
        100000000001.00000001
    ]
    tenths = [(n, 1.0, "0.1") for n in range(10)]
    assert sum([0.1] * 10) != 1.0
    assert finished(made_of(frame_of(tenths), MINUTE))["volume"].to_list() == [1.0]


def test_the_last_instant_of_a_minute_is_not_the_next_one() -> None:
    trades = [(60 * NS - 1, 1.0, "1"), (60 * NS, 2.0, "1")]
    opens = finished(made_of(frame_of(trades), MINUTE))["open_time_ms"].to_list()
    assert opens == [START_NS // 10**6, START_NS // 10**6 + 60_000]
