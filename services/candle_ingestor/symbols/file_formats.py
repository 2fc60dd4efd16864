"""What a symbols file holds, by its format. Pure.

Each reader takes the file's text. It returns the items of its list, and a sentence for each thing
that it passes over. It raises ValueError, with what is wrong, where it finds no list.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping

from candle_ingestor.model.texts import quoted
from candle_ingestor.symbols.requests import KNOWN_KEYS, unknown_words

Items = tuple[list[object], tuple[str, ...]]

_NUMBERS = frozenset({"tier", "price_decimal_digits", "volume_decimal_digits"})


def json_items(text: str) -> Items:
    """A list of texts or objects, or an object with that list under `symbols`."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    notes: tuple[str, ...] = ()
    if isinstance(value, dict):
        notes = _notes_on(value, ("symbols",))
        value = value.get("symbols")
    if not isinstance(value, list):
        raise ValueError('a list such as ["BTC/USD", {"symbol": "ETH/USD", "tier": 1}] is wanted')
    return value, notes


def toml_items(text: str) -> Items:
    """A list under `symbols`, tables `[[symbol]]` or `[[symbols]]`, or both."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"malformed TOML: {error}") from error
    names = ("symbols", "symbol")
    lists = [tables[name] for name in names if name in tables]
    if not lists or not all(isinstance(items, list) for items in lists):
        raise ValueError('symbols = ["BTC/USD", ...] or [[symbol]] tables are wanted')
    return [item for items in lists for item in items], _notes_on(tables, names)


def text_items(text: str) -> Items:
    """A symbol a line; what follows a # is a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line], ()


def csv_items(text: str) -> Items:
    """A header that names a column `symbol` and, where wanted, others; then a symbol a row.

    A row that begins with # is a comment. An empty cell says nothing.
    """
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        numbered = [
            (rows.line_num, [cell.strip() for cell in row])
            for row in rows
            if any(cell.strip() for cell in row) and not row[0].strip().startswith("#")
        ]
    except csv.Error as error:
        raise ValueError(f"malformed CSV at line {rows.line_num}: {error}") from error
    columns = [name.lower() for name in numbered[0][1]] if numbered else []
    if "symbol" not in columns:
        raise ValueError(
            "the first line must name a column symbol; "
            f"known columns are {', '.join(KNOWN_KEYS)}; a list without a header ends in .txt"
        )
    items: list[object] = []
    for line_number, cells in numbered[1:]:
        if len(cells) > len(columns):
            raise ValueError(
                f"line {line_number} has {len(cells)} cells, the first line {len(columns)}"
            )
        filled = {name: cell for name, cell in zip(columns, cells, strict=False) if cell}
        items.append({name: _value(name, cell) for name, cell in filled.items()})
    return items, ()


READERS: Mapping[str, Callable[[str], Items]] = {
    ".json": json_items,
    ".toml": toml_items,
    ".csv": csv_items,
    ".txt": text_items,
}
"""By the ending of the file's name."""


def _value(name: str, cell: str) -> object:
    is_number = name in _NUMBERS and cell.removeprefix("-").isdecimal() and cell.isascii()
    return int(cell) if is_number else cell


def _notes_on(table: Mapping[str, object], known: Iterable[str]) -> tuple[str, ...]:
    known = tuple(known)
    return tuple(unknown_words(quoted(key), known) for key in table if key not in known)
