"""Texts as messages, reports and logs show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_NAMED = 5


def shortened(text: str, longest: int) -> str:
    """The text on one line, cut to `longest` characters and an ellipsis."""
    return _cut(" ".join(text.split()), longest)


def quoted(text: str, longest: int = 40) -> str:
    """The text in quotes, cut likewise, with what cannot be printed written out."""
    return repr(_cut(text, longest))


def joined(clauses: Iterable[str]) -> str:
    """The clauses on one line, set apart by semicolons where the one before is no question."""
    return "; ".join(clauses).replace("?; ", "? ")


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 minute`, `1,440 minutes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some_of(words: Sequence[object], most: int = _MOST_NAMED, separator: str = ", ") -> str:
    """The words in a row, of many the first and how many more there are."""
    more = len(words) - most
    named = separator.join(str(word) for word in words[:most])
    return named + (f" and {more:,} more" if more > 0 else "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", prefix: str = "") -> str:
    """`did you mean this?`, for the known word most like it; `otherwise` where none is like it.

    `prefix` is written before the known word.
    """
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {prefix}{close[0]}?" if close else otherwise


def percent(value: float) -> str:
    """`12 %`, `1.2 %`; small ones with two digits that say something."""
    text = f"{value:,.1f}".removesuffix(".0") if value >= 1 or not value else f"{value:.2g}"
    return f"{text} %"


def share(part: int, whole: int) -> str:
    """The part in whole percent, rounded down, so that only all of it is `100 %`."""
    if 0 < 100 * part < whole:
        return "less than 1 %"
    return f"{100 * part // whole} %"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
