"""What each exchange's endpoint of trades does, as one row of data an exchange.

Only exchanges whose whole history of trades can be paged stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class TradeCursor(Enum):
    """What a request for trades begins at; each is a whole number."""

    AFTER_NS = "nanoseconds; the trades later than that, oldest first"
    FROM_MS = "milliseconds; the trades of that time and later, oldest first"
    BEFORE_ID = "a trade's id; the last trades with a lower one"


class TimeForm(Enum):
    """How a row writes its time."""

    SECONDS = "seconds with decimals"
    MILLISECONDS = "whole milliseconds"
    ISO = "a date and time in UTC, as 2024-01-15T00:00:00.000001Z"


@dataclass(frozen=True)
class TradeLayout:
    """Where a row of a trade has its fields.

    Attributes:
        time, price, amount, id: index or key; a row may lack its id.
        time_form: how the time is written.
        has_signed_amount: whether a minus before the amount says that it was a sale.
        wrapped_in: the key that ccxt puts a row under before it reads it.
        has_cursor_at_end: whether ccxt adds the answer's cursor to its last row.
    """

    time: int | str
    price: int | str
    amount: int | str
    id: int | str
    time_form: TimeForm
    has_signed_amount: bool = False
    wrapped_in: str | None = None
    has_cursor_at_end: bool = False


@dataclass(frozen=True)
class TradeHabits:
    """How an exchange answers a request for trades.

    Attributes:
        exchange: the ccxt exchange id.
        page_trades: the most trades asked for in one request.
        cursor: what a request begins at.
        time_step_ns: rows may show a time that is rounded by up to this.
    """

    exchange: str
    page_trades: int
    cursor: TradeCursor
    layout: TradeLayout
    time_step_ns: int


_ROWS = (
    TradeHabits(
        "bitfinex",
        10_000,
        TradeCursor.FROM_MS,
        TradeLayout(
            time=1,
            price=3,
            amount=2,
            id=0,
            time_form=TimeForm.MILLISECONDS,
            has_signed_amount=True,
            wrapped_in="result",
        ),
        time_step_ns=1_000_000,
    ),
    TradeHabits(
        "coinbaseexchange",
        1000,
        TradeCursor.BEFORE_ID,
        TradeLayout(
            time="time", price="price", amount="size", id="trade_id", time_form=TimeForm.ISO
        ),
        time_step_ns=1000,
    ),
    # Older rows show four decimals of a second, later ones seven; its cursor has nine.
    TradeHabits(
        "kraken",
        1000,
        TradeCursor.AFTER_NS,
        TradeLayout(
            time=2,
            price=0,
            amount=1,
            id=6,
            time_form=TimeForm.SECONDS,
            has_cursor_at_end=True,
        ),
        time_step_ns=100_000,
    ),
)

TRADE_HABITS: Mapping[str, TradeHabits] = {row.exchange: row for row in _ROWS}
