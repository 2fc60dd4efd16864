"""Values of a JSON object, each proved to be of the kind that is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from operator import ge
from typing import Any

from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.texts import shortened

_LONGEST_SHOWN = 60


class RecordError(ValueError):
    """A text that is no series record; the message says where it breaks (rule C4)."""


class Fields:
    """The values of one object in a record's JSON.

    Every method that reads a value raises RecordError, with the value's place, where it is missing
    or of another kind. `optional_` allows null and a missing key, and answers them with None.
    """

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self.values = values
        self._place = place

    @property
    def names(self) -> list[str]:
        return list(self.values)

    def malformed(self, name: str, cause: str) -> RecordError:
        """The error that says what is wrong with the value of this name."""
        return RecordError(f"'{self._place}{name}': {cause}")

    def has(self, name: str) -> bool:
        return name in self.values

    def whole_number(self, name: str) -> int:
        value = self.optional_number(name)
        if value is None:
            raise self.malformed(name, "it is missing")
        return value

    def optional_number(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None or _is_int(value):
            return value
        raise self._unlike(name, "a whole number")

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        raise self._unlike(name, "a number")

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise self.malformed(name, "it is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._unlike(name, "a text")

    def optional_name(self, name: str) -> int | str | None:
        value = self.values.get(name)
        if value is None or _is_int(value) or isinstance(value, str):
            return value
        raise self._unlike(name, "a whole number or a text")

    def truth(self, name: str) -> bool:
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        raise self._unlike(name, "true or false")

    def optional_digits(self, name: str) -> tuple[int, int] | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, list) and len(value) == 2 and all(map(_is_int, value)):
            return value[0], value[1]
        raise self._unlike(name, "[price, volume]")

    def intervals(self, name: str) -> IntervalSet:
        items = self.items(name)
        ascending = _ascending(items)
        if ascending is not None:
            return ascending
        for item in items:
            if (
                not isinstance(item, (list, tuple))
                or len(item) != 2
                or not _is_int(item[0])
                or not _is_int(item[1])
                or item[0] >= item[1]
            ):
                shown = shortened(repr(item), _LONGEST_SHOWN)
                raise self.malformed(name, f"it holds {shown}, not [start_ms, end_ms]")
        found = IntervalSet(items) if items else EMPTY
        if len(found) != len(items):
            raise self.malformed(name, "its intervals overlap or touch")
        return found

    def items(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if isinstance(value, list):
            return value
        raise self._unlike(name, "a list")

    def within(self, name: str) -> Fields:
        """The fields of the object of this name."""
        found = self.optional_within(name)
        if found is None:
            raise self._unlike(name, "an object")
        return found

    def optional_within(self, name: str) -> Fields | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, dict):
            return Fields(value, f"{self._place}{name}.")
        raise self._unlike(name, "an object")

    def each_within(self, name: str) -> Iterator[Fields]:
        """The fields of each object in the list of this name."""
        for number, value in enumerate(self.items(name)):
            if not isinstance(value, dict):
                raise self._unlike(name, "a list of objects")
            yield Fields(value, f"{self._place}{name}[{number}].")

    def _unlike(self, name: str, wanted: str) -> RecordError:
        if name not in self.values:
            return self.malformed(name, "it is missing")
        shown = shortened(repr(self.values[name]), _LONGEST_SHOWN)
        return self.malformed(name, f"it is {shown}, not {wanted}")


def _ascending(items: list[Any]) -> IntervalSet | None:
    """The intervals, where all are as they are written: few looks for what is read so often."""
    try:
        if set(map(len, items)) - {2}:
            return None
        ends = list(chain.from_iterable(items))
        if set(map(type, ends)) - {int} or any(map(ge, ends, ends[1:])):
            return None
    except TypeError:
        return None
    return IntervalSet.ascending(zip(ends[::2], ends[1::2], strict=True))


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
