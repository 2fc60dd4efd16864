"""Where a data root keeps its series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from candle_loader.errors import LoaderError
from candle_loader.manifest import FILE_NAME, Manifest, SeriesInfo, read_manifest
from candle_loader.times import usual_timeframe

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


def manifests_below(data_root: Path | str) -> Iterator[Manifest]:
    """The manifest of every series, by exchange and folder."""
    root = existing(data_root)
    return (read_manifest(path.parent) for path in sorted(root.glob(f"*/*/{FILE_NAME}")))


def manifest_of(data_root: Path | str, exchange: str, symbol: str, timeframe: str) -> Manifest:
    """The manifest of a series, with at least one month.

    Raises:
        LoaderError: if it does not exist, is empty, damaged, or of another series.
    """
    folder = _folder(existing(data_root), exchange, symbol, timeframe)
    manifest = read_manifest(folder)
    _check_is(manifest.series, exchange, symbol, timeframe)
    if not manifest.months:
        raise LoaderError(f"{folder} holds no month yet; export the series first")
    return manifest


def _folder(root: Path, exchange: str, symbol: str, timeframe: str) -> Path:
    asset = _SEPARATOR.sub("", symbol).upper()
    for name, value in ((exchange, exchange), (symbol, asset)):
        if not _NAME.fullmatch(value):
            raise LoaderError(f"{name!r} names no exchange or symbol; write aggregated and BTC/USD")
    length = usual_timeframe(timeframe)
    return root / exchange / (asset if length == "1m" else f"{asset}_{length}")


def _check_is(series: SeriesInfo, exchange: str, symbol: str, timeframe: str) -> None:
    asked = _SEPARATOR.sub("/", symbol).upper()
    is_same_symbol = asked in (series.symbol, series.symbol.replace("/", ""))
    is_same_length = series.timeframe == usual_timeframe(timeframe)
    if series.exchange != exchange or not is_same_symbol or not is_same_length:
        raise LoaderError(
            f"{series.folder} holds {series}, not {exchange} {symbol} {timeframe}; check what is "
            "asked for, or export it below another data root"
        )
