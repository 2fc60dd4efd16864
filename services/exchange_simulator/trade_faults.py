"""What a fault does to the rows of a page of trades."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, TypeAlias

from exchange_simulator.faults import (
    Rows,
    change_row,
    doubled_rows,
    empty_page,
    shuffled_rows,
    some_of,
)

__all__ = ["TRADE_FAULTS"]

Fields: TypeAlias = Mapping[str, int | str]
"""Where a row has `time`, `price` and `amount`."""


def _null_fields(rows: Rows, fields: Fields, random: Random) -> Rows:
    return _with_field(rows, random, lambda: fields[random.choice(sorted(fields))], None)


def _wrong_price(rows: Rows, fields: Fields, random: Random) -> Rows:
    return _with_field(rows, random, lambda: fields["price"], "-1.5")


def _with_field(
    rows: Rows, random: Random, choose: Callable[[], int | str], value: str | None
) -> Rows:
    for index in some_of(rows, random):
        field = choose()

        def put(row: Any, field: int | str = field) -> None:
            row[field] = value

        rows[index] = change_row(rows[index], put)
    return rows


def _short_head(rows: Rows, _fields: Fields, random: Random) -> Rows:
    return rows[random.randint(1, len(rows)) :]


def _short_tail(rows: Rows, _fields: Fields, random: Random) -> Rows:
    return rows[: random.randrange(len(rows))]


TRADE_FAULTS: Mapping[str, Callable[[Rows, Fields, Random], Rows]] = MappingProxyType(
    {
        "doubled_rows": doubled_rows,
        "shuffled_rows": shuffled_rows,
        "null_fields": _null_fields,
        "empty_page": empty_page,
        "wrong_price": _wrong_price,
        "short_head": _short_head,
        "short_tail": _short_tail,
    }
)
"""Each takes a page of at least one row, in the order it is sent."""
