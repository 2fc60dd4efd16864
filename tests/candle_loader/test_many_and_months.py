"""Several symbols on one grid, and a series month by month."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from exported_series import FEBRUARY_MS, HOUR_MS, JANUARY_MS, MARCH_MS, export, hourly_but
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.partitions.manifest import Digits
from candle_loader import (
    Gap,
    LoaderError,
    State,
    gaps,
    iter_months,
    last_timestamp,
    load,
    load_many,
)

GAP = (JANUARY_MS + 20 * HOUR_MS, FEBRUARY_MS + 4 * HOUR_MS)
COVERED = IntervalSet([(JANUARY_MS, GAP[0]), (GAP[1], MARCH_MS)])
IDLE_MS = JANUARY_MS + 2 * HOUR_MS


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    export(root, COVERED, read=hourly_but(IDLE_MS, MARCH_MS - HOUR_MS))
    export(root, symbol="ETH/USD", digits=Digits(price=4, volume=2))
    return root


def test_symbols_stand_on_one_grid_and_no_trade_is_told_from_a_gap(exported: Path) -> None:
    many = load_many(exported, "kraken", ["ETH/USD", "btc-usd"], timeframe="1h")
    assert many.symbols == ("ETH/USD", "BTC/USD")
    assert many.timestamps_ms.to_list() == list(range(JANUARY_MS, MARCH_MS, HOUR_MS))
    closes, states = many.values("close"), many.states
    assert closes.columns == states.columns == ["ETH/USD", "BTC/USD"]
    assert closes["ETH/USD"].unique().to_list() == [10_000]
    assert states["ETH/USD"].unique().to_list() == [State.CANDLE]
    assert many["BTC/USD"].price_decimal_digits == 2
    for time_ms, close, state in zip(
        many.timestamps_ms, closes["BTC/USD"], states["BTC/USD"], strict=True
    ):
        if GAP[0] <= time_ms < GAP[1]:
            assert (close, state) == (None, State.GAP)
        elif time_ms in (IDLE_MS, MARCH_MS - HOUR_MS):
            assert (close, state) == (None, State.NO_TRADE)
        else:
            assert (close, state) == (100, State.CANDLE)


def test_a_range_that_is_off_the_grid_begins_with_its_first_candle(exported: Path) -> None:
    many = load_many(exported, "kraken", ["BTC/USD"], JANUARY_MS + 1, JANUARY_MS + HOUR_MS, "1h")
    assert many.timestamps_ms.is_empty()
    many = load_many(exported, "kraken", ["BTC/USD"], JANUARY_MS + 1, IDLE_MS + 1, "1h")
    assert many.timestamps_ms.to_list() == [JANUARY_MS + HOUR_MS, IDLE_MS]
    assert many.states["BTC/USD"].to_list() == [State.CANDLE, State.NO_TRADE]


def test_symbols_and_columns_that_are_none_are_refused(exported: Path) -> None:
    with pytest.raises(LoaderError, match="give each once"):
        load_many(exported, "kraken", ["BTC/USD", "BTCUSD"], timeframe="1h")
    with pytest.raises(LoaderError, match="at least one"):
        load_many(exported, "kraken", [], timeframe="1h")
    with pytest.raises(LoaderError, match="BTC/USD 1h is not complete"):
        load_many(exported, "kraken", ["BTC/USD"], timeframe="1h", require_complete=True)
    many = load_many(exported, "kraken", ["BTC/USD"], timeframe="1h")
    with pytest.raises(LoaderError, match="no column 'median'"):
        many.values("median")


@given(st.integers(JANUARY_MS - 40 * 24 * HOUR_MS, MARCH_MS - 1), st.integers(1, 90 * 24))
def test_months_together_are_the_series(exported: Path, start_ms: int, hours: int) -> None:
    """Those that are not exported too."""
    end_ms = max(start_ms + hours * HOUR_MS, JANUARY_MS + 1)
    asked = (exported, "kraken", "BTC/USD", start_ms, end_ms, "1h")
    whole, months = load(*asked), list(iter_months(*asked))
    assert pl.concat([month.frame for month in months]).equals(whole.frame)
    assert [month.end_ms for month in months[:-1]] == [month.start_ms for month in months[1:]]
    assert (months[0].start_ms, months[-1].end_ms) == (whole.start_ms, whole.end_ms)
    assert gaps(*asked) == whole.gaps
    unknown_ms = sum(gap.end_ms - gap.start_ms for month in months for gap in month.gaps)
    assert unknown_ms == sum(gap.end_ms - gap.start_ms for gap in whole.gaps)


def test_a_month_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    folder = export(tmp_path)
    (folder / "2024/2024-02.csv").unlink()
    months = iter_months(tmp_path, "kraken", "BTC/USD", timeframe="1h", patience_seconds=0)
    assert next(months).frame.height == 744
    with pytest.raises(LoaderError, match=r"2024-02\.csv is missing"):
        next(months)


def test_months_are_refused_as_the_series_is(exported: Path) -> None:
    with pytest.raises(LoaderError, match="nothing is exported"):
        list(iter_months(exported, "kraken", "BTC/USD", "2025", "2025", "1h"))
    months = iter_months(exported, "kraken", "BTC/USD", timeframe="1h", require_complete=True)
    with pytest.raises(LoaderError, match="is not complete"):
        next(months)


def test_gaps_and_the_last_candle_are_told_without_reading_a_month(tmp_path: Path) -> None:
    folder = export(tmp_path, COVERED, read=hourly_but(MARCH_MS - HOUR_MS))
    for month in folder.glob("*/*.csv"):
        month.unlink()
    asked = (tmp_path, "kraken", "BTC/USD")
    assert last_timestamp(*asked, timeframe="1h") == MARCH_MS - 2 * HOUR_MS
    assert gaps(*asked, timeframe="1h") == (
        Gap(GAP[0], FEBRUARY_MS, "fetch_failed"),
        Gap(FEBRUARY_MS, GAP[1], "not_fetched"),
    )
    assert gaps(*asked, "2025-01", "2025-01", timeframe="1h")[0].reason == "not_exported"


def test_a_series_without_a_candle_has_no_last_one(tmp_path: Path) -> None:
    folder = export(tmp_path, read=lambda span: hourly_but(*range(*span, HOUR_MS))(span))
    assert folder.is_dir()
    assert last_timestamp(tmp_path, "kraken", "BTC/USD", "1h") is None
