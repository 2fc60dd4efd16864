"""Measures importing a year of minutes in Kraken's form, against pandas.

The baseline is the shortest program that has the same rows in SQLite: read_csv, and to_sql with the
open time as its index, over SQLAlchemy as pandas' documentation has it. Over a bare connection of
sqlite3, which pandas calls a legacy, it is much faster: SQLite itself takes half a second for so many
rows under a key, so that little is left to gain there. The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from measuring import Cost, at_least, at_most, best_of_each, cost_of, cost_of_child
from simulated import DAY_MS
from stored_candles import candles_of

from candle_ingestor.archives.recognising import Naming
from candle_ingestor.ingest.import_finding import find_files
from candle_ingestor.ingest.importing import Importer, ImportRules
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.imported_file import FileStatus, KnownFiles
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.stores.sqlite.store import SqliteStore

START_MS = 1_672_531_200_000
YEAR_MS = 365 * DAY_MS
NOW_MS = START_MS + 2 * YEAR_MS
COLUMNS = ["time", "open", "high", "low", "close", "volume", "trades"]

LEAST_TIMES_AS_FAST = 5
LEAST_TIMES_AS_FAST_AS_LEGACY = 1
MOST_MB = 300
ROUNDS = 3


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "XBTUSD_1.csv"
        rows = write_year(file)
        command = cost_of_child(
            [
                *(sys.executable, "-P", "-m", "candle_ingestor", "import", str(file)),
                *("--store=sqlite", f"--sqlite_path={folder}/command.sqlite", "--report=none"),
            ]
        )
        rounds = iter(range(3 * ROUNDS))
        calls: list[Callable[[], Cost]] = [
            lambda: cost_of(lambda: import_file(file, folder / f"{next(rounds)}.sqlite")),
            lambda: cost_of(lambda: import_with_pandas(file, folder / f"{next(rounds)}.sqlite")),
            lambda: cost_of(lambda: import_by_legacy(file, folder / f"{next(rounds)}.sqlite")),
        ]
        ours, pandas, legacy = best_of_each(calls, ROUNDS)
        print(
            f"{rows:,} candles: import {ours.seconds:.2f} s, pandas over SQLAlchemy "
            f"{pandas.seconds:.2f} s, over sqlite3 {legacy.seconds:.2f} s"
        )
    kept = [
        at_least("times as fast as pandas", pandas.seconds / ours.seconds, LEAST_TIMES_AS_FAST),
        at_least(
            "times as fast as pandas over a bare connection",
            legacy.seconds / ours.seconds,
            LEAST_TIMES_AS_FAST_AS_LEGACY,
        ),
        at_most("MB that the command takes at most", command.peak_mb, MOST_MB),
    ]
    return 0 if all(kept) else 1


def write_year(path: Path) -> int:
    candles = candles_of(START_MS, START_MS + YEAR_MS)
    times = (candles["open_time_ms"] // 1000).alias("time")
    trades = (times % 97 + 1).alias("trades")
    rows = candles.drop("open_time_ms").insert_column(0, times).with_columns(trades)
    rows.write_csv(path, include_header=False)
    return rows.height


def import_file(file: Path, store_path: Path) -> None:
    with closing(SqliteStore(store_path)) as store:
        known = KnownFiles(store.read_imported_files())
        rules = ImportRules(settle_seconds=5)
        importer = Importer(Ledger(store), known, rules, lambda: NOW_MS, NoProgress())
        (report,) = importer.import_all(find_files([file], Naming()).files)
    assert report.status is FileStatus.IMPORTED, report.error


# pandas is loaded where it is used: what a child takes at most is never less than this process took
# before.
def import_with_pandas(file: Path, store_path: Path) -> None:
    import pandas as pd  # noqa: PLC0415
    import sqlalchemy  # noqa: PLC0415

    engine = sqlalchemy.create_engine(f"sqlite:///{store_path}")
    pd.read_csv(file, names=COLUMNS, index_col="time").to_sql("candles", engine)
    engine.dispose()


def import_by_legacy(file: Path, store_path: Path) -> None:
    import pandas as pd  # noqa: PLC0415

    rows = pd.read_csv(file, names=COLUMNS, index_col="time")
    with closing(sqlite3.connect(store_path)) as connection:
        rows.to_sql("candles", connection)
        connection.commit()


if __name__ == "__main__":
    sys.exit(main())
