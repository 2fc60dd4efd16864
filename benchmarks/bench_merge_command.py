"""Measures the command merge over five years of minutes on three exchanges.

The figure is how many rows it merges a second; the exit code is 1 when the bound is missed.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path

from measuring import at_least, best_of_each, cost_of_child
from simulated import DAY_MS, MINUTE_MS, iso_text
from stored_candles import fill, minutes_of

from candle_ingestor.stores.sqlite.store import SqliteStore

EXCHANGES = ("binanceus", "bitstamp", "coinbaseexchange")
START_MS = 1_577_836_800_000  # 2020-01-01
END_MS = START_MS + 5 * 365 * DAY_MS
ROUNDS = 2

LEAST_ROWS_A_SECOND = 200_000


def main() -> int:
    rows = (END_MS - START_MS) // MINUTE_MS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.sqlite"
        with closing(SqliteStore(path)) as store:
            for seed, exchange in enumerate(EXCHANGES):
                fill(store, minutes_of(exchange), START_MS, END_MS, seed)
        command = [
            *(sys.executable, "-P", "-m", "candle_ingestor", "merge", f"--sqlite_path={path}"),
            *(f"--exchanges={','.join(EXCHANGES)}", "--symbols=BTC/USD"),
            *(f"--now={iso_text(END_MS + DAY_MS)}", f"--data_root={folder}/csv"),
        ]
        (cost,) = best_of_each([lambda: cost_of_child(command)], ROUNDS)
    print(
        f"{rows:,} minutes: {cost.seconds:.1f} s, {cost.cpu_seconds:.1f} s of CPU, "
        f"{cost.peak_mb:.0f} MB"
    )
    return 0 if at_least("merged rows a second", rows / cost.seconds, LEAST_ROWS_A_SECOND) else 1


if __name__ == "__main__":
    sys.exit(main())
