"""Texts as messages and logs show them."""

from __future__ import annotations

from collections.abc import Iterable


def shortened(text: str, longest: int) -> str:
    """The text on one line, cut to `longest` characters and an ellipsis."""
    return _cut(" ".join(text.split()), longest)


def quoted(text: str, longest: int = 40) -> str:
    """The text in quotes, cut likewise, with what cannot be printed written out."""
    return repr(_cut(text, longest))


def joined(clauses: Iterable[str]) -> str:
    """The clauses on one line, set apart by semicolons where the one before is no question."""
    return "; ".join(clauses).replace("?; ", "? ")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
