"""Long texts in parts that InfluxDB takes, and whole again. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from candle_ingestor.stores.influxdb.torn import TornReadError

PART_LENGTH = 60_000
"""InfluxDB promises to keep strings of up to 64 KB."""


class IncompleteTextError(TornReadError):
    """Parts that do not make up the text they were cut from; the message says which."""


@dataclass(frozen=True)
class TextInParts:
    """A text cut into one or more parts, and the digest that tells its parts from others'."""

    parts: tuple[str, ...]
    digest: str

    @classmethod
    def cut(cls, text: str) -> TextInParts:
        """Cuts an ASCII text.

        Raises:
            ValueError: if it is not ASCII, so that its length in bytes would differ.
        """
        data = text.encode("ascii")
        starts = range(0, max(len(text), 1), PART_LENGTH)
        return cls(tuple(text[start : start + PART_LENGTH] for start in starts), _digest(data))


def joined(parts: Mapping[int, str | None], count: int, digest: str) -> str:
    """The text that was cut into these numbered parts; parts beyond the count are passed over.

    Raises:
        IncompleteTextError: if a part is missing or belongs to another text.
    """
    found = [parts.get(number) for number in range(count)]
    missing = [str(number) for number, part in enumerate(found) if part is None]
    if missing:
        raise IncompleteTextError(f"part {', '.join(missing)} of {count} is missing")
    text = "".join(part for part in found if part is not None)
    if _digest(text.encode("utf-8")) != digest:
        raise IncompleteTextError(f"its {count} parts are not of one text")
    return text


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
