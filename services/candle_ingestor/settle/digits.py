"""How many digits a series is exported with (rule E2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import polars as pl

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.months import months_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Precision

DEFAULT_DIGITS = 8

MOST_OWN_DIGITS = 8
"""A float's noise has more digits than any market."""


def own_digits(ledger: Ledger, sources: Sequence[Series]) -> Precision:
    """The finest precision of the markets; of one that never told its own, of its candles."""
    precisions = []
    for source in sources:
        learnt = ledger.record(source).precision or Precision()
        if learnt.price_digits is None or learnt.volume_digits is None:
            found = _digits_of_candles(ledger, source)
            learnt = Precision(
                found.price_digits if learnt.price_digits is None else learnt.price_digits,
                found.volume_digits if learnt.volume_digits is None else learnt.volume_digits,
            )
        precisions.append(learnt)
    return Precision(
        _finest(precision.price_digits for precision in precisions),
        _finest(precision.volume_digits for precision in precisions),
    )


def digits_or_default(found: Precision) -> tuple[int, int]:
    """Price and volume digits; `DEFAULT_DIGITS` where neither a market nor a candle tells any."""
    price, volume = found.price_digits, found.volume_digits
    return (
        DEFAULT_DIGITS if price is None else price,
        DEFAULT_DIGITS if volume is None else volume,
    )


def learnt_digits(ledger: Ledger, sources: Sequence[Series]) -> Precision:
    """The finest precision that the markets told; None where none did."""
    known = [ledger.record(source).precision or Precision() for source in sources]
    return Precision(
        _finest(precision.price_digits for precision in known),
        _finest(precision.volume_digits for precision in known),
    )


def _digits_of_candles(ledger: Ledger, source: Series) -> Precision:
    prices: list[int] = []
    volumes: list[int] = []
    for month in months_of(ledger.record(source).covered):
        candles = ledger.candles(source, month.interval)
        if not candles.is_empty():
            prices += [_decimals(candles[name]) for name in PRICE_COLUMNS]
            volumes.append(_decimals(candles["volume"]))
        if prices and min(max(prices), max(volumes)) >= MOST_OWN_DIGITS:
            break
    return Precision(_finest(prices), _finest(volumes))


def _decimals(values: pl.Series) -> int:
    most = 0
    for value in values.unique():
        exponent = Decimal(repr(value)).normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        most = max(most, -exponent)
        if most >= MOST_OWN_DIGITS:
            return MOST_OWN_DIGITS
    return most


def _finest(digits: Iterable[int | None]) -> int | None:
    return max((count for count in digits if count is not None), default=None)
