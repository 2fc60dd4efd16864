"""Market dictionaries that come from outside the job, checked before anything uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def checked_markets(value: object) -> list[dict[str, Any]]:
    """The value, if it is a list of spot markets as ccxt describes them, with one at least.

    Raises:
        ValueError: if it is not; the message says which market fails by what.
    """
    if not isinstance(value, list) or not value:
        raise ValueError("it is not a list of markets, or an empty one")
    for number, market in enumerate(value):
        fault = _fault_of(market)
        if fault is not None:
            raise ValueError(f"market {number} {fault}")
    return value


def _fault_of(market: object) -> str | None:
    if not isinstance(market, dict):
        return "is not a table"
    for keys, is_fit, wanted in _RULES:
        for key in keys:
            if not is_fit(market.get(key)):
                return f"has a {key} that is not {wanted}"
    steps = market.get("precision") or {}
    for key in ("price", "amount", "base", "quote"):
        if not _is_amount_or_none(steps.get(key)):
            return f"has a precision of {key} that is not a number"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_text_or_none(value: object) -> bool:
    return value is None or _is_text(value)


def _is_id(value: object) -> bool:
    """An id becomes a part of an address, which some characters would bend."""
    bending = ("?", "#", "&", "%", "\\", "..")
    return isinstance(value, str) and _is_text(value) and not any(b in value for b in bending)


def _is_table_or_none(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_amount_or_none(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 2**63


_RULES: tuple[tuple[tuple[str, ...], Callable[[object], bool], str], ...] = (
    (("id",), _is_id, "a text fit for an address"),
    (("symbol", "base", "quote"), _is_text, "a text"),
    (("baseId", "quoteId", "type"), _is_text_or_none, "a text"),
    (("spot",), lambda value: value is True, "true"),
    (("precision", "limits"), _is_table_or_none, "a table"),
    (("created",), _is_amount_or_none, "a time"),
)
