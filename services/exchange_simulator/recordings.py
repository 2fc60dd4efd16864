"""Recorded candles: gzip CSV files served as they stand, digit by digit."""

import gzip
import re
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from pathlib import Path

from exchange_simulator.candles import DAY_MS, MINUTE_MS, Columns
from exchange_simulator.number_text import decimal_texts
from exchange_simulator.sources import TextColumns, texts_of

__all__ = ["Recording", "RecordingError", "RecordingSource", "load_recordings"]

HEADER = "timestamp_ms,open,high,low,close,volume"
EXCHANGE_ALIASES = {"coinbase": "coinbaseexchange", "coinbasepro": "coinbaseexchange"}
MOST_PRICE_DIGITS = 8
MOST_AMOUNT_DIGITS = 8

_EXACT = Context(prec=200)
_FILE_NAME = re.compile(r"([a-z0-9]+)_([A-Z0-9]+)-([A-Z0-9]+)\.csv\.gz")
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"  # what JSON takes for a number
_ROW = re.compile(rf"(\d{{1,15}})((?:,{_NUMBER}){{5}})")


class RecordingError(ValueError):
    """A recording that cannot be served; the message names the file and, if one, the line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One market's recorded candles; `rows[i]` is the CSV text after the i-th open time."""

    path: Path
    exchange: str
    base: str
    quote: str
    timeframe_ms: int
    open_ms: Sequence[int]
    rows: Sequence[str]
    price_digits: int
    volume_digits: int

    def shifted(self, shift_ms: int) -> "Recording":
        """The same candles at other times."""
        times = array("q", [open_ms + shift_ms for open_ms in self.open_ms])
        return Recording(
            self.path,
            self.exchange,
            self.base,
            self.quote,
            self.timeframe_ms,
            times,
            self.rows,
            self.price_digits,
            self.volume_digits,
        )


def load_recordings(
    directories: Iterable[Path], exchanges: Iterable[str], *, end_ms: int | None = None
) -> list[Recording]:
    """All recordings of the directories for these exchanges; others are named on stderr.

    With `end_ms`, the recordings of each directory are shifted by one common whole number of
    candles, so that the newest candle of the directory is the last that has closed by then.

    Raises RecordingError: a directory without a usable recording, a file name that is not
    `EXCHANGE_BASE-QUOTE.csv.gz`, a malformed file, two files for one market.
    """
    wanted = set(exchanges)
    found: dict[tuple[str, str, str], Recording] = {}
    for directory in directories:
        recordings = _load_directory(directory, wanted)
        if end_ms is not None:
            recordings = _shifted_to(recordings, end_ms)
        for recording in recordings:
            key = (recording.exchange, recording.base, recording.quote)
            if key in found:
                raise RecordingError(
                    f"two recordings of {recording.base}/{recording.quote} on "
                    f"{recording.exchange}: {found[key].path} and {recording.path}"
                )
            found[key] = recording
    return list(found.values())


class RecordingSource:
    """A recording as sources.CandleSource; rows that the recording lacks are not filled."""

    revision_ms = 0

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.timeframe_ms = recording.timeframe_ms
        self.first_ms = recording.open_ms[0]
        self.last_ms: int | None = recording.open_ms[-1]
        self.price_quantum = 10 ** max(0, recording.price_digits - MOST_PRICE_DIGITS)
        self.volume_quantum = 10 ** max(0, recording.volume_digits - MOST_AMOUNT_DIGITS)

    def columns(self, day: int) -> Columns:
        """The day's candles, exactly, scaled by the recording's own finest digits."""
        texts, recording = self.texts(day), self._recording
        return Columns(
            texts.open_ms,
            _scaled(texts.open, recording.price_digits),
            _scaled(texts.high, recording.price_digits),
            _scaled(texts.low, recording.price_digits),
            _scaled(texts.close, recording.price_digits),
            _scaled(texts.volume, recording.volume_digits),
        )

    def texts(self, day: int) -> TextColumns:
        """The day's candles as the file writes them."""
        open_ms = self._recording.open_ms
        first, stop = bisect_left(open_ms, day * DAY_MS), bisect_left(open_ms, (day + 1) * DAY_MS)
        if first == stop:
            return TextColumns((), (), (), (), (), ())
        fields = [row.split(",") for row in self._recording.rows[first:stop]]
        return TextColumns(open_ms[first:stop], *zip(*fields, strict=True))

    def format(self, columns: Columns) -> TextColumns:
        """Derived candles, exact and without trailing zeros."""
        recording = self._recording
        return texts_of(columns, decimal_texts, recording.price_digits, recording.volume_digits)


