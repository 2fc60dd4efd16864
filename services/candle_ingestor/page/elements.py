"""HTML of values: whatever comes from data is escaped here, and nowhere else. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from candle_ingestor.model.times import iso_text, minute_text


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = "\N{EN DASH}"
"""What stands for a figure that there is none of."""

Cell = str | int | Html | None


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    heading: str
    is_number: bool = False


def columns_of(*headings: str, numbers: Collection[str] = ()) -> list[Column]:
    """Columns with these headings; those of `numbers` hold numbers."""
    return [Column(heading, heading in numbers) for heading in headings]


def text(value: object) -> Html:
    """The value as text in HTML, harmless in an attribute, too."""
    return Html(escape(str(value)))


def joined(parts: Iterable[Html], separator: str = "") -> Html:
    """The parts in a row."""
    return Html(separator.join(parts))


def element(name: str, *content: str, **attributes: str) -> Html:
    """An element; what is not Html in it is escaped. A final underscore of an attribute is cut."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inside = "".join(part if isinstance(part, Html) else escape(part) for part in content)
    return Html(f"<{name}{given}>{inside}</{name}>")


def link(words: str, address: str) -> Html:
    """A link to a page; the words alone where the address is none of the web."""
    if not address.startswith("https://"):
        return text(words)
    return element("a", words, href=address, rel="noreferrer")


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, empty: str
) -> Html:
    """A table that scrolls by itself where it is too wide; `empty` is said of one without rows."""
    body = []
    for row in rows:
        cells: list[Html] = []
        for column, cell in zip(columns, row, strict=True):
            shown: str = f"{cell:,}" if isinstance(cell, int) else NOTHING if cell is None else cell
            attributes = {"class": "number"} if column.is_number else {}
            # The first cell names its row, also to a screen reader.
            if cells:
                cells.append(element("td", shown, **attributes))
            else:
                cells.append(element("th", shown, scope="row", **attributes))
        body.append(element("tr", joined(cells)))
    if not body:
        return element("p", empty, class_="empty")
    headings = [
        element(
            "th", column.heading, scope="col", **({"class": "number"} if column.is_number else {})
        )
        for column in columns
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", joined(headings))),
            element("tbody", joined(body)),
        ),
        class_="wide",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def json_script(name: str, value: Mapping[str, Any]) -> Html:
    """A block of JSON that no text in it can break out of."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        content = content.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{escape(name)}">{content}</script>')


def minute(time_ms: int | None) -> str | None:
    """The time as `2023-03-11 07:02`; None stays None."""
    return None if time_ms is None else minute_text(time_ms)[:16].replace("T", " ")


def time_element(time_ms: int) -> Html:
    """The time for people and for programs."""
    return element("time", minute(time_ms) or "", datetime=iso_text(time_ms))


def percent_of(part: int, whole: int) -> str | None:
    """The share in percent, rounded down to two decimals, so that only all of it is `100 %`."""
    if not whole:
        return None
    hundredths = part * 10_000 // whole
    return "100 %" if hundredths == 10_000 else f"{hundredths / 100:.2f} %"
