"""Measures exporting a year of stored minutes, against pandas and against bare Polars.

pandas reads the same rows by `read_sql`, over SQLAlchemy as its documentation has it, and writes
them by `to_csv`, unscaled. Polars writes columns that are in hand, scaled and with times as text,
by `write_csv` to one file. The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import pandas as pd
import polars as pl
import sqlalchemy
from measuring import at_least, best_of_each, cost_of
from simulated import DAY_MS
from stored_candles import END_MS, START_MS, fill, minutes_of

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.settle.exporting import Exporter
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.sqlite.store import SqliteStore

SERIES = minutes_of("binanceus")
ROUNDS = 3

LEAST_TIMES_PANDAS = 8.0
LEAST_SHARE_OF_POLARS = 0.5


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "candles.sqlite"
        numbers = count()
        with closing(SqliteStore(path)) as store:
            fill(store, SERIES, START_MS, END_MS)

            def export(formats: Sequence[ExportFormat]) -> None:
                export_anew(store, folder / f"root{next(numbers)}", formats)

            root = folder / "first"
            export_anew(store, root, [ExportFormat.CSV])
            ready = pl.concat(pl.read_csv(file) for file in sorted(root.rglob("*.csv")))
            shutil.rmtree(root)
            calls: list[Callable[[], object]] = [
                lambda: export([ExportFormat.CSV]),
                lambda: export([ExportFormat.PARQUET]),
                lambda: write_with_pandas(path, folder / "pandas.csv"),
                lambda: ready.write_csv(folder / "polars.csv"),
            ]
            costs = best_of_each([lambda call=call: cost_of(call) for call in calls], ROUNDS)
    csv, parquet, pandas, polars = (ready.height / cost.seconds for cost in costs)
    print(
        f"rows a second: CSV {csv:,.0f}, Parquet {parquet:,.0f}, pandas {pandas:,.0f}, "
        f"bare Polars {polars:,.0f}"
    )
    kept = [
        at_least("times as fast as pandas", csv / pandas, LEAST_TIMES_PANDAS),
        at_least("of the speed of bare Polars", csv / polars, LEAST_SHARE_OF_POLARS),
    ]
    return 0 if all(kept) else 1


def export_anew(store: SqliteStore, root: Path, formats: Sequence[ExportFormat]) -> None:
    """Exports the whole series to a root that holds nothing."""
    config = ExportConfig(True, root, True, 2, 8, False, tuple(formats))
    merged = Series.merged(SERIES.symbol, SERIES.timeframe)
    rules = MergeRules(exchanges=(SERIES.exchange,), min_exchanges=1)
    outcome = TickerOutcome(str(SERIES.symbol))
    exporter = Exporter(config, Ledger(store), END_MS + DAY_MS)
    exporter.export(Ticker(merged, MergeBasis(rules, (SERIES,))), outcome)
    if outcome.errors or len(outcome.files_written) != 12:
        sys.exit(f"not exported: {outcome}")


def write_with_pandas(store: Path, file: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{store}")
    columns = "open_time_ms, open, high, low, close, volume"
    frame = pd.read_sql(f"SELECT {columns} FROM exchange_candle_rows", engine)
    frame["open_time_ms"] = pd.to_datetime(frame["open_time_ms"], unit="ms", utc=True)
    frame.to_csv(file, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
