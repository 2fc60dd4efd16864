"""Loaded candles as numpy, Polars, pandas and Arrow have them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from exported_series import JANUARY_MS, export

from candle_loader import Candles, LoaderError, MissingPackageError, load


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Candles:
    root = tmp_path_factory.mktemp("data")
    export(root)
    return load(root, "kraken", "BTC/USD", "2024-01-31", "2024-02-03", "1h")


def test_arrays_are_the_memory_of_the_frame(candles: Candles) -> None:
    arrays = candles.to_numpy()
    for name, array in arrays._asdict().items():
        assert array.dtype == np.int64
        assert array.tolist() == candles.frame[name].to_list()
        assert not array.flags.owndata
        assert not array.flags.writeable
        assert np.shares_memory(array, getattr(candles.to_numpy(), name))


def test_a_polars_table_has_times_and_integers_or_floats(candles: Candles) -> None:
    integers = candles.to_polars()
    assert integers.schema["timestamp"] == pl.Datetime("ms", "UTC")
    assert integers.columns == ["timestamp", "open", "high", "low", "close", "volume"]
    assert integers.drop("timestamp").equals(candles.frame.drop("timestamp_ms"))
    floats = candles.to_polars(scaled=True)
    assert floats["timestamp"].cast(pl.Int64).equals(candles.frame["timestamp_ms"])
    hour = (candles.start_ms - JANUARY_MS) // 3_600_000
    assert floats.row(0)[1:] == (hour + 1.0, 1000.25, 0.5, 1.0, 12345678.87654321)


def test_a_pandas_table_is_indexed_by_times_in_utc(candles: Candles) -> None:
    floats = candles.to_pandas(scaled=True)
    assert str(floats.index.tz) == "UTC"
    assert floats.index.name == "timestamp"
    assert floats.loc["2024-02-01T05:00Z", "high"] == 1000.25
    integers = candles.to_pandas()
    assert set(integers.dtypes) == {np.dtype("int64")}
    assert (integers.index == floats.index).all()
    assert integers["volume"].tolist() == candles.frame["volume"].to_list()


def test_an_arrow_table_tells_its_series_and_scale(candles: Candles) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = candles.to_arrow()
    assert table.schema.field("timestamp").type == arrow.timestamp("ms", "UTC")
    assert table.schema.field("close").type == arrow.int64()
    assert table.schema.metadata == {
        b"exchange": b"kraken",
        b"symbol": b"BTC/USD",
        b"timeframe": b"1h",
        b"price_decimal_digits": b"2",
        b"volume_decimal_digits": b"8",
    }
    assert table["close"].to_pylist() == candles.frame["close"].to_list()
    assert candles.to_arrow(scaled=True)["high"][0].as_py() == 1000.25


def test_no_rows_are_converted_too(tmp_path: Path) -> None:
    export(tmp_path)
    none = load(tmp_path, "kraken", "BTC/USD", "2024-01-31", "2024-01-31", "1h")
    assert [len(array) for array in none.to_numpy()] == [0] * 6
    assert none.to_polars(scaled=True).is_empty()
    assert none.to_pandas().empty
    assert none.last_timestamp_ms is None


@pytest.mark.parametrize(
    ("package", "conversion"), [("numpy", "numpy"), ("pandas", "pandas"), ("pyarrow", "arrow")]
)
def test_a_package_that_is_missing_is_named(
    candles: Candles, monkeypatch: pytest.MonkeyPatch, package: str, conversion: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=f"pip install {package}"):
        getattr(candles, f"to_{conversion}")()
    assert issubclass(MissingPackageError, LoaderError)
    assert issubclass(MissingPackageError, ImportError)
