"""Candles from the bytes of a Parquet file."""

from __future__ import annotations

import io

import polars as pl

from candle_loader.candles import COLUMNS

_TIMESTAMP = pl.Datetime("ms", "UTC")


def parse_parquet(content: bytes) -> pl.DataFrame:
    """The rows, columns COLUMNS as Int64, a chunk for each row group.

    Raises:
        ValueError: if a column has another type.
        pl.exceptions.PolarsError: if it is no Parquet file, or a column is missing.
    """
    names = ["timestamp", *COLUMNS[1:]]
    rows = pl.read_parquet(io.BytesIO(content), columns=names, hive_partitioning=False)
    for name, found in rows.schema.items():
        wanted = _TIMESTAMP if name == "timestamp" else pl.Int64
        if found != wanted:
            raise ValueError(f"has a column {name} of {found}, not of {wanted}")
    times, *values = rows.get_columns()
    return pl.DataFrame([times.cast(pl.Int64).alias("timestamp_ms"), *values])
