"""Rule E2: with how many digits a series is exported where none are asked for."""

from dataclasses import replace

import polars as pl
import pytest
from minutes import BITSTAMP, KRAKEN, candles, span

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.series_record import Precision
from candle_ingestor.settle.digits import MOST_OWN_DIGITS, own_digits
from candle_ingestor.stores.sqlite.store import SqliteStore


def keep(ledger: Ledger, close: float, volume: float) -> None:
    row = candles({0: 10.0}).with_columns(close=pl.lit(close), volume=pl.lit(volume))
    ledger.replace([Replacement(KRAKEN, span(0, 5), row, span(0, 5))])


def test_what_a_market_told_once_counts_without_asking_it_again(store: SqliteStore) -> None:
    ledger = Ledger(store)
    keep(ledger, 10.123, 1.0)
    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(2, 6))})

    assert own_digits(Ledger(store), [KRAKEN]) == Precision(2, 6)


def test_the_finest_of_the_markets_counts(ledger: Ledger) -> None:
    for series, precision in ((KRAKEN, Precision(1, 8)), (BITSTAMP, Precision(2, 5))):
        ledger.update({series: replace(ledger.record(series), precision=precision)})

    assert own_digits(ledger, [KRAKEN, BITSTAMP]) == Precision(2, 8)


@pytest.mark.parametrize(
    ("close", "volume", "digits"),
    [
        (10.25, 3.0, (2, 0)),
        (10.0, 0.00012, (0, 5)),
        (0.1 + 0.2, 1e-12, (MOST_OWN_DIGITS, MOST_OWN_DIGITS)),
    ],
)
def test_of_a_market_that_told_nothing_the_candles_tell(
    ledger: Ledger, close: float, volume: float, digits: tuple[int, int]
) -> None:
    keep(ledger, close, volume)

    assert own_digits(ledger, [KRAKEN]) == Precision(*digits)


def test_what_a_market_left_out_its_candles_tell(ledger: Ledger) -> None:
    keep(ledger, 10.123, 0.5)
    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(None, 8))})

    assert own_digits(ledger, [KRAKEN]) == Precision(3, 8)


def test_without_market_and_candles_nothing_is_known(ledger: Ledger) -> None:
    assert own_digits(ledger, [KRAKEN]) == Precision()
