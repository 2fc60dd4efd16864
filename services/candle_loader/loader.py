"""Loading of exported series."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from pathlib import Path

import polars as pl

from candle_loader.candles import COLUMNS, Candles
from candle_loader.errors import LoaderError
from candle_loader.manifest import FILE_NAME, Manifest, SeriesInfo, read_manifest
from candle_loader.month_file import MismatchError, read_month
from candle_loader.times import timeframe_ms, timeframe_text, to_ms, to_text

_RETRY_PAUSE_SECONDS = 0.05
_SEPARATOR = re.compile(r"[/\-_]")
_NAME = re.compile(r"[A-Za-z0-9]+")


def list_series(data_root: Path | str) -> list[SeriesInfo]:
    """Every series exported below `data_root`, by exchange, symbol and timeframe.

    Raises:
        LoaderError: if the folder does not exist or a manifest in it is damaged.
    """
    root = _existing(data_root)
    return [read_manifest(path.parent).series for path in sorted(root.glob(f"*/*/{FILE_NAME}"))]


def load(
    data_root: Path | str,
    exchange: str,
    symbol: str,
    start: int | str | None = None,
    end: int | str | None = None,
    timeframe: str = "1m",
    *,
    require_complete: bool = False,
    verify: bool = True,
    patience_seconds: float = 1.0,
) -> Candles:
    """The candles of a series that open in `[start, end)`. Only the months needed are read.

    The job replaces a month first and its manifest after, so that for a moment a file may be newer
    than its manifest says. Such a file is read again, with its manifest, for up to
    `patience_seconds`; candles of a file that does not match its manifest are never returned.

    Args:
        data_root: the job's `--data_root`.
        exchange: `aggregated` for the merged series.
        symbol: as in `BTC/USD`.
        start, end: UTC milliseconds or ISO text such as `2024-01-15` (UTC where it names no
            offset); by default the first and the last time that the manifest tells of.
        timeframe: the length of a candle, such as `1m`, `1h` or `1d`.
        require_complete: whether a gap in the range is an error.
        verify: whether to check each file's sha256; its version, header, number of rows, order
            and numbers are always checked.
        patience_seconds: how long to wait for a writer at work.

    Raises:
        LoaderError: if the series does not exist, its version is unknown, a file is damaged, the
            range is none, or has a gap against `require_complete`.
    """
    folder = _folder(_existing(data_root), exchange, symbol, timeframe)
    deadline = time.monotonic() + patience_seconds
    while True:
        manifest = read_manifest(folder)
        _check_is(manifest.series, exchange, symbol, timeframe)
        try:
            return _load(manifest, start, end, require_complete, verify)
        except MismatchError:
            is_current = read_manifest(folder).content == manifest.content
            if is_current and time.monotonic() >= deadline:
                raise
            if is_current:
                time.sleep(_RETRY_PAUSE_SECONDS)


def _load(
    manifest: Manifest,
    start: int | str | None,
    end: int | str | None,
    require_complete: bool,
    verify: bool,
) -> Candles:
    if not manifest.months:
        raise LoaderError(f"{manifest.series.folder} holds no month yet; export the series first")
    start_ms = manifest.months[0].start_ms if start is None else to_ms(start)
    end_ms = manifest.months[-1].known_end_ms if end is None else to_ms(end)
    if start_ms > end_ms:
        raise LoaderError(
            f"{manifest.series}: the range from {to_text(start_ms)} to {to_text(end_ms)} ends "
            "before it starts"
        )
    gaps = manifest.gaps_within(start_ms, end_ms)
    if require_complete and gaps:
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        shown = ", ".join(map(str, gaps[:3]))
        raise LoaderError(
            f"{manifest.series} is not complete from {to_text(start_ms)} to {to_text(end_ms)}: "
            f"{shown}{more}; let the job fill the gaps, or load without require_complete"
        )
    parts = [
        _within(read_month(month, verify), start_ms, end_ms)
        for month in manifest.months
        if month.start_ms < end_ms and start_ms < month.end_ms
    ]
    nothing = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Int64))
    return Candles(manifest.series, pl.concat([nothing, *parts]), start_ms, end_ms, gaps)


def _within(frame: pl.DataFrame, start_ms: int, end_ms: int) -> pl.DataFrame:
    times = frame["timestamp_ms"]
    first = bisect_left(times, start_ms)
    return frame.slice(first, bisect_left(times, end_ms) - first)


def _existing(data_root: Path | str) -> Path:
    root = Path(data_root)
    if not root.is_dir():
        raise LoaderError(f"{root} is not a folder; give the job's --data_root")
    return root


def _folder(root: Path, exchange: str, symbol: str, timeframe: str) -> Path:
    asset = _SEPARATOR.sub("", symbol).upper()
    for name, value in ((exchange, exchange), (symbol, asset)):
        if not _NAME.fullmatch(value):
            raise LoaderError(f"{name!r} names no exchange or symbol; write aggregated and BTC/USD")
    length = _usual_timeframe(timeframe)
    return root / exchange / (asset if length == "1m" else f"{asset}_{length}")


def _usual_timeframe(timeframe: str) -> str:
    try:
        return timeframe_text(timeframe_ms(timeframe))
    except ValueError as error:
        raise LoaderError(f"{timeframe!r} is no timeframe; write 1m, 5m, 1h or 1d") from error


def _check_is(series: SeriesInfo, exchange: str, symbol: str, timeframe: str) -> None:
    asked = _SEPARATOR.sub("/", symbol).upper()
    is_same_symbol = asked in (series.symbol, series.symbol.replace("/", ""))
    is_same_length = series.timeframe == _usual_timeframe(timeframe)
    if series.exchange != exchange or not is_same_symbol or not is_same_length:
        raise LoaderError(
            f"{series.folder} holds {series}, not {exchange} {symbol} {timeframe}; check what is "
            "asked for, or export it below another data root"
        )
