"""Candle rows of one answer, as a client hands them on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from candle_ingestor.exchanges.errors import shown_text
from candle_ingestor.model.candles import EXCHANGE_CANDLES

Row = Sequence[int | float | None]


@dataclass(frozen=True)
class RawRows:
    """The rows of one answer, in the exchange's order.

    Attributes:
        frame: columns EXCHANGE_CANDLES, a row each; null for a field that is missing or no
            number. A row that is none at all has nulls only.
        raw: each row as the exchange sent it.
    """

    frame: pl.DataFrame
    raw: Sequence[Any]

    @classmethod
    def from_rows(cls, rows: Sequence[Row], raw: Sequence[Any]) -> RawRows:
        """From open time in ms, open, high, low, close and volume a row."""
        return cls(pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row", strict=False), raw)


def shown_raw(row: Any) -> str:
    """A raw row as a log line shows it."""
    try:
        return shown_text(json.dumps(row))
    except (TypeError, ValueError):
        return shown_text(repr(row))
