"""docs/exchanges.md says what is known of the exchanges, and names each of them once."""

import re

import ccxt
from exchanges_page import NEEDS_KEYS, NEWEST_ONLY, PAGE, REMARKS, exchanges_page

from candle_ingestor.exchanges.habits import HABITS


def test_the_page_says_what_the_habits_and_ccxt_say() -> None:
    assert PAGE.read_text() == exchanges_page(), "run `make docs`"


def test_the_page_names_every_exchange_with_candles_once() -> None:
    listed = re.findall(r"^\| ([a-z0-9]+) \|", PAGE.read_text(), re.MULTILINE)
    with_candles = [e for e in ccxt.exchanges if getattr(ccxt, e)().has["fetchOHLCV"]]

    assert sorted(name for name in listed if name != "exchange") == sorted(with_candles)


def test_remarks_are_of_exchanges_that_nobody_described() -> None:
    remarked = {*REMARKS, *NEWEST_ONLY, *NEEDS_KEYS}

    assert remarked <= set(ccxt.exchanges)
    assert not remarked & set(HABITS)
