"""Symbols in every form they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.symbol import (
    KNOWN_QUOTES,
    Symbol,
    SymbolError,
    stand_ins_of,
    symbol_choices,
)

assets = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=20)


@given(assets, assets, st.sampled_from("/-_"), st.booleans())
def test_a_pair_with_a_separator_is_read_as_written(
    base: str, quote: str, separator: str, lower: bool
) -> None:
    text = f" {base}{separator}{quote} "
    if base == quote:
        with pytest.raises(SymbolError, match="same asset"):
            Symbol.parse(text)
    else:
        symbol = Symbol.parse(text.lower() if lower else text)
        assert symbol == Symbol(base, quote)
        assert Symbol.parse(str(symbol)) == symbol
        assert symbol.folder_name == base + quote


@pytest.mark.parametrize("text", ["BTC/USD", "BTC-USD", "BTC_USD", "btc/usd", "BTCUSD", "btcusd"])
def test_one_symbol_has_many_forms(text: str) -> None:
    assert str(Symbol.parse(text)) == "BTC/USD"


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTCUSDT", "BTC/USDT"),
        ("ethbtc", "ETH/BTC"),
        ("BTCFDUSD", "BTC/FDUSD"),
        ("1INCHUSDC", "1INCH/USDC"),
        ("USDCUSD", "USDC/USD"),
        ("BUSDUSDT", "BUSD/USDT"),
    ],
)
def test_without_a_separator_the_longest_known_quote_wins(text: str, symbol: str) -> None:
    assert str(Symbol.parse(text)) == symbol


@given(st.sampled_from(KNOWN_QUOTES))
def test_a_quote_alone_is_no_symbol_unless_a_shorter_quote_ends_it(quote: str) -> None:
    try:
        symbol = Symbol.parse(quote)
    except SymbolError:
        assert not any(quote.endswith(other) and quote != other for other in KNOWN_QUOTES)
    else:
        assert symbol.base + symbol.quote == quote


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", "BTC/", "/USD", "BTC//USD", "BTC/USD/EUR", "BTC USD", "BTCXYZ", "ÖBTC/USD"),
        *("BTC/US$", "../../etc", "BTC/USD\n;DROP", f"{'A' * 21}/USD", "BTC/BTC", "ß/USD"),
    ],
)
def test_nonsense_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(SymbolError) as caught:
        Symbol.parse(text)
    assert repr(text[:40])[1:-1] in str(caught.value)


def test_a_long_text_is_quoted_in_part() -> None:
    with pytest.raises(SymbolError) as caught:
        Symbol.parse("x" * 100_000)
    assert len(str(caught.value)) < 200


DOLLAR, TETHER, COIN = Symbol("BTC", "USD"), Symbol("BTC", "USDT"), Symbol("BTC", "USDC")


def test_a_symbol_comes_before_its_stand_ins_in_their_order() -> None:
    aliases = (("USD", "USDT"), ("USD", "USDC"))

    assert symbol_choices(DOLLAR, aliases) == [DOLLAR, TETHER, COIN]
    assert symbol_choices(TETHER, aliases) == [TETHER]


def test_a_stand_in_is_what_serves_under_another_quote() -> None:
    assert stand_ins_of(DOLLAR, {"kraken": DOLLAR, "binance": TETHER}) == {"binance": TETHER}
