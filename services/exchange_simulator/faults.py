"""Faults on request: which of them hits a candle request, and what they do to its rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Any, TypeAlias

from exchange_simulator.candles import DAY_MS
from exchange_simulator.dialects import DIALECTS
from exchange_simulator.dialects.base import RowFields
from exchange_simulator.traits import unit_hash

__all__ = [
    "ALL_EXCHANGES",
    "FAULT_KINDS",
    "HOLE_FAULTS",
    "HTTP_STATUS_FAULTS",
    "ROW_FAULTS",
    "TRADE_PAGE_FAULTS",
    "Fault",
    "FaultPlan",
    "RowFault",
]

ALL_EXCHANGES = "all"
RETRY_AFTER_SECONDS = 1

HTTP_STATUS_FAULTS: Mapping[str, int] = MappingProxyType(
    {
        "429": 429,
        "429_retry_after": 429,
        "418": 418,
        "403": 403,
        "451": 451,
        "500": 500,
        "503": 503,
    }
)

Rows: TypeAlias = list[str]
"""The rows of a page in the order they are sent, each a JSON text."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """What a row fault must know of a dialect: the fields, and a moved row's time shift."""

    fields: RowFields
    half_candle: int  # in the dialect's time unit


RowFault: TypeAlias = Callable[[Rows, RowShape, Random], Rows]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault on one exchange (or all) at a rate of its candle requests, 0 to 1.

    Raises ValueError: an unknown exchange or kind, or a rate outside 0 to 1.
    """

    exchange: str
    kind: str
    rate: float

    def __post_init__(self) -> None:
        if self.exchange != ALL_EXCHANGES and self.exchange not in DIALECTS:
            raise ValueError(
                f"unknown exchange {self.exchange!r} in a fault; known: "
                f"{ALL_EXCHANGES}, {', '.join(DIALECTS)}"
            )
        known = (*FAULT_KINDS, *TRADE_PAGE_FAULTS, *HOLE_FAULTS)
        if self.kind not in known:
            raise ValueError(f"unknown kind of fault {self.kind!r}; known: {', '.join(known)}")
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"the rate of a fault is from 0 to 1, not {self.rate!r}")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """`EXCHANGE:KIND:RATE`. Raises ValueError."""
        parts = text.split(":")
        try:
            exchange, kind, rate = parts[0], parts[1], float(parts[2])
        except (IndexError, ValueError):
            raise ValueError(f"a fault is EXCHANGE:KIND:RATE, not {text!r}") from None
        if len(parts) != 3:
            raise ValueError(f"a fault is EXCHANGE:KIND:RATE, not {text!r}")
        return cls(exchange, kind, rate)


class FaultPlan:
    """Draws the fault of a request: a pure function of seed, exchange and the request's number.

    Faults are drawn in the order given, and the first that hits applies; a retry has another
    number, and so another draw.
    """

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._seed = seed

    def draw(self, exchange: str, request_number: int) -> str | None:
        """The kind of fault that hits, or None."""
        for index, fault in enumerate(self._faults):
            if (
                fault.exchange in (ALL_EXCHANGES, exchange)
                and unit_hash(self._seed, "fault", exchange, request_number, index) < fault.rate
            ):
                return fault.kind
        return None

    def random(self, exchange: str, request_number: int) -> Random:
        """The source of chance for what a fault does to the request's rows."""
        return Random(f"{self._seed}|rows|{exchange}|{request_number}")


class _NumberText(str):
    """A JSON number kept as the text it was written in."""

    __slots__ = ()


def change_row(row: str, change: Callable[[Any], None]) -> str:
    """The row after `change` was made to its value; numbers keep the text they were written in."""
    parsed = json.loads(row, parse_float=_NumberText, parse_int=_NumberText)
    change(parsed)
    return _row_text(parsed)


def _row_text(value: Any) -> str:
    if isinstance(value, _NumberText):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_row_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(key)}:{_row_text(value[key])}' for key in value)}}}"
    return json.dumps(value)


def _like(original: Any, text: str) -> str:
    return _NumberText(text) if isinstance(original, _NumberText) else text


def some_of(rows: Rows, random: Random) -> list[int]:
    """The positions, ascending, of one to three of the rows."""
    return sorted(random.sample(range(len(rows)), min(len(rows), random.randint(1, 3))))


def doubled_rows(rows: Rows, _shape: object, random: Random) -> Rows:
    for index in reversed(some_of(rows, random)):
        rows.insert(index, rows[index])
    return rows


def shuffled_rows(rows: Rows, _shape: object, random: Random) -> Rows:
    shuffled = random.sample(rows, len(rows))
    return shuffled if shuffled != rows else rows[::-1]


def _null_fields(rows: Rows, shape: RowShape, random: Random) -> Rows:
    for index in some_of(rows, random):
        field = random.choice(shape.fields[1:])

        def put_null(row: Any, field: int | str = field) -> None:
            row[field] = None

        rows[index] = change_row(rows[index], put_null)
    return rows


def _high_below_low(rows: Rows, shape: RowShape, random: Random) -> Rows:
    def lower_high(row: Any) -> None:
        high, low = row[shape.fields.high], row[shape.fields.low]
        if shape.fields.high == shape.fields.low:
            # A price alone has no high and low: one below 0 is as impossible.
            row[shape.fields.high] = _like(high, f"-{low}")
            return
        row[shape.fields.high] = _like(high, f"{Decimal(low) * Decimal('0.99'):f}")

    for index in some_of(rows, random):
        rows[index] = change_row(rows[index], lower_high)
    return rows


def _off_grid(rows: Rows, shape: RowShape, random: Random) -> Rows:
    """Moves one row by half a candle; back in time where it may be the newest."""

    def move(row: Any) -> None:
        time = row[shape.fields.time]
        step = -shape.half_candle if index in (0, len(rows) - 1) else shape.half_candle
        row[shape.fields.time] = _like(time, str(int(time) + step))

    index = random.randrange(len(rows))
    rows[index] = change_row(rows[index], move)
    return rows


def empty_page(_rows: Rows, _shape: object, _random: Random) -> Rows:
    return []


def _missing_days(rows: Rows, shape: RowShape, random: Random) -> Rows:
    """Leaves out all rows of two days that have others before and after them."""
    days = [int(json.loads(row)[shape.fields.time]) // DAY_MS for row in rows]
    inner = sorted(set(days))[1:-1]
    gone = random.sample(inner, min(2, len(inner)))
    return [row for row, day in zip(rows, days, strict=True) if day not in gone]


ROW_FAULTS: Mapping[str, RowFault] = MappingProxyType(
    {
        "doubled_rows": doubled_rows,
        "shuffled_rows": shuffled_rows,
        "null_fields": _null_fields,
        "high_below_low": _high_below_low,
        "off_grid": _off_grid,
        "empty_page": empty_page,
    }
)
"""Each takes a page of at least one row."""

TRADE_PAGE_FAULTS = ("short_head", "short_tail", "wrong_price")
"""What hits requests for trades only, beside the row faults that a trade can have."""

HOLE_FAULTS: Mapping[str, RowFault] = MappingProxyType({"missing_days": _missing_days})
"""What nobody notices where silence means that nobody traded: not among the kinds for all."""

FAULT_KINDS = (
    *HTTP_STATUS_FAULTS,
    "dropped_connection",
    "stall",
    "cut_json",
    "html",
    *ROW_FAULTS,
)
