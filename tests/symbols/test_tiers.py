import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.symbols.requests import SymbolList, parse_symbol_items
from candle_ingestor.symbols.tiers import symbols_of_tiers

LIST = parse_symbol_items(
    [
        {"symbol": "BTC/USD", "tier": "TIER1"},
        {"symbol": "ETH/USD", "tier": "TIER2"},
        {"symbol": "SOL/USD", "tier": 3},
        "XRP/USD",
    ],
    "a list",
)


def chosen(symbols: SymbolList, *tiers: str) -> list[str]:
    return [str(request.symbol) for request in symbols_of_tiers(symbols, tiers).requests]


def test_without_a_tier_all_symbols_stay() -> None:
    assert symbols_of_tiers(LIST, ()) is LIST


def test_the_symbols_of_the_named_tiers_stay_in_the_order_of_the_list() -> None:
    assert chosen(LIST, "TIER1") == ["BTC/USD"]
    assert chosen(LIST, "3", "tier1") == ["BTC/USD", "SOL/USD"]


def test_what_was_rejected_and_noted_stays_told() -> None:
    mixed = parse_symbol_items([{"symbol": "BTC/USD", "tier": 1, "x": 1}, "!"], "a list")

    found = symbols_of_tiers(mixed, ["1"])

    assert (found.rejected, found.notes, found.source) == (mixed.rejected, mixed.notes, "a list")


def test_a_tier_that_no_symbol_has_is_a_mistake_that_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        symbols_of_tiers(LIST, ["TIER1", "TIER9"])

    assert str(caught.value) == (
        "--tier: no symbol of a list has the tier TIER9 (did you mean TIER2?); "
        "there are 3, TIER1, TIER2"
    )


def test_a_list_without_tiers_is_a_mistake_that_says_where_they_come_from() -> None:
    with pytest.raises(ConfigurationError) as caught:
        symbols_of_tiers(parse_symbol_items(["BTC/USD"], "--symbols"), ["TIER1"])

    assert str(caught.value) == (
        "--tier=TIER1: --symbols names no tiers; they come with symbols of a file or Redis that "
        'are written {"symbol": "BTC/USD", "tier": "TIER1"}'
    )
