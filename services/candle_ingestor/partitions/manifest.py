"""The manifest of a series' folder (rule E4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.export_forms import Fill
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text, iso_text_if
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.files import read_file, replace_file
from candle_ingestor.partitions.formats.layout import Layout
from candle_ingestor.partitions.timestamps import parse_timestamp

FORMAT_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Digits(NamedTuple):
    """How many decimal digits prices and volumes are scaled by (rule E2)."""

    price: int
    volume: int


class Restatement(NamedTuple):
    """A change of a month that was complete: when, the digest that it had before, and why."""

    at_ms: int
    sha256: str
    reason: str


@dataclass(frozen=True)
class MonthEntry:
    """What the manifest says of one month's file.

    Attributes:
        first_open_ms: open time of the first candle; None where the month has none.
        complete: whether the month was complete (rule E3), so that it never changes again.
        known_until_ms: up to where rows and gaps tell of the month; None where its writer did not
            say.
        gaps: its wanted time outside coverage, ascending.
        content_bytes: how many leading bytes of the file are told of; what follows is no part of
            it yet. None where its writer did not say, and then it is all of them.
        history: how it was restated, oldest first.
        partial: the time of candles that are made of a part of it, ascending.
    """

    rows: int
    first_open_ms: int | None
    last_open_ms: int | None
    sha256: str
    complete: bool
    known_until_ms: int | None
    gaps: tuple[Gap, ...]
    content_bytes: int | None = None
    history: tuple[Restatement, ...] = ()
    partial: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What a series' folder holds.

    Attributes:
        fill: what stands for covered minutes without trade.
    """

    series: Series
    digits: Digits
    fill: Fill = Fill.NONE
    months: Mapping[Month, MonthEntry] = field(default_factory=dict)

    def with_months(self, entries: Mapping[Month, MonthEntry]) -> Manifest:
        """The manifest with these months added or replaced."""
        return replace(self, months={**self.months, **entries})


def told_bytes_of(entry: MonthEntry, content: bytes) -> int:
    """How many leading bytes of a month's file the entry tells of; what grows may have more."""
    if entry.complete or entry.content_bytes is None:
        return len(content)
    return entry.content_bytes


def write_manifest(folder: Path, layout: Layout, manifest: Manifest) -> None:
    """Replaces the folder's manifest.

    Raises:
        PartitionError: if it cannot be written; the one before is then whole.
    """
    replace_file(folder / layout.manifest_name, _text(layout, manifest).encode())


def read_manifest(folder: Path, layout: Layout) -> Manifest | None:
    """The folder's manifest, None where it has none.

    Raises:
        PartitionError: if it cannot be read, is damaged or of a version unknown here.
    """
    path = folder / layout.manifest_name
    content = read_file(path)
    if content is None:
        return None
    try:
        values = json.loads(content)
        version = values["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    if version != FORMAT_VERSION:
        raise PartitionError(
            f"{path} has format_version {version!r}, and only {FORMAT_VERSION} is known here; "
            "use the release that wrote it, or give another --data_root"
        )
    try:
        return _from_json(layout, values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> PartitionError:
    cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return PartitionError(
        f"{path} is no valid manifest: {cause}; restore it, or remove the folder {path.parent} "
        "to have it exported anew"
    )


def _text(layout: Layout, manifest: Manifest) -> str:
    """A line a month: to be looked at and compared, and quicker than an indented text."""
    series: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "exchange": manifest.series.exchange,
        "symbol": str(manifest.series.symbol),
        "timeframe": str(manifest.series.timeframe),
        "price_decimal_digits": manifest.digits.price,
        "volume_decimal_digits": manifest.digits.volume,
    }
    if manifest.fill is not Fill.NONE:
        series["fill"] = manifest.fill.value
    months = ",\n".join(
        f"  {json.dumps(str(month))}: {json.dumps(_entry_to_json(layout, month, entry))}"
        for month, entry in sorted(manifest.months.items())
    )
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in series.items()]
    return "\n".join(("{", *lines, ' "months": {', months, " }", "}", ""))


