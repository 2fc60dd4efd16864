"""Where a data root keeps its series."""

from __future__ import annotations

import re
from pathlib import Path

from candle_loader.errors import LoaderError
from candle_loader.layouts import LAYOUTS, PARQUET, layouts_named
from candle_loader.manifest import Manifest, SeriesInfo, read_manifest
from candle_loader.times import timeframe_ms, usual_timeframe

_SEPARATOR = re.compile(r"[/\-_]")
_NAME = re.compile(r"[A-Za-z0-9]+")


def existing(data_root: Path | str) -> Path:
    """The data root.

    Raises:
        LoaderError: if there is none.
    """
    root = Path(data_root)
    if not root.is_dir():
        raise LoaderError(f"{root} is not a folder; give the job's --data_root")
    return root


def manifests_below(data_root: Path | str) -> list[Manifest]:
    """The manifest of every series, by exchange, symbol, timeframe and format.

    Raises:
        LoaderError: if the data root does not exist or a manifest is damaged.
    """
    root = existing(data_root)
    manifests = [
        read_manifest(path.parent, layout)
        for layout in LAYOUTS
        for path in layout.manifests_below(root)
    ]
    return sorted(manifests, key=lambda manifest: _order(manifest.series))


def manifest_of(
    data_root: Path | str, exchange: str, symbol: str, timeframe: str, file_format: str | None
) -> Manifest:
    """The manifest of a series, with at least one month.

    Where the series is there in several formats, and none is asked for, the manifest that tells of
    the latest time, and of equal ones that of Parquet, which is read quicker.

    Raises:
        LoaderError: if it does not exist, is empty, damaged, or of another series; or if formats
            differ in how they are filled, and none is asked for.
    """
    root, asset = existing(data_root), _asset(exchange, symbol)
    length = usual_timeframe(timeframe)
    folders = {
        layout: layout.folder_of(root, exchange, asset, length)
        for layout in layouts_named(file_format)
    }
    there = {
        layout: folder
        for layout, folder in folders.items()
        if _may_be_there(folder / layout.manifest_name)
    }
    if not there:
        # To be told of the first that does not exist.
        there = dict(list(folders.items())[:1])
    manifests = [read_manifest(folder, layout) for layout, folder in there.items()]
    for manifest in manifests:
        _check_is(manifest.series, exchange, symbol, timeframe)
    with_months = [manifest for manifest in manifests if manifest.months]
    if not with_months:
        folder = manifests[0].series.folder
        raise LoaderError(f"{folder} holds no month yet; export the series first")
    if len({manifest.series.fill for manifest in with_months}) > 1:
        raise LoaderError(
            f"{manifests[0].series} is filled in one format and not in the other; say which by "
            "file_format, csv or parquet"
        )
    return max(
        with_months, key=lambda each: (each.known_end_ms, each.series.file_format == PARQUET.name)
    )


def _may_be_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # Reading it says why it cannot be read.


def _asset(exchange: str, symbol: str) -> str:
    """The symbol without its separator."""
    asset = _SEPARATOR.sub("", symbol).upper()
    for name, value in ((exchange, exchange), (symbol, asset)):
        if not _NAME.fullmatch(value):
            raise LoaderError(f"{name!r} names no exchange or symbol; write aggregated and BTC/USD")
    return asset


def _order(series: SeriesInfo) -> tuple[str, str, int, str]:
    return (
        series.exchange,
        series.symbol,
        timeframe_ms(series.timeframe),
        series.file_format,
    )


def _check_is(series: SeriesInfo, exchange: str, symbol: str, timeframe: str) -> None:
    asked = _SEPARATOR.sub("/", symbol).upper()
    is_same_symbol = asked in (series.symbol, series.symbol.replace("/", ""))
    is_same_length = series.timeframe == usual_timeframe(timeframe)
    if series.exchange != exchange or not is_same_symbol or not is_same_length:
        raise LoaderError(
            f"{series.folder} holds {series}, not {exchange} {symbol} {timeframe}; check what is "
            "asked for, or export it below another data root"
        )
