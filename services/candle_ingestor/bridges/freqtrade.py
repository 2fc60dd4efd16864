"""freqtrade's history: a feather file a pair and timeframe, values as floats."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from candle_ingestor.bridges.base import SCALED_COLUMNS, MonthOfCandles, ScaledSeries
from candle_ingestor.bridges.files import write_large_file
from candle_ingestor.bridges.scaled_candles import as_floats

_COLUMNS = {
    "date": pl.Datetime("ms", "UTC"),
    **dict.fromkeys(SCALED_COLUMNS, pl.Float64()),
}


class FreqtradeBridge:
    """`{exchange}/BTC_USD-1m.feather`: `{exchange}` is what freqtrade calls a data folder.

    `date` is the open time, as timestamp in ms and UTC; all else float64.
    """

    def require(self, scaled: ScaledSeries) -> None:
        """Every series has a place."""

    def write(
        self, root: Path, scaled: ScaledSeries, months: Iterable[MonthOfCandles]
    ) -> list[Path]:
        """As in `Bridge`."""
        series = scaled.series
        symbol = series.symbol
        name = f"{symbol.base}_{symbol.quote}-{series.timeframe}.feather"
        path = root / series.exchange / name

        def write(temporary: Path) -> None:
            # The months are read here and not while the file is made: Polars makes it on threads
            # of its own, and a store belongs to the thread that opened it.
            with _empty_folder(path.with_name(f".{path.name}.months")) as folder:
                parts = [folder / "nothing.arrow"]
                pl.DataFrame(schema=_COLUMNS).write_ipc(parts[0])
                for month in months:
                    parts.append(folder / f"{month.month}.arrow")
                    _frame(scaled, month.candles).write_ipc(parts[-1])
                pl.scan_ipc(parts).sink_ipc(temporary, compression="lz4", engine="streaming")

        return [path] if write_large_file(path, write) else []


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    """The folder without what a killed export left in it, and removed afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _frame(scaled: ScaledSeries, candles: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        [
            candles["open_time_ms"].cast(_COLUMNS["date"]).alias("date"),
            *(as_floats(candles[name], scaled.digits_of(name)) for name in SCALED_COLUMNS),
        ]
    )
