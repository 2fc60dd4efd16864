"""Columns of integers that are filled piece by piece, in their full size from the start.

To join pieces would have them in memory twice.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import polars as pl


def numpy_if_installed() -> ModuleType | None:
    """numpy, with which much goes quicker; Polars does without it."""
    try:
        import numpy as np  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    return np


class Filling:
    """Int64 columns of these names, for at most so many rows."""

    def __init__(self, names: tuple[str, ...], most_rows: int) -> None:
        self._names = names
        self._rows = 0
        numpy = numpy_if_installed()
        self._has_arrays = numpy is not None
        self._columns: list[Any] = [
            pl.zeros(most_rows, pl.Int64, eager=True)
            if numpy is None
            else numpy.empty(most_rows, numpy.int64)
            for _ in names
        ]

    def add(self, frame: pl.DataFrame) -> None:
        """Takes the rows of a frame of these columns, after those that it has."""
        end = self._rows + frame.height
        if self._has_arrays:
            for column, values in zip(self._columns, frame, strict=True):
                column[self._rows : end] = values.to_numpy()
        else:
            places = pl.int_range(self._rows, end, dtype=pl.UInt32, eager=True)
            for column, values in zip(self._columns, frame, strict=True):
                column.scatter(places, values)
        self._rows = end

    def frame(self) -> pl.DataFrame:
        """The rows so far, of one chunk a column; nothing is added any more."""
        columns = zip(self._names, self._columns, strict=True)
        return pl.DataFrame([pl.Series(name, column) for name, column in columns]).head(self._rows)
