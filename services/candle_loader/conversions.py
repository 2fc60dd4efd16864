"""Candles in the forms that other packages want. Each package is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from candle_loader.errors import MissingPackageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PRICES = ("open", "high", "low", "close")


class Arrays(NamedTuple):
    """The columns of candles as int64 arrays of one length; they cannot be written to."""

    timestamp_ms: NDArray[np.int64]
    open: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]
    close: NDArray[np.int64]
    volume: NDArray[np.int64]


def arrays_of(frame: pl.DataFrame) -> Arrays:
    """The columns without a copy.

    Raises:
        MissingPackageError: if numpy is not installed.
    """
    needed("numpy")
    columns = (frame[name].to_numpy(allow_copy=False) for name in Arrays._fields)
    return Arrays(*columns)


def polars_of(
    frame: pl.DataFrame, price_digits: int, volume_digits: int, *, scaled: bool
) -> pl.DataFrame:
    """`timestamp` as Datetime in UTC, and the values: Int64 as they are, Float64 when scaled."""
    values = [*PRICES, "volume"]
    time = pl.col("timestamp_ms").cast(pl.Datetime("ms", "UTC")).alias("timestamp")
    if not scaled:
        return frame.select(time, *values)
    # An integer below 2 ** 53 over a power of ten is the float nearest to the decimal. Over a
    # column: Polars divides by one number by multiplying with its inverse, which often is not.
    return frame.select(
        time,
        pl.col(PRICES) / pl.repeat(float(10**price_digits), frame.height, eager=True),
        pl.col("volume") / pl.repeat(float(10**volume_digits), frame.height, eager=True),
    )


def pandas_of(table: pl.DataFrame) -> Any:
    """A table of `polars_of` as a pandas DataFrame with `timestamp` as its index.

    Raises:
        MissingPackageError: if pandas is not installed.
    """
    pandas = needed("pandas")
    times = table["timestamp"].cast(pl.Int64).to_numpy().view("datetime64[ms]")
    index = pandas.DatetimeIndex(times, tz="UTC", name="timestamp")
    values = {column.name: column.to_numpy() for column in table.get_columns()[1:]}
    return pandas.DataFrame(values, index=index)


def arrow_of(table: pl.DataFrame, metadata: dict[str, str]) -> Any:
    """A table of `polars_of` as a pyarrow Table, with these words in its schema's metadata.

    Raises:
        MissingPackageError: if pyarrow is not installed.
    """
    needed("pyarrow")
    return table.to_arrow().replace_schema_metadata(metadata)


def needed(package: str) -> Any:
    """The package.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"this needs the package {package}, which is not installed; run: pip install {package}"
        ) from error
