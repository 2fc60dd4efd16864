"""Reading of a range of a series, whose writer may be at work."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import polars as pl

from candle_loader.candles import COLUMNS, Candles
from candle_loader.filling import Filling
from candle_loader.gap import incomplete
from candle_loader.manifest import Manifest, Month
from candle_loader.month_file import MismatchError, is_quick, read_month

_Read = TypeVar("_Read")
_RETRY_PAUSE_SECONDS = 0.05
_EMPTY = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Int64))


def read_patiently(
    manifest_now: Callable[[], Manifest],
    read: Callable[[Manifest], _Read],
    patience_seconds: float,
) -> _Read:
    """What `read` makes of the manifest, once files and manifest agree.

    The job replaces a month first and its manifest after, so that for a moment a file may be newer
    than its manifest says. Then both are read again, for up to `patience_seconds`.

    Raises:
        MismatchError: if a file still does not match its manifest.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        manifest = manifest_now()
        try:
            return read(manifest)
        except MismatchError:
            is_current = manifest_now().content == manifest.content
            if is_current and time.monotonic() >= deadline:
                raise
            if is_current:
                time.sleep(_RETRY_PAUSE_SECONDS)


def candles_within(
    manifest: Manifest, start_ms: int, end_ms: int, *, require_complete: bool, verify: bool
) -> Candles:
    """The candles that open in `[start_ms, end_ms)`; only the months needed are read.

    Raises:
        MismatchError: if a file is not the one that the manifest describes.
        LoaderError: if it is malformed, or the range has a gap against `require_complete`.
    """
    gaps = manifest.gaps_within(start_ms, end_ms)
    if require_complete and gaps:
        raise incomplete(manifest.series, start_ms, end_ms, gaps)
    months = [m for m in manifest.months if m.start_ms < end_ms and start_ms < m.end_ms]
    return Candles(manifest.series, _read(months, start_ms, end_ms, verify), start_ms, end_ms, gaps)


def _read(months: Sequence[Month], start_ms: int, end_ms: int, verify: bool) -> pl.DataFrame:
    if len(months) <= 1:
        frames = [read_month(month, verify) for month in months]
        return _within(frames[0] if frames else _EMPTY, start_ms, end_ms).rechunk()
    filling = Filling(COLUMNS, sum(month.rows for month in months))
    for frame in _frames(months, verify):
        filling.add(_within(frame, start_ms, end_ms))
    return filling.frame()


def _frames(months: Sequence[Month], verify: bool) -> Iterator[pl.DataFrame]:
    """The months' candles in their order, read by every core, and not far ahead."""
    cores = os.cpu_count() or 1
    ahead: deque[Callable[[], pl.DataFrame]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for month in months:
            if is_quick(month):
                ahead.append(partial(read_month, month, verify))
            else:
                ahead.append(pool.submit(read_month, month, verify).result)
            if len(ahead) > cores:
                yield ahead.popleft()()
        while ahead:
            yield ahead.popleft()()


def _within(frame: pl.DataFrame, start_ms: int, end_ms: int) -> pl.DataFrame:
    times = frame["timestamp_ms"]
    first = bisect_left(times, start_ms)
    return frame.slice(first, bisect_left(times, end_ms) - first)
