"""Rows read by column say what ccxt says row by row."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.ccxt.answers import strict_class
from candle_ingestor.exchanges.ccxt.rows import read_rows
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.model.candles import EXCHANGE_CANDLES

LAYOUTS = {exchange: habits.row_layout for exchange, habits in HABITS.items() if habits.row_layout}
MARKET = {"type": "spot", "spot": True, "inverse": False, "contract": False, "info": {}}
PARSERS = {exchange: strict_class(exchange)() for exchange in LAYOUTS}

NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["1", "2.50", "1e-7", "0.26833389999999996", "12345678.00000001", "0"]),
    st.sampled_from([1, 2.5, 1e-7, 0.1, 1e308, 0]),
    st.sampled_from([None, "", "x", "NaN", "inf", True, [], "1,5", " 1", "0x1", 10**30]),
)
TIMES = st.sampled_from([1_709_642_040, "1709642040", 1_709_642_100, 1_709_642_040.5, None, "soon"])


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return bool(left == right)


@pytest.mark.parametrize("exchange", LAYOUTS)
@settings(max_examples=60)
@given(st.lists(st.tuples(TIMES, *[NUMBERS] * 5), max_size=5))
def test_columns_are_read_as_rows_are(exchange: str, values: list[tuple[Any, ...]]) -> None:
    layout = LAYOUTS[exchange]
    raw: list[Any] = []
    for fields in values:
        if isinstance(layout.fields[0], str):
            raw.append(dict(zip(layout.fields, fields, strict=True)))
        else:
            row: list[Any] = [None] * 12
            for key, value in zip(layout.fields, fields, strict=True):
                row[int(key)] = value
            raw.append(row)

    def parse(row: Any) -> Any:
        return PARSERS[exchange].parse_ohlcv(row, MARKET)

    by_column, by_row = read_rows(raw, layout, parse), read_rows(raw, None, parse)

    assert by_column.frame.schema == by_row.frame.schema == EXCHANGE_CANDLES
    for left, right in zip(by_column.frame.iter_rows(), by_row.frame.iter_rows(), strict=True):
        assert all(map(same, left, right)), (left, right)
    assert by_column.raw == by_row.raw == raw


@pytest.mark.parametrize("exchange", LAYOUTS)
def test_a_layout_is_the_one_that_ccxt_reads(exchange: str) -> None:
    layout = LAYOUTS[exchange]
    values = ["1709642040", "1", "4", "0.5", "2", "7"]
    if isinstance(layout.fields[0], str):
        row: Any = dict(zip(layout.fields, values, strict=True))
    else:
        row = ["99"] * 12
        for key, value in zip(layout.fields, values, strict=True):
            row[int(key)] = value

    time_ms, *prices = PARSERS[exchange].parse_ohlcv(row, MARKET)

    assert time_ms == 1_709_642_040 * layout.time_unit_ms
    assert prices == [1, 4, 0.5, 2, 7]


@pytest.mark.parametrize("answer", [None, "text", {"t": 1}, 5, [], [1], [None] * 3])
def test_whatever_a_parser_answers_a_row_has_six_fields(answer: Any) -> None:
    rows = read_rows([1, 2], None, lambda _: answer)

    assert rows.frame.height == 2
    assert rows.frame.schema == EXCHANGE_CANDLES


def test_a_parser_that_breaks_leaves_a_row_of_nothing() -> None:
    def parse(_: Any) -> Any:
        raise KeyError("t")

    assert read_rows(["x"], None, parse).frame.rows() == [(None,) * 6]


def test_numbers_beyond_every_measure_are_missing() -> None:
    rows = read_rows(["row"], None, lambda _: [10**30, 1.0, 1.0, 1.0, 1.0, 10**400])

    assert rows.frame.rows() == [(None, 1.0, 1.0, 1.0, 1.0, None)]
