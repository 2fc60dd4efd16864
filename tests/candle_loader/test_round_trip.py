"""Doubles of every magnitude, from the store to text and back as integers."""

from __future__ import annotations

from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl
import pytest
from exported_series import JANUARY_MS, MINUTE_MS
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.writer import PartitionWriter
from candle_ingestor.stores.base import SeriesChange
from candle_ingestor.stores.sqlite.store import SqliteStore
from candle_loader import load

CANDLES = 20_000
COLUMNS = ("open", "high", "low", "close", "volume")
SERIES = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
HALF = Decimal("0.5")


def doubles(seed: int, digits: int, count: int) -> np.ndarray:
    """Of every magnitude that fits an int64 with these digits, a third of them halves."""
    random = np.random.default_rng(seed)
    most = 18.9 - digits
    any_size = random.random(count) * 10.0 ** random.uniform(-320, most, count)
    usual = random.random(count) * 10.0 ** random.uniform(-digits - 2, most, count)
    whole = np.floor(10.0 ** random.uniform(0, 17, count))
    halves = (whole + 0.5) / 10.0**digits
    chosen = np.choose(random.integers(0, 3, count), [any_size, usual, halves])
    return np.where(random.random(count) < 0.1, -chosen, chosen)


@settings(max_examples=2)
@given(
    seed=st.integers(0, 2**32 - 1),
    price=st.sampled_from((2, *range(19))),
    volume=st.sampled_from((8, *range(19))),
)
def test_100_000_stored_doubles_load_as_their_exact_integers(
    tmp_path_factory: pytest.TempPathFactory, seed: int, price: int, volume: int
) -> None:
    """And so, descaled, within half a unit of the last digit of what is stored."""
    folder = tmp_path_factory.mktemp("round_trip")
    end_ms = JANUARY_MS + CANDLES * MINUTE_MS
    covered = IntervalSet.of(JANUARY_MS, end_ms)
    digits = dict.fromkeys(COLUMNS, price) | {"volume": volume}
    values = {name: doubles(seed + n, digits[name], CANDLES) for n, name in enumerate(COLUMNS)}
    times = pl.int_range(JANUARY_MS, end_ms, MINUTE_MS, eager=True)
    frame = pl.DataFrame({"open_time_ms": times, **values}, schema=EXCHANGE_CANDLES)
    with closing(SqliteStore(folder / "candles.sqlite")) as store:
        store.replace([SeriesChange(SERIES, SeriesRecord(Coverage(covered)), frame)])
        PartitionWriter(folder).export(
            SERIES,
            Digits(price, volume),
            {Month(2024, 1): None},
            lambda interval: store.read_candles(SERIES, interval),
            *(covered, {}, end_ms, EMPTY),
        )
    loaded = load(folder, "kraken", "BTC/USD", require_complete=True)
    assert loaded.frame["timestamp_ms"].equals(times, check_names=False)
    for name in COLUMNS:
        exact = [Decimal(repr(value)).scaleb(digits[name]) for value in values[name].tolist()]
        integers = loaded.frame[name].to_list()
        assert integers == [int(value.to_integral_value(ROUND_HALF_UP)) for value in exact], name
        pairs = zip(exact, integers, strict=True)
        assert all(abs(value - integer) <= HALF for value, integer in pairs), name


def test_the_doubles_are_of_every_magnitude_and_hold_halves() -> None:
    values = doubles(1, 2, CANDLES)
    assert np.abs(values).min() < 1e-300
    assert 1e16 < np.abs(values).max() < 2**63 / 100
    exact = [Decimal(repr(value)).scaleb(2) % 1 for value in values.tolist()]
    assert sum(abs(part) == HALF for part in exact) > CANDLES / 10
