"""Lean's data folder: zipped CSV without header, prices and volumes as decimals."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import polars as pl

from candle_ingestor.bridges.base import SCALED_COLUMNS, MonthOfCandles, ScaledSeries
from candle_ingestor.bridges.errors import BridgeError
from candle_ingestor.bridges.files import remove_file, write_file, write_large_file
from candle_ingestor.bridges.scaled_candles import as_decimal_texts
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS, Timeframe

MARKETS = {"coinbaseexchange": "coinbase"}
"""Lean's names of exchanges that ccxt calls otherwise."""

_MINUTE = Timeframe(1)
_RESOLUTIONS = {_MINUTE: "minute", Timeframe(60): "hour", Timeframe(1440): "daily"}


class LeanBridge:
    """A zip a day of minutes, `crypto/kraken/minute/btcusd/20240115_trade.zip`; a zip of all hours
    or days, `crypto/kraken/hour/btcusd_trade.zip`.

    A line is open time, open, high, low, close, volume: the time in ms since midnight UTC, of hours
    and days as `20240115 08:00`.
    """

    def require(self, scaled: ScaledSeries) -> None:
        """Lean has minutes, hours and days."""
        if scaled.series.timeframe not in _RESOLUTIONS:
            raise BridgeError(
                f"{scaled.series}: Lean reads candles of 1m, 1h and 1d; export one of these with "
                "--candle_granularity_minutes, and let Lean consolidate it"
            )

    def write(
        self, root: Path, scaled: ScaledSeries, months: Iterable[MonthOfCandles]
    ) -> list[Path]:
        """As in `Bridge`; a day of these months without a candle has no file."""
        series = scaled.series
        market = MARKETS.get(series.exchange, series.exchange)
        folder = root / "crypto" / market / _RESOLUTIONS[series.timeframe]
        if series.timeframe == _MINUTE:
            return _write_days(folder, scaled, months)
        path = folder / f"{_ticker(series)}_trade.zip"
        parts = (_lines(scaled, month.candles, _date_texts(month.candles)) for month in months)

        def write(temporary: Path) -> None:
            _write_zip(temporary, f"{_ticker(series)}.csv", parts)

        return [path] if write_large_file(path, write) else []


def _write_days(folder: Path, scaled: ScaledSeries, months: Iterable[MonthOfCandles]) -> list[Path]:
    ticker = _ticker(scaled.series)
    changed = []
    for month in months:
        by_day = dict(_days(scaled, month.candles))
        for day in range(month.span.start_ms // DAY_MS, -(-month.span.end_ms // DAY_MS)):
            date = _date(day)
            path = folder / ticker / f"{date}_trade.zip"
            if day in by_day:
                zipped = BytesIO()
                _write_zip(zipped, f"{date}_{ticker}_minute_trade.csv", [by_day[day]])
                has_changed = write_file(path, zipped.getvalue())
            else:
                has_changed = remove_file(path)
            if has_changed:
                changed.append(path)
    return changed


def _days(scaled: ScaledSeries, candles: pl.DataFrame) -> Iterator[tuple[int, bytes]]:
    """The lines of each day that has a candle, days counted from the epoch."""
    days = (candles["open_time_ms"] // DAY_MS).alias("day")
    for (day,), part in candles.with_columns(days).group_by("day", maintain_order=True):
        times = (part["open_time_ms"] % DAY_MS).cast(pl.String)
        yield int(str(day)), _lines(scaled, part, times)


def _lines(scaled: ScaledSeries, candles: pl.DataFrame, times: pl.Series) -> bytes:
    texts = [as_decimal_texts(candles[name], scaled.digits_of(name)) for name in SCALED_COLUMNS]
    columns = pl.DataFrame([times.alias("time"), *texts])
    return columns.write_csv(include_header=False, quote_style="never").encode("ascii")


def _write_zip(target: Path | BytesIO, name: str, parts: Iterable[bytes]) -> None:
    # The time of an entry is the epoch of the format: the same candles make the same bytes.
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with zipfile.ZipFile(target, "w") as archive, archive.open(entry, "w") as file:
        for part in parts:
            file.write(part)


def _ticker(series: Series) -> str:
    return series.symbol.folder_name.lower()


def _date_texts(candles: pl.DataFrame) -> pl.Series:
    return candles["open_time_ms"].cast(pl.Datetime("ms")).dt.strftime("%Y%m%d %H:%M")


def _date(day: int) -> str:
    return str(pl.Series([day], dtype=pl.Int32).cast(pl.Date).dt.strftime("%Y%m%d")[0])
