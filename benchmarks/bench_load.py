"""Measures loading five years of minutes, against pandas and Polars on the same files.

Times are CPU times, so that other load does not move them. The first load parses every file,
verifies its digest and keeps its columns; the next one, of whichever process, finds them kept. Text
is parsed by Polars either way: against its bare `read_csv` with a format for the times, the first
load can win nothing. Its figures against both are printed without a bound.

The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
from measuring import Cost, at_least, at_most, best_of_each, cost_of, cost_of_child
from stored_candles import candles_of, minutes_of

from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.writer import PartitionWriter
from candle_loader import Candles, load, verified

YEARS = range(2019, 2024)
ROUNDS = 3

LEAST_AGAINST_PANDAS = 8.0
LEAST_AGAINST_POLARS = 1.5
LEAST_OF_PARQUET = 3.0
MOST_TIMES_ITS_ARRAYS = 1.5


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "csv", Path(folder) / "cache"
        # By a child, since what a child takes at most is never less than this process took before.
        cost_of_child([sys.executable, "-P", __file__, str(root)])
        files = sorted(root.rglob("*.csv"))
        peak_mb = max(memory_of_load(root, file_format) for file_format in FORMATS)
        arrays = load_anew(root, cache).frame
        rows, times_its_arrays = arrays.height, peak_mb * 1024**2 / arrays.estimated_size()
        calls: list[Callable[[], object]] = [
            lambda: with_pandas(files),
            lambda: with_polars(files, None),
            lambda: with_polars(files, "%Y-%m-%dT%H:%M:%SZ"),
            lambda: load_anew(root, None),
            lambda: load_anew(root, cache),
            lambda: load_anew(root, None, "parquet"),
        ]
        pandas, plain, with_format, first, again, parquet = best_of_each(
            [lambda call=call: cost_of(call) for call in calls],  # type: ignore[misc]
            ROUNDS,
        )
    print(f"{rows:,} candles in {len(files)} files")
    for name, cost in (
        ("pandas.read_csv, parse_dates", pandas),
        ("polars.read_csv, str.to_datetime", plain),
        ("polars.read_csv, str.to_datetime with a format", with_format),
        ("first load", first),
        ("next load", again),
        ("load of Parquet", parquet),
    ):
        print(f"  {name}: {cost.cpu_seconds:.2f} s of CPU, {cost.seconds:.2f} s in all")
    print(
        f"first load against pandas {times(pandas, first):.1f}, against Polars "
        f"{times(plain, first):.1f}, with a format {times(with_format, first):.1f}"
    )
    kept = [
        at_least("loading against pandas", times(pandas, again), LEAST_AGAINST_PANDAS),
        at_least("loading against Polars", times(plain, again), LEAST_AGAINST_POLARS),
        at_least("against Polars, format", times(with_format, again), LEAST_AGAINST_POLARS),
        at_least("loading Parquet against CSV", times(first, parquet), LEAST_OF_PARQUET),
        at_most("peak memory, in arrays", times_its_arrays, MOST_TIMES_ITS_ARRAYS),
    ]
    return 0 if all(kept) else 1


def times(slower: Cost, faster: Cost) -> float:
    return slower.cpu_seconds / faster.cpu_seconds


def export_years(root: Path) -> None:
    months = [Month(year, month) for year in YEARS for month in range(1, 13)]
    start_ms, end_ms = months[0].start_ms, months[-1].interval.end_ms
    for file_format in FORMATS.values():
        PartitionWriter(root, file_format).export(
            minutes_of("kraken"),
            Digits(price=2, volume=8),
            dict.fromkeys(months),
            lambda interval: candles_of(interval.start_ms, interval.end_ms),
            *(IntervalSet.of(start_ms, end_ms), {}, end_ms, EMPTY),
        )


def load_anew(root: Path, cache: Path | None, file_format: str = "csv") -> Candles:
    """As a process does that has loaded nothing before."""
    os.environ["CANDLE_LOADER_CACHE"] = "off" if cache is None else str(cache)
    verified.forget()
    return load(root, "kraken", "BTC/USD", require_complete=True, file_format=file_format)


# pandas is loaded where it is used, so that this process is small while children are measured.
def with_pandas(files: list[Path]) -> object:
    import pandas as pd  # noqa: PLC0415

    return pd.concat([pd.read_csv(file, parse_dates=["Timestamp"]) for file in files])


def with_polars(files: list[Path], time_format: str | None) -> object:
    rows = pl.read_csv(files)
    return rows.with_columns(pl.col("Timestamp").str.to_datetime(time_format, time_zone="UTC"))


def memory_of_load(root: Path, file_format: str) -> float:
    """The MB that reading five years takes at most, beyond what reading a month takes."""

    def peak_mb(end: str) -> float:
        arguments = f"{str(root)!r}, 'kraken', 'BTC/USD', 2019, {end!r}"
        code = (
            f"from candle_loader import load; load({arguments}, file_format={str(file_format)!r})"
        )
        return cost_of_child([sys.executable, "-c", code], {"CANDLE_LOADER_CACHE": "off"}).peak_mb

    return peak_mb("2023") - peak_mb("2019-01")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        export_years(Path(sys.argv[1]))
        sys.exit()
    sys.exit(main())
