"""Reads rows of trades into columns, whole columns at a time and without rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from candle_ingestor.exchanges.trade_habits import TimeForm, TradeLayout
from candle_ingestor.exchanges.trades import NS_PER_MS, RawTrades

_CCXT_MS_OFF = 1
_DECIMAL = r"^\d{1,20}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?$"


def read_trades(
    answer: Any, layout: TradeLayout, parse: Callable[[Any], Mapping[str, Any]]
) -> RawTrades:
    """The rows as columns TRADES; `parse` is ccxt's reading of one row.

    Raises:
        ValueError: if the answer is no list, or ccxt reads its first or last whole row in another
            way.
    """
    if not isinstance(answer, list):
        raise ValueError(f"trades are no list: {answer!r}")
    rows = _bare(answer, layout)
    fields = (layout.time, layout.price, layout.amount, layout.id)
    columns = [[_text(row, field) for row in rows] for field in fields]
    names = ("time", "price", "amount", "id")
    texts = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))
    amount = pl.col("amount")
    if layout.has_signed_amount:
        amount = amount.str.strip_prefix("-")
    price = _where(pl.col("price"), _DECIMAL).cast(pl.Float64, strict=False)
    frame = texts.select(
        time_ns=_time_ns(layout.time_form),
        price=pl.when(price.is_finite()).then(price),
        amount=_where(amount, _DECIMAL),
        id=pl.col("id"),
    )
    _require_agreement(frame, answer, parse)
    return RawTrades(frame, rows)


def _bare(answer: list[Any], layout: TradeLayout) -> list[Any]:
    """The rows as the exchange sent them."""
    rows = list(answer)
    if layout.wrapped_in is not None:
        rows = [row[layout.wrapped_in] for row in rows]
    if layout.has_cursor_at_end and rows:
        rows[-1] = rows[-1][:-1]
    return rows


def _text(row: Any, field: int | str) -> str | None:
    try:
        value = row[field]
    except (TypeError, KeyError, IndexError):
        return None
    return value if isinstance(value, str) else None


def _where(text: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(text.str.contains(pattern)).then(text)


def _time_ns(form: TimeForm) -> pl.Expr:
    text = pl.col("time")
    if form is TimeForm.MILLISECONDS:
        return _where(text, r"^\d{1,13}$").cast(pl.Int64, strict=False) * NS_PER_MS
    if form is TimeForm.SECONDS:
        # As text: a float64 would move a trade of a minute's last instant into the next minute.
        whole = text.str.extract(r"^(\d{1,10})(?:\.\d{1,9})?$")
        decimals = text.str.extract(r"\.(\d{1,9})$").fill_null("").str.pad_end(9, "0")
        return (whole + decimals).cast(pl.Int64, strict=False)
    moment = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", strict=False)
    return moment.cast(pl.Int64)


def _require_agreement(
    frame: pl.DataFrame, answer: list[Any], parse: Callable[[Any], Mapping[str, Any]]
) -> None:
    whole = frame.with_row_index("row").drop_nulls(("time_ns", "price", "amount"))
    if whole.is_empty():
        return
    for position in (0, -1):
        row, time_ns, price, amount, _ = whole.row(position)
        parsed = parse(answer[row])
        is_same = (
            abs(parsed["timestamp"] - time_ns // NS_PER_MS) <= _CCXT_MS_OFF
            and float(parsed["price"]) == price
            and float(parsed["amount"]) == float(amount)
        )
        if not is_same:
            raise ValueError(f"ccxt reads a trade in another way: {answer[row]!r}")
