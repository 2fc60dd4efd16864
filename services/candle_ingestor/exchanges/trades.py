"""Trades of one answer, as a client hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

NS_PER_MS = 1_000_000

TRADES: dict[str, pl.DataType] = {
    "time_ns": pl.Int64(),
    "price": pl.Float64(),
    "amount": pl.String(),
    "id": pl.String(),
}
"""Columns of trades: UTC nanoseconds as far as the exchange shows them, price, amount as exact
decimal text without a sign, and the exchange's own id where it has one."""


@dataclass(frozen=True)
class RawTrades:
    """The trades of one answer, in the exchange's order.

    Attributes:
        frame: columns TRADES, a row each; null for a field that is missing or unreadable.
        raw: each row as the exchange sent it, its numbers as texts.
    """

    frame: pl.DataFrame
    raw: Sequence[Any]


def no_trades() -> pl.DataFrame:
    """A frame of the columns TRADES and no rows."""
    return pl.DataFrame(schema=TRADES)
