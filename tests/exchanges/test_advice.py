"""What is said of a symbol that exchanges lack."""

from collections.abc import Iterable

import pytest

from candle_ingestor.exchanges.advice import advice_on, near_symbol
from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Market
from candle_ingestor.model.symbol import Symbol


def listed(**exchanges: str | None) -> dict[str, dict[Symbol, Market] | None]:
    """What each exchange lists, as `BTC/USD ETH/USD`; None where that is not known."""
    return {
        exchange: None
        if text is None
        else {symbol: Market(exchange, symbol) for symbol in symbols_of(text)}
        for exchange, text in exchanges.items()
    }


def symbols_of(text: str) -> Iterable[Symbol]:
    return [Symbol.parse(word) for word in text.split()]


MARKETS = listed(
    coinbaseexchange="BTC/USD ETH/USD ETC/USD SOL/USD BTC/USDT DOGE/USD",
    bitstamp="BTC/USD ETH/USD SOL/USD BTC/EUR",
    binance="BTC/USDT ETH/USDT BTC/USDC ETH/BTC DOGE/USDT",
    okx="DOGE/USDT",
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ETG/USD", "ETH/USD"),
        ("EHT/USD", "ETH/USD"),
        ("ETHH/USD", "ETH/USD"),
        ("BITCOIN/USD", "BTC/USD"),
        ("BTC/USF", "BTC/USD"),
        ("USD/BTC", "BTC/USD"),
        ("BTC/ETH", "ETH/BTC"),
        ("DOGE/USDC", "DOGE/USDT"),
        ("SOL/USDT", "SOL/USD"),
        ("DOGEE/USD", "DOGE/USD"),
        ("NOPE/USD", None),
        ("SOL/JPY", None),
    ],
)
def test_the_nearest_symbol_that_is_listed_is_named(typed: str, meant: str | None) -> None:
    near = near_symbol(Symbol.parse(typed), MARKETS)

    assert (None if near is None else str(near)) == meant


def test_of_equally_near_symbols_the_one_on_most_exchanges_is_meant() -> None:
    # As far from one as from the other, by its letters.
    assert near_symbol(Symbol("ETX", "USD"), MARKETS) == Symbol("ETH", "USD")


def test_nothing_is_near_where_no_exchange_told_what_it_lists() -> None:
    assert near_symbol(Symbol("BTC", "USD"), listed(kraken=None)) is None


def test_a_symbol_that_is_nowhere_is_taken_for_a_slip() -> None:
    choice = MarketChoice(Symbol("ETG", "USD"), {}, lacking=("coinbaseexchange", "bitstamp"))

    assert advice_on(choice, MARKETS) == "did you mean ETH/USD?"


def test_a_symbol_that_too_few_exchanges_list_is_no_slip() -> None:
    ether = Symbol("ETC", "USD")
    choice = MarketChoice(ether, {"coinbaseexchange": Market("coinbaseexchange", ether)})

    assert advice_on(choice, MARKETS) is None


BITCOIN = Symbol("BTC", "USD")
AT_BITSTAMP = {"bitstamp": Market("bitstamp", BITCOIN)}


def test_the_alias_is_offered_that_lets_the_lacking_exchanges_serve() -> None:
    choice = MarketChoice(BITCOIN, AT_BITSTAMP, lacking=("binance",))

    assert advice_on(choice, MARKETS) == (
        "--quote_aliases=USD:USDT would let binance serve BTC/USDT in its place"
    )


def test_of_several_aliases_the_one_for_most_exchanges_is_offered() -> None:
    markets = listed(bitstamp="BTC/USD", okx="BTC/USDC", binance="BTC/USDT BTC/USDC")
    choice = MarketChoice(BITCOIN, AT_BITSTAMP, lacking=("okx", "binance"))

    assert advice_on(choice, markets) == (
        "--quote_aliases=USD:USDC would let okx, binance serve BTC/USDC in its place"
    )


def test_an_alias_that_is_given_is_not_offered_again() -> None:
    markets = listed(bitstamp="BTC/USD", binance="ETH/USDT")
    choice = MarketChoice(BITCOIN, AT_BITSTAMP, lacking=("binance",))

    assert advice_on(choice, markets, [("USD", "USDT")]) is None


def test_another_currency_is_never_offered() -> None:
    markets = listed(kraken="BTC/EUR BTC/GBP")
    choice = MarketChoice(BITCOIN, AT_BITSTAMP, lacking=("kraken",))

    assert advice_on(choice, markets) is None
