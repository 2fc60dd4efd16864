"""Reading of a series' manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candle_loader.errors import LoaderError
from candle_loader.gap import NOT_EXPORTED, Gap, gaps_within
from candle_loader.layouts import Layout
from candle_loader.times import following_month, month_start_ms, timeframe_ms, to_ms

KNOWN_FORMAT_VERSION = 1
_MONTH = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True)
class SeriesInfo:
    """What an exported series is.

    Attributes:
        timeframe: the length of a candle, such as `1m`.
        folder: where its manifest is.
        file_format: of its months' files: `csv` or `parquet`.
        fill: what stands where there was no trade: `none`, or `flat` for a candle at the last
            close with volume 0.
    """

    exchange: str
    symbol: str
    timeframe: str
    price_decimal_digits: int
    volume_decimal_digits: int
    folder: Path
    file_format: str = "csv"
    fill: str = "none"

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol} {self.timeframe}"


@dataclass(frozen=True)
class Month:
    """What the manifest says of one month.

    Attributes:
        start_ms, end_ms: the calendar month in UTC.
        known_end_ms: up to where the manifest tells of it; a later minute is unknown.
        content_bytes: how many leading bytes of its file are told of; None for all.
        last_open_ms: the open time of its last candle; None where it has none.
        is_complete: whether it is never to change again.
    """

    start_ms: int
    end_ms: int
    known_end_ms: int
    path: Path
    rows: int
    sha256: str
    last_open_ms: int | None
    is_complete: bool
    gaps: tuple[Gap, ...]
    content_bytes: int | None


@dataclass(frozen=True)
class Manifest:
    """A manifest, its months ascending; `content` is the text it was read from."""

    series: SeriesInfo
    months: tuple[Month, ...]
    content: bytes

    def gaps_within(self, start_ms: int, end_ms: int) -> tuple[Gap, ...]:
        """The time in `[start_ms, end_ms)` that nothing is known of, ascending."""
        gaps = []
        told_until_ms = start_ms
        for month in self.months:
            gaps.append(Gap(told_until_ms, month.start_ms, NOT_EXPORTED))
            gaps.extend(month.gaps)
            told_until_ms = max(told_until_ms, month.known_end_ms)
        gaps.append(Gap(told_until_ms, end_ms, NOT_EXPORTED))
        return gaps_within(gaps, start_ms, end_ms)

    @property
    def start_ms(self) -> int:
        """The start of the first month, of at least one."""
        return self.months[0].start_ms

    @property
    def known_end_ms(self) -> int:
        """Up to where the manifest tells of the series; it has at least one month."""
        return self.months[-1].known_end_ms

    @property
    def last_open_ms(self) -> int | None:
        """The open time of the last candle; None where there is none."""
        return next((m.last_open_ms for m in reversed(self.months) if m.last_open_ms), None)


def read_manifest(folder: Path, layout: Layout) -> Manifest:
    """The manifest of a series' folder.

    Raises:
        LoaderError: if there is none, or it is damaged or of an unknown version.
    """
    path = folder / layout.manifest_name
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LoaderError(
            f"{path} does not exist; check the data root, exchange and symbol, or export the "
            "series there first"
        ) from error
    except OSError as error:
        raise LoaderError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        values = json.loads(content)
        version = values["format_version"]
        if version == KNOWN_FORMAT_VERSION:
            return _manifest(folder, layout, values, content)
    except (LoaderError, ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise LoaderError(
            f"{path} is no valid manifest: {cause}; restore it or export the series anew"
        ) from error
    raise LoaderError(
        f"{path} has format_version {version!r}, and this loader knows only "
        f"{KNOWN_FORMAT_VERSION}; use the loader of the release that wrote it"
    )


def _manifest(folder: Path, layout: Layout, values: Mapping[str, Any], content: bytes) -> Manifest:
    series = SeriesInfo(
        exchange=_of_type(values, "exchange", str),
        symbol=_of_type(values, "symbol", str),
        timeframe=_of_type(values, "timeframe", str),
        price_decimal_digits=_of_type(values, "price_decimal_digits", int),
        volume_decimal_digits=_of_type(values, "volume_decimal_digits", int),
        folder=folder,
        file_format=layout.name,
        fill=str(values.get("fill", "none")),
    )
    candle_ms = timeframe_ms(series.timeframe)
    months = sorted(_of_type(values, "months", dict).items())
    return Manifest(
        series,
        tuple(_month(folder, layout, name, month, candle_ms) for name, month in months),
        content,
    )


def _month(
    folder: Path, layout: Layout, name: str, values: Mapping[str, Any], candle_ms: int
) -> Month:
    if not _MONTH.fullmatch(name):
        raise ValueError(f"{name!r} is not a month")
    file = layout.file_of(name)
    if values["file"] != file:
        raise ValueError(f"the file of {name} is {values['file']!r} and not {file!r}")
    gaps = tuple(
        Gap(to_ms(gap["start"]), to_ms(gap["end"]), str(gap["reason"]))
        for gap in _of_type(values, "gaps", list)
    )
    start_ms, end_ms = month_start_ms(name), month_start_ms(following_month(name))
    last = values["last_timestamp"]
    last_open_ms = None if last is None else to_ms(last)
    return Month(
        start_ms=start_ms,
        end_ms=end_ms,
        known_end_ms=_known_end_ms(values, start_ms, end_ms, gaps, last_open_ms, candle_ms),
        path=folder / file,
        rows=_of_type(values, "rows", int),
        sha256=_of_type(values, "sha256", str),
        last_open_ms=last_open_ms,
        is_complete=_of_type(values, "complete", bool),
        gaps=gaps,
        content_bytes=_content_bytes(values),
    )


def _content_bytes(values: Mapping[str, Any]) -> int | None:
    """A month that is not complete grows at its end, before its manifest tells of it."""
    if "bytes" not in values or _of_type(values, "complete", bool):
        return None
    told: int = _of_type(values, "bytes", int)
    return told


def _known_end_ms(
    values: Mapping[str, Any],
    start_ms: int,
    end_ms: int,
    gaps: tuple[Gap, ...],
    last_open_ms: int | None,
    candle_ms: int,
) -> int:
    if _of_type(values, "complete", bool):
        return end_ms
    told = values.get("known_until")
    if told is not None:
        return min(max(to_ms(told), start_ms), end_ms)
    # Without a word of it, the time after the last candle or gap may be unknown.
    last_end_ms = start_ms if last_open_ms is None else last_open_ms + candle_ms
    return max(last_end_ms, *(gap.end_ms for gap in gaps), start_ms)


def _of_type(values: Mapping[str, Any], name: str, wanted: type) -> Any:
    value = values[name]
    if type(value) is not wanted:
        raise ValueError(f"{name} is {value!r}")
    return value
