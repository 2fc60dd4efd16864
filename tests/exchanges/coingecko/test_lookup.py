"""Which coin a ticker means."""

import pytest

from candle_ingestor.exchanges.coingecko.lookup import (
    currencies,
    ids_by_ticker,
    ids_in,
    largest,
    market_caps,
    markets_of,
    unlisted_in,
)
from candle_ingestor.exchanges.errors import MalformedAnswerError
from candle_ingestor.exchanges.kept_markets import checked_markets
from candle_ingestor.exchanges.markets import markets_by_symbol
from candle_ingestor.model.symbol import Symbol


def test_the_coins_of_a_ticker_are_found_whatever_its_letters() -> None:
    coins = [
        {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin"},
        {"id": "other", "symbol": "BTC"},
        {"id": "bitcoin", "symbol": "btc"},
        {"id": "ether", "symbol": "eth"},
        {"id": None, "symbol": "btc"},
        {"id": "nameless", "symbol": None},
    ]

    assert ids_by_ticker(coins, {"BTC", "NOPE"}) == {"BTC": ["bitcoin", "other"]}


def test_the_largest_by_market_cap_is_taken_and_a_coin_without_one_never() -> None:
    answer = [
        {"id": "small", "market_cap": 5},
        {"id": "large", "market_cap": 7.5},
        {"id": "empty", "market_cap": None},
        {"id": "zero", "market_cap": 0},
        {"id": "odd", "market_cap": True},
    ]
    caps = market_caps(answer)

    assert caps == {"small": 5.0, "large": 7.5}
    choice = largest("X", ["empty", "small", "large"], caps)
    assert choice.coin_id == "large"
    assert "taking large, the largest by market cap, and not small, empty" in choice.words()
    none = largest("X", ["zero", "empty"], caps)
    assert none.coin_id is None
    assert 'choose one by [coingecko.ids] with X = "ID"' in none.words()


def test_markets_are_each_coin_in_each_currency_and_can_be_kept() -> None:
    ids = {"BTC": "bitcoin", "ETH": "ethereum"}
    markets = markets_of(ids, ["usd", "btc"], chosen={"ETH"}, unlisted={"NOPE"})

    symbols = set(markets_by_symbol("coingecko", checked_markets(markets)))
    assert symbols == {Symbol("BTC", "USD"), Symbol("ETH", "USD"), Symbol("ETH", "BTC")}
    assert unlisted_in(markets) == {"NOPE"}


def test_what_the_user_names_wins_and_is_forgotten_when_it_is_named_no_more() -> None:
    markets = markets_of({"BTC": "bitcoin", "ETH": "mine"}, ["usd"], chosen={"ETH"}, unlisted=())

    assert ids_in(markets, {}) == {"BTC": "bitcoin"}
    assert ids_in(markets, {"BTC": "other"}) == {"BTC": "other"}


@pytest.mark.parametrize("answer", [None, {}, {"status": {"error_code": 1}}, ["btc"], "x"])
def test_a_list_of_coins_that_is_none_is_malformed(answer: object) -> None:
    with pytest.raises(MalformedAnswerError, match="the list of coins is none"):
        ids_by_ticker(answer, {"BTC"})
    with pytest.raises(MalformedAnswerError, match="the list of coins is none"):
        market_caps(answer)


@pytest.mark.parametrize("answer", [None, {}, [1], [""], "usd"])
def test_a_list_of_currencies_that_is_none_is_malformed(answer: object) -> None:
    with pytest.raises(MalformedAnswerError, match="the list of currencies is none"):
        currencies(answer)
