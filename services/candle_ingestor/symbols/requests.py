"""The symbols a run is asked for, parsed once from whatever a source holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.symbol import Symbol, SymbolError
from candle_ingestor.model.texts import did_you_mean, joined, quoted, shortened
from candle_ingestor.symbols.start_date import Day, DayError, parse_day

_MAX_TIER_LENGTH = 40
_MAX_SHOWN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class SymbolRequest:
    """One symbol and what its source says of it; None where it says nothing.

    Attributes:
        symbol: the unified pair.
        tier: the source's own class of the symbol.
        history_start: the day its backfill starts, in place of the run's.
        price_decimal_digits: digits of its exported prices, 0 to 18.
        volume_decimal_digits: digits of its exported volumes, 0 to 18.
    """

    symbol: Symbol
    tier: int | str | None = None
    history_start: Day | None = None
    price_decimal_digits: int | None = None
    volume_decimal_digits: int | None = None


KNOWN_KEYS = tuple(field.name for field in fields(SymbolRequest))
"""What an object of a list may say."""


class RejectedItem(NamedTuple):
    """An item that names no symbol: what it looked like, cut, and why it was passed over."""

    shown: str
    reason: str


@dataclass(frozen=True, slots=True)
class SymbolList:
    """What a source holds.

    Attributes:
        source: where the items came from, as a person calls it.
        requests: one a symbol, in the source's order.
        rejected: the items that name no symbol or carry a bad field.
        duplicates: how many items were merged into an earlier one of the same symbol.
        notes: a sentence for each key that is passed over, since nobody knows it.
    """

    source: str
    requests: tuple[SymbolRequest, ...]
    rejected: tuple[RejectedItem, ...] = ()
    duplicates: int = 0
    notes: tuple[str, ...] = ()

    @property
    def bases(self) -> frozenset[str]:
        """The bases of its symbols."""
        return frozenset(request.symbol.base for request in self.requests)


class _ItemError(ValueError):
    """Why an item is rejected."""


def parse_symbol_items(items: Iterable[object], source: str) -> SymbolList:
    """The symbols that the items name: texts, or objects with `symbol` and optional fields.

    Of several items of one symbol the first's place and fields win; fields it lacks are taken
    from the later ones. Other keys of an object are passed over and noted. Nonsense is rejected,
    never raised.
    """
    found: dict[Symbol, SymbolRequest] = {}
    rejected: list[RejectedItem] = []
    duplicates = 0
    unknown: dict[str, int] = {}
    for item in items:
        for key in item if isinstance(item, Mapping) else ():
            if key not in KNOWN_KEYS:
                unknown[_shown(key)] = unknown.get(_shown(key), 0) + 1
        try:
            request = _parse_item(item)
        except (_ItemError, SymbolError) as error:
            rejected.append(RejectedItem(_shown(item), str(error)))
            continue
        earlier = found.get(request.symbol)
        if earlier is None:
            found[request.symbol] = request
        else:
            found[request.symbol] = _filled(earlier, request)
            duplicates += 1
    notes = tuple(unknown_words(key, KNOWN_KEYS, entries) for key, entries in unknown.items())
    return SymbolList(source, tuple(found.values()), tuple(rejected), duplicates, notes)


def unknown_words(key: str, known: Sequence[str], entries: int = 1) -> str:
    """What to say of a key, quoted already, that is passed over in so many entries."""
    where = f" in {entries} entries" if entries > 1 else ""
    clauses = [f"passed over the unknown key {key}{where}", did_you_mean(key.strip("'"), known)]
    return joined([*filter(None, clauses), f"known are {', '.join(known)}"])


def _parse_item(item: object) -> SymbolRequest:
    if isinstance(item, str):
        return SymbolRequest(_parse_symbol(item))
    if isinstance(item, Mapping):
        return _parse_object(item)
    if isinstance(item, bytes):
        raise _ItemError("is not UTF-8 text")
    raise _ItemError(f"is of type {type(item).__name__}, not a text or an object")


def _parse_object(item: Mapping[Any, Any]) -> SymbolRequest:
    text = item.get("symbol")
    if not isinstance(text, str):
        raise _ItemError("has no text under 'symbol'")
    return SymbolRequest(
        symbol=_parse_symbol(text),
        tier=_tier(item.get("tier")),
        history_start=_history_start(item.get("history_start")),
        price_decimal_digits=_digits(item, "price_decimal_digits"),
        volume_decimal_digits=_digits(item, "volume_decimal_digits"),
    )


def _parse_symbol(text: str) -> Symbol:
    if not text.isascii():
        raise _ItemError("names no symbol: it holds more than letters, digits and a separator")
    try:
        return Symbol.parse(text)
    except SymbolError as error:
        raise _ItemError(str(error).removeprefix(f"{_shown(text)} ")) from error


def _tier(value: object) -> int | str | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and 0 < len(value) <= _MAX_TIER_LENGTH and value.isprintable():
        return value
    raise _ItemError(
        f"has the tier {_shown(value)}, not a whole number or a text of up to "
        f"{_MAX_TIER_LENGTH} characters"
    )


def _history_start(value: object) -> Day | None:
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise _ItemError(f"has the history_start {_shown(value)}, not a text such as 2023-01-31")
    try:
        return parse_day(value)
    except DayError as error:
        raise _ItemError(f"has a bad history_start: {error}") from error


def _digits(item: Mapping[Any, Any], key: str) -> int | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _ItemError(f"has the {key} {_shown(value)}, not a whole number")
    if not 0 <= value <= MOST_DIGITS:
        raise _ItemError(f"has the {key} {_shown(value)}, not 0 to {MOST_DIGITS}")
    return value


def _filled(earlier: SymbolRequest, later: SymbolRequest) -> SymbolRequest:
    missing = [item.name for item in fields(earlier) if getattr(earlier, item.name) is None]
    return replace(earlier, **{name: getattr(later, name) for name in missing})


def _shown(item: object) -> str:
    if isinstance(item, str):
        return quoted(item)
    return shortened(repr(item), _MAX_SHOWN_LENGTH)
