"""Candles from the text of a CSV file."""

from __future__ import annotations

import polars as pl

from candle_loader.candles import COLUMNS

_HEADER = "Timestamp,Open,High,Low,Close,Volume"
_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def parse_csv(content: bytes) -> pl.DataFrame:
    """The rows, columns COLUMNS as Int64; null where a field is empty.

    Raises:
        ValueError: if the text does not begin with the header of partitions.
        pl.exceptions.PolarsError: if a row is malformed.
    """
    header, _, _ = content.partition(b"\n")
    if header != _HEADER.encode():
        raise ValueError(f"does not begin with the header {_HEADER} but with {header[:100]!r}")
    if len(content) <= len(header) + 1:
        return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Int64))
    schema = {"timestamp": pl.String, **dict.fromkeys(COLUMNS[1:], pl.Int64)}
    rows = pl.read_csv(content, has_header=False, skip_rows=1, schema=schema, quote_char=None)
    # No time comes twice, so that a cache of times would only cost.
    times = rows["timestamp"].str.to_datetime(
        _TIMESTAMP_FORMAT, time_unit="ms", strict=True, cache=False
    )
    return pl.DataFrame([times.cast(pl.Int64).alias("timestamp_ms"), *rows.get_columns()[1:]])