def _entry_to_json(layout: Layout, month: Month, entry: MonthEntry) -> dict[str, Any]:
    values: dict[str, Any] = {
        "file": layout.month_file(month),
        "rows": entry.rows,
        "first_timestamp": iso_text_if(entry.first_open_ms),
        "last_timestamp": iso_text_if(entry.last_open_ms),
        "sha256": entry.sha256,
        "complete": entry.complete,
        "known_until": iso_text_if(entry.known_until_ms),
        "gaps": [{**_span_to_json(gap.interval), "reason": gap.reason.value} for gap in entry.gaps],
        **({"partial": [_span_to_json(each) for each in entry.partial]} if entry.partial else {}),
    }
    if entry.content_bytes is not None:
        values["bytes"] = entry.content_bytes
    if entry.history:
        values["history"] = [
            {"restated_at": iso_text(each.at_ms), "sha256": each.sha256, "reason": each.reason}
            for each in entry.history
        ]
    return values


def _span_to_json(interval: Interval) -> dict[str, str]:
    return {"start": iso_text(interval.start_ms), "end": iso_text(interval.end_ms)}


def _from_json(layout: Layout, values: Mapping[str, Any]) -> Manifest:
    series = Series(
        _of_type(values, "exchange", str),
        Symbol.parse(_of_type(values, "symbol", str)),
        Timeframe.parse(_of_type(values, "timeframe", str)),
    )
    digits = Digits(
        _digits(values, "price_decimal_digits"), _digits(values, "volume_decimal_digits")
    )
    months = {
        Month.parse(text): _month_entry(layout, text, entry)
        for text, entry in _of_type(values, "months", dict).items()
    }
    return Manifest(series, digits, Fill(values.get("fill", Fill.NONE)), months)


def _month_entry(layout: Layout, text: str, values: Mapping[str, Any]) -> MonthEntry:
    month = Month.parse(text)
    expected_file = layout.month_file(month)
    if values["file"] != expected_file:
        raise ValueError(f"the file of {month} is {values['file']!r} and not {expected_file!r}")
    sha256 = _of_type(values, "sha256", str)
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"the sha256 of {month} is {sha256!r}")
    complete = _of_type(values, "complete", bool)
    known_until_ms = _optional_time(values.get("known_until"))
    if complete and known_until_ms is None:
        known_until_ms = month.interval.end_ms
    return MonthEntry(
        rows=_of_type(values, "rows", int),
        first_open_ms=_optional_time(values["first_timestamp"]),
        last_open_ms=_optional_time(values["last_timestamp"]),
        sha256=sha256,
        complete=complete,
        known_until_ms=known_until_ms,
        gaps=tuple(_gap(gap) for gap in _of_type(values, "gaps", list)),
        content_bytes=_of_type(values, "bytes", int) if "bytes" in values else None,
        history=tuple(map(_restatement, values.get("history", ()))),
        partial=tuple(_span(each) for each in values.get("partial", ())),
    )


def _restatement(values: Mapping[str, Any]) -> Restatement:
    return Restatement(
        parse_timestamp(values["restated_at"]),
        _of_type(values, "sha256", str),
        _of_type(values, "reason", str),
    )


def _gap(values: Mapping[str, Any]) -> Gap:
    return Gap(_span(values), GapReason(values["reason"]))


def _span(values: Mapping[str, Any]) -> Interval:
    return Interval(parse_timestamp(values["start"]), parse_timestamp(values["end"]))


def _digits(values: Mapping[str, Any], name: str) -> int:
    digits: int = _of_type(values, name, int)
    if not 0 <= digits <= MOST_DIGITS:
        raise ValueError(f"{name} is {digits}")
    return digits


def _of_type(values: Mapping[str, Any], name: str, wanted: type) -> Any:
    value = values[name]
    if type(value) is not wanted:
        raise ValueError(f"{name} is {value!r}")
    return value


def _optional_time(text: str | None) -> int | None:
    return None if text is None else parse_timestamp(text)
