from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.symbol import Symbol
from candle_ingestor.symbols.requests import SymbolRequest, parse_symbol_items
from candle_ingestor.symbols.start_date import AbsoluteDay, RelativeDay

BITCOIN = Symbol("BTC", "USD")
ETHER = Symbol("ETH", "USD")


@pytest.mark.parametrize("text", ["BTC/USD", "btcusd", "BTC-USD", "btc_usd", " BTC/USD "])
def test_every_form_of_a_symbol_parses(text: str) -> None:
    assert parse_symbol_items([text], "a test").requests == (SymbolRequest(BITCOIN),)


def test_an_object_carries_its_fields() -> None:
    item = {
        "symbol": "BTC/USD",
        "tier": 1,
        "history_start": "2020-01-01",
        "price_decimal_digits": 0,
        "volume_decimal_digits": 18,
        "market_cap": 1.9e12,
    }

    symbols = parse_symbol_items([item, {"symbol": "ethusd", "tier": "gold"}], "a test")

    assert symbols.requests == (
        SymbolRequest(BITCOIN, 1, AbsoluteDay(date(2020, 1, 1)), 0, 18),
        SymbolRequest(ETHER, "gold"),
    )
    assert symbols.rejected == ()


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2_years_ago", RelativeDay(2, "year")),
        (date(2020, 1, 1), AbsoluteDay(date(2020, 1, 1))),
        (None, None),
    ],
    ids=str,
)
def test_history_may_start_on_any_form_of_a_day(value: object, day: object) -> None:
    symbols = parse_symbol_items([{"symbol": "BTC/USD", "history_start": value}], "a test")

    assert symbols.requests[0].history_start == day


def test_doubles_are_merged_into_the_first_and_fill_what_it_lacks() -> None:
    symbols = parse_symbol_items(
        [
            {"symbol": "btcusd", "tier": 2},
            "ETH/USD",
            {"symbol": "BTC/USD", "tier": 3, "price_decimal_digits": 2},
            {"symbol": "BTC-USD", "price_decimal_digits": 4, "volume_decimal_digits": 8},
            "ethusd",
        ],
        "a test",
    )

    assert symbols.requests == (
        SymbolRequest(BITCOIN, 2, None, 2, 8),
        SymbolRequest(ETHER),
    )
    assert symbols.duplicates == 3


def test_a_field_of_zero_is_not_a_missing_one() -> None:
    symbols = parse_symbol_items(
        [
            {"symbol": "BTC/USD", "tier": 0, "price_decimal_digits": 0},
            {"symbol": "BTC/USD", "tier": 5, "price_decimal_digits": 5},
        ],
        "a test",
    )

    assert symbols.requests == (SymbolRequest(BITCOIN, 0, None, 0),)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("", "known quote"),
        ("BTC", "known quote"),
        ("USD/USD", "same asset"),
        ("BTC/USD/EUR", "more than one separator"),
        ("BTC/U SD", "letters and digits"),
        ("BTC/USD\x00", "letters and digits"),
        ("ßTC/USD", "names no symbol"),
        ("BTC/USD\nETH/USD", "more than one separator"),
        ("${IFS}/USD", "letters and digits"),
        ('BTC/USD" or r["m"]=="x', "letters and digits"),
        ("\ud800/USD", "names no symbol"),
        (b"\xff\xfe", "UTF-8"),
        (None, "NoneType"),
        (7, "int"),
        (["BTC/USD"], "list"),
        ({}, "'symbol'"),
        ({"symbol": None}, "'symbol'"),
        ({"symbol": ["BTC/USD"]}, "'symbol'"),
        ({"symbol": "nonsense"}, "known quote"),
        ({"symbol": "BTC/USD", "tier": 1.5}, "tier 1.5"),
        ({"symbol": "BTC/USD", "tier": True}, "tier True"),
        ({"symbol": "BTC/USD", "tier": ""}, "tier ''"),
        ({"symbol": "BTC/USD", "tier": "a\nb"}, "tier"),
        ({"symbol": "BTC/USD", "history_start": "2023-02-30"}, "2023-02-30"),
        ({"symbol": "BTC/USD", "history_start": "skip"}, "history_start"),
        ({"symbol": "BTC/USD", "history_start": 1577836800}, "history_start 1577836800"),
        ({"symbol": "BTC/USD", "history_start": datetime(2020, 1, 1)}, "history_start"),  # noqa: DTZ001
        ({"symbol": "BTC/USD", "price_decimal_digits": -1}, "price_decimal_digits -1, not 0 to 18"),
        ({"symbol": "BTC/USD", "volume_decimal_digits": 19}, "volume_decimal_digits 19"),
        ({"symbol": "BTC/USD", "volume_decimal_digits": "8"}, "volume_decimal_digits '8'"),
        ({"symbol": "BTC/USD", "volume_decimal_digits": True}, "volume_decimal_digits True"),
        ({"symbol": "BTC/USD", "volume_decimal_digits": 8.0}, "volume_decimal_digits 8.0"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_nonsense_is_named_with_its_reason_and_the_rest_goes_on(item: object, reason: str) -> None:
    symbols = parse_symbol_items(["ETH/USD", item, "BTC/USD"], "a test")

    assert [request.symbol for request in symbols.requests] == [ETHER, BITCOIN]
    ((shown, why),) = symbols.rejected
    assert shown
    assert reason in why


def test_what_is_shown_of_a_rejected_item_is_cut_and_on_one_line() -> None:
    symbols = parse_symbol_items(
        ["x" * 10_000, "a\nb\r\x1b[31m", {"symbol": "BTC/USD", "tier": ["y" * 10_000]}], "a test"
    )

    assert len(symbols.rejected) == 3
    for shown, reason in symbols.rejected:
        assert len(shown) <= 60
        assert len(reason) <= 160
        assert (shown + reason).isprintable()


def test_the_reason_does_not_repeat_what_is_shown() -> None:
    symbols = parse_symbol_items(["nonsense", "z" * 100], "a test")

    for shown, reason in symbols.rejected:
        assert shown not in reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: (
        st.lists(children)
        | st.dictionaries(
            st.sampled_from(["symbol", "tier", "history_start", "price_decimal_digits"])
            | st.text(),
            children,
        )
    ),
    max_leaves=6,
)


@given(st.lists(json_values | st.sampled_from(["BTC/USD", "ethusd"]), max_size=12))
def test_every_item_is_a_request_or_a_double_or_rejected(items: list[Any]) -> None:
    symbols = parse_symbol_items(items, "a test")

    assert len(symbols.requests) + symbols.duplicates + len(symbols.rejected) == len(items)
    assert len({request.symbol for request in symbols.requests}) == len(symbols.requests)
