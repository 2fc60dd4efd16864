"""Loading of exported series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from candle_loader.aligned import AlignedCandles
from candle_loader.candles import Candles
from candle_loader.errors import LoaderError
from candle_loader.gap import NOT_EXPORTED, Gap
from candle_loader.listing import ListedSeries, listed
from candle_loader.manifest import Manifest
from candle_loader.reading import candles_within, read_patiently
from candle_loader.times import (
    Time,
    end_to_ms,
    following_month,
    month_of,
    month_start_ms,
    start_to_ms,
    to_text,
)
from candle_loader.tree import manifest_of, manifests_below

_Range = tuple[int, int]


def list_series(data_root: Path | str) -> list[ListedSeries]:
    """Every series exported below `data_root`, by exchange, symbol, timeframe and format.

    Raises:
        LoaderError: if the folder does not exist or a manifest in it is damaged.
    """
    told = map(listed, manifests_below(data_root))
    return [series for series in told if series is not None]


def load(
    data_root: Path | str,
    exchange: str,
    symbol: str,
    start: Time | None = None,
    end: Time | None = None,
    timeframe: str = "1m",
    *,
    require_complete: bool = False,
    verify: bool = True,
    patience_seconds: float = 1.0,
    file_format: str | None = None,
) -> Candles:
    """The candles of a series that open in `[start, end)`. Only the months needed are read.

    The job replaces a month first and its manifest after, so that for a moment a file may be newer
    than its manifest says. Such a file is read again, with its manifest, for up to
    `patience_seconds`; candles of a file that does not match its manifest are never returned.

    Args:
        data_root: the job's `--data_root`.
        exchange: `aggregated` for the merged series.
        symbol: as in `BTC/USD`.
        start, end: UTC milliseconds, a date, a datetime, a pandas Timestamp, or text such as
            `2024-01-15` or `2024-01-15T06:00:00Z`; UTC where they name no offset. A month
            `2024-01` or a year `2024` starts with its first midnight and ends with its last
            millisecond. By default the first and the last time that the manifest tells of.
        timeframe: the length of a candle, such as `1m`, `1h`, `1d` or `1w`.
        require_complete: whether a gap in the range is an error.
        verify: whether to check each file's sha256, once while the file stays as it is; its
            version, header, number of rows, order and numbers are always checked.
        patience_seconds: how long to wait for a writer at work.
        file_format: `csv` or `parquet`, where the data root has both. By default the one that tells
            of the latest time, and Parquet where they are equal.

    Raises:
        LoaderError: if the series does not exist, its version is unknown, a file is damaged, the
            range is none, nothing of it is exported, or it has a gap against `require_complete`.
    """

    def read(manifest: Manifest) -> Candles:
        start_ms, end_ms = _range(manifest, start, end)
        return candles_within(
            manifest, start_ms, end_ms, require_complete=require_complete, verify=verify
        )

    return read_patiently(
        lambda: manifest_of(data_root, exchange, symbol, timeframe, file_format),
        read,
        patience_seconds,
    )


def load_many(
    data_root: Path | str,
    exchange: str,
    symbols: Iterable[str],
    start: Time | None = None,
    end: Time | None = None,
    timeframe: str = "1m",
    *,
    require_complete: bool = False,
    verify: bool = True,
    patience_seconds: float = 1.0,
    file_format: str | None = None,
) -> AlignedCandles:
    """The candles of several symbols that open in `[start, end)`, aligned on one grid.

    Arguments and errors are those of `load`. By default the range is from the first to the last
    time that any of the manifests tells of. A symbol of which nothing is exported in the range is
    an error.

    Raises:
        LoaderError: also if no symbol is given, or one twice.
    """
    manifests = [
        manifest_of(data_root, exchange, symbol, timeframe, file_format) for symbol in symbols
    ]
    names = [manifest.series.symbol for manifest in manifests]
    if not names or len(set(names)) < len(names):
        raise LoaderError(f"{names} are no different symbols; give each once, and at least one")
    start_ms = min(m.start_ms for m in manifests) if start is None else start_to_ms(start)
    end_ms = max(m.known_end_ms for m in manifests) if end is None else end_to_ms(end)
    by_symbol = {
        name: load(
            *(data_root, exchange, name, start_ms, end_ms, timeframe),
            require_complete=require_complete,
            verify=verify,
            patience_seconds=patience_seconds,
            file_format=file_format,
        )
        for name in names
    }
    return AlignedCandles(by_symbol, start_ms, end_ms)


def iter_months(
    data_root: Path | str,
    exchange: str,
    symbol: str,
    start: Time | None = None,
    end: Time | None = None,
    timeframe: str = "1m",
    *,
    require_complete: bool = False,
    verify: bool = True,
    patience_seconds: float = 1.0,
    file_format: str | None = None,
) -> Iterator[Candles]:
    """The candles that open in `[start, end)`, a calendar month of it at a time, ascending.

    Only the month in hand is in memory. The months together are what `load` returns; one that is
    not exported has no candle and is one gap. Arguments and errors are those of `load`. The range
    is settled with the first month.
    """

    def manifest_now() -> Manifest:
        return manifest_of(data_root, exchange, symbol, timeframe, file_format)

    start_ms, end_ms = _range(manifest_now(), start, end)

    for span in _months_of(start_ms, end_ms):

        def read(manifest: Manifest, span: _Range = span) -> Candles:
            return candles_within(manifest, *span, require_complete=require_complete, verify=verify)

        yield read_patiently(manifest_now, read, patience_seconds)


def gaps(
    data_root: Path | str,
    exchange: str,
    symbol: str,
    start: Time | None = None,
    end: Time | None = None,
    timeframe: str = "1m",
    *,
    file_format: str | None = None,
) -> tuple[Gap, ...]:
    """The time in `[start, end)` that nothing is known of, ascending, from the manifest alone.

    Unlike `load` it answers also where nothing of the range is exported: that is one gap.

    Raises:
        LoaderError: if the series does not exist, its manifest is damaged, or the range is none.
    """
    manifest = manifest_of(data_root, exchange, symbol, timeframe, file_format)
    return manifest.gaps_within(*_ordered(manifest, start, end))


def last_timestamp(
    data_root: Path | str,
    exchange: str,
    symbol: str,
    timeframe: str = "1m",
    *,
    file_format: str | None = None,
) -> int | None:
    """The open time of the last candle exported, UTC ms, from the manifest alone; None where the
    series has no candle.

    Raises:
        LoaderError: if the series does not exist or its manifest is damaged.
    """
    return manifest_of(data_root, exchange, symbol, timeframe, file_format).last_open_ms


def _range(manifest: Manifest, start: Time | None, end: Time | None) -> _Range:
    """The range asked for, something of which is exported."""
    start_ms, end_ms = _ordered(manifest, start, end)
    told = manifest.gaps_within(start_ms, end_ms)
    unknown_ms = sum(gap.end_ms - gap.start_ms for gap in told if gap.reason == NOT_EXPORTED)
    if start_ms < end_ms and unknown_ms == end_ms - start_ms:
        raise LoaderError(
            f"{manifest.series}: nothing is exported from {to_text(start_ms)} to "
            f"{to_text(end_ms)}; {manifest.series.folder} holds {to_text(manifest.start_ms)} to "
            f"{to_text(manifest.known_end_ms)}; ask for a part of that, or export more"
        )
    return start_ms, end_ms


def _ordered(manifest: Manifest, start: Time | None, end: Time | None) -> _Range:
    start_ms = manifest.start_ms if start is None else start_to_ms(start)
    end_ms = manifest.known_end_ms if end is None else end_to_ms(end)
    if start_ms > end_ms:
        raise LoaderError(
            f"{manifest.series}: the range from {to_text(start_ms)} to {to_text(end_ms)} ends "
            f"before it starts; {manifest.series.folder} holds {to_text(manifest.start_ms)} to "
            f"{to_text(manifest.known_end_ms)}"
        )
    return start_ms, end_ms


def _months_of(start_ms: int, end_ms: int) -> Iterator[_Range]:
    while start_ms < end_ms:
        next_ms = min(month_start_ms(following_month(month_of(start_ms))), end_ms)
        yield start_ms, next_ms
        start_ms = next_ms