def _load_directory(directory: Path, wanted: set[str]) -> list[Recording]:
    if not directory.is_dir():
        raise RecordingError(f"no such directory of recordings: {directory}")
    recordings = []
    for path in sorted(directory.glob("*.csv.gz")):
        name = _FILE_NAME.fullmatch(path.name)
        if name is None:
            raise RecordingError(f"{path}: a recording is named EXCHANGE_BASE-QUOTE.csv.gz")
        exchange = EXCHANGE_ALIASES.get(name[1], name[1])
        if exchange not in wanted:
            print(f"recording skipped, {exchange} is not simulated: {path}", file=sys.stderr)
            continue
        recordings.append(_load_file(path, exchange, name[2], name[3]))
    if not recordings:
        raise RecordingError(
            f"{directory} holds no recording (EXCHANGE_BASE-QUOTE.csv.gz) of "
            f"{', '.join(sorted(wanted))}"
        )
    return recordings


def _load_file(path: Path, exchange: str, base: str, quote: str) -> Recording:
    open_ms, rows = array("q"), []
    for number, line in enumerate(_lines(path), start=1):
        if number == 1:
            if line != HEADER:
                raise RecordingError(f"{path}, line 1: expected the header {HEADER!r}")
            continue
        match = _ROW.fullmatch(line)
        if match is None:
            raise RecordingError(f"{path}, line {number}: not a candle row: {line[:120]!r}")
        time_ms = int(match[1])
        if open_ms and time_ms <= open_ms[-1]:
            raise RecordingError(f"{path}, line {number}: open times must ascend: {line[:120]!r}")
        open_ms.append(time_ms)
        rows.append(match[2][1:])
    if len(rows) < 2:
        raise RecordingError(f"{path}: {len(rows)} rows; a timeframe needs at least two to be seen")
    timeframe_ms = _timeframe(path, open_ms)
    fields = zip(*(row.split(",") for row in rows), strict=True)
    digits = [max(map(_digits, column)) for column in fields]
    return Recording(
        path, exchange, base, quote, timeframe_ms, open_ms, rows, max(digits[:4]), digits[4]
    )


def _lines(path: Path) -> list[str]:
    try:
        return gzip.decompress(path.read_bytes()).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read as gzip CSV: {error}") from error


def _timeframe(path: Path, open_ms: Sequence[int]) -> int:
    timeframe_ms = min(later - earlier for earlier, later in pairwise(open_ms))
    if timeframe_ms % MINUTE_MS or DAY_MS % timeframe_ms:
        raise RecordingError(
            f"{path}: its smallest step of {timeframe_ms} ms is no timeframe from 1m to 1d"
        )
    for number, time_ms in enumerate(open_ms, start=2):
        if time_ms % timeframe_ms:
            raise RecordingError(
                f"{path}, line {number}: {time_ms} is not on the grid of {timeframe_ms} ms"
            )
    return timeframe_ms


def _digits(text: str) -> int:
    """Digits after the decimal point that a number text needs, its exponent applied."""
    mantissa, _, exponent = text.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0))


def _scaled(texts: Iterable[str], digits: int) -> list[int]:
    return [int(_EXACT.scaleb(Decimal(text), digits)) for text in texts]


def _shifted_to(recordings: list[Recording], end_ms: int) -> list[Recording]:
    step_ms = max(recording.timeframe_ms for recording in recordings)
    newest_close_ms = max(
        recording.open_ms[-1] + recording.timeframe_ms for recording in recordings
    )
    shift_ms = (end_ms - newest_close_ms) // step_ms * step_ms
    return [recording.shifted(shift_ms) for recording in recordings]
