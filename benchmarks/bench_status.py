"""Measures status, report and gaps over 50 symbols on 4 exchanges, with a year of minutes.

The commands are started cold, as a person starts them, and print text. The exit code is 1 when a
bound is missed, and 2 when there is no InfluxDB to measure against. Of what gaps is measured over,
5 % is missing: some 500 gaps in each of 200 series, and what follows from them in merged ones.

What it takes follows from series and months, since records hold the counts: one minute in sixty has
a candle here, and a full store takes as long.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import polars as pl
from measuring import at_most, best_of_each, cost_of_child
from real_influxdb import NO_SERVER, influx_server
from simulated import DAY_MS, MINUTE_MS, iso_text
from stored_candles import END_MS, EXCHANGES, START_MS, candles_of, minutes_of, some_symbols

from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.gap_notes import NO_NOTES, Attempt, GapNotes
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import AGGREGATED, Series
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.stores.base import SeriesChange, Store
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore
from candle_ingestor.stores.sqlite.store import SqliteStore

SYMBOLS = some_symbols(50)
STORED_SHARE = 60
ROUNDS = 3
COMMANDS = {"status": ["--by_exchange"], "report": []}
"""Each with its flags."""

MOST_SECONDS_SQLITE = 2.0
MOST_SECONDS_INFLUXDB = 4.0


def main() -> int:
    is_kept = measure_sqlite()
    with influx_server() as server:
        if server is None:
            print(NO_SERVER)
            return 2
        connection = InfluxDbConnection(server.url, server.token, server.org, "bench_status")
        is_kept &= measure_influxdb(connection)
        is_kept &= measure_gaps_in_influxdb(replace(connection, bucket="bench_gaps"))
    return 0 if is_kept else 1


def measure_sqlite() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.sqlite"
        with closing(SqliteStore(path)) as store:
            fill_all(store)
        place = [f"--sqlite_path={path}"]
        kept = [
            at_most(
                f"seconds of {command}, SQLite", seconds_of(command, place), MOST_SECONDS_SQLITE
            )
            for command in COMMANDS
        ]
        torn = Path(folder) / "torn.sqlite"
        with closing(SqliteStore(torn)) as store:
            fill_torn(store)
        seconds = seconds_of("gaps", [f"--sqlite_path={torn}"])
        kept.append(at_most("seconds of gaps, SQLite", seconds, MOST_SECONDS_SQLITE))
    return all(kept)


def measure_influxdb(connection: InfluxDbConnection) -> bool:
    with closing(InfluxDbStore(connection, create_bucket=True)) as store:
        store.check()
        fill_all(store)
    place = place_of(connection)
    token = {"INFLUXDB_TOKEN": connection.token}
    kept = [
        at_most(
            f"seconds of {command}, InfluxDB",
            seconds_of(command, place, token),
            MOST_SECONDS_INFLUXDB,
        )
        for command in COMMANDS
    ]
    return all(kept)


def measure_gaps_in_influxdb(connection: InfluxDbConnection) -> bool:
    with closing(InfluxDbStore(connection, create_bucket=True)) as store:
        store.check()
        fill_torn(store)
    token = {"INFLUXDB_TOKEN": connection.token}
    seconds = seconds_of("gaps", place_of(connection), token)
    return at_most("seconds of gaps, InfluxDB", seconds, MOST_SECONDS_INFLUXDB)


def place_of(connection: InfluxDbConnection) -> list[str]:
    return [
        *("--store=influxdb", f"--influxdb_url={connection.url}"),
        *(f"--influxdb_org={connection.org}", f"--influxdb_bucket={connection.bucket}"),
    ]


def seconds_of(name: str, place: Sequence[str], environment: dict[str, str] | None = None) -> float:
    command = [
        *(sys.executable, "-P", "-m", "candle_ingestor", name, *COMMANDS.get(name, ())),
        *(f"--now={iso_text(END_MS + MINUTE_MS)}", *place),
    ]
    (cost,) = best_of_each([lambda: cost_of_child(command, environment)], ROUNDS)
    print(f"{name}: {cost.seconds:.2f} s, {cost.cpu_seconds:.2f} s of CPU, {cost.peak_mb:.0f} MB")
    return cost.seconds


def fill_all(store: Store) -> None:
    """Stores the candles of all series, each symbol in one write."""
    times = pl.int_range(START_MS, END_MS, MINUTE_MS * STORED_SHARE, eager=True, dtype=pl.Int64)
    candles = candles_of(START_MS, END_MS).filter(pl.col("open_time_ms").is_in(times.implode()))
    merged = candles.with_columns(
        source_exchanges=pl.lit(",".join(EXCHANGES)),
        exchange_count=pl.lit(len(EXCHANGES), dtype=pl.Int64),
    ).select(MERGED_CANDLES.keys())
    # A few gaps, as a store of a year has.
    covered = IntervalSet.of(START_MS, END_MS) - IntervalSet(
        (START_MS + day * DAY_MS, START_MS + day * DAY_MS + 10 * MINUTE_MS)
        for day in range(0, 365, 7)
    )
    counts = CandleCounts(counted_by_month(candles))
    record = SeriesRecord(Coverage(covered), wanted=Wanted(START_MS), counts=counts)
    for symbol in SYMBOLS:
        sources = tuple(minutes_of(exchange, symbol) for exchange in EXCHANGES)
        rules = MergeRules(EXCHANGES, len(EXCHANGES), 5.0)
        merging = Merging(MergeBasis(rules, sources))
        head: Series = minutes_of(AGGREGATED, symbol)
        made = replace(record, merging=merging)
        store.replace(
            [
                *(SeriesChange(source, record, candles) for source in sources),
                SeriesChange(head, made, merged),
            ]
        )


def fill_torn(store: Store) -> None:
    """Stores records without candles, of which 5 % is missing for two reasons."""
    random = Random(1)
    wanted = Interval(START_MS, END_MS)
    for symbol in SYMBOLS:
        sources = tuple(minutes_of(exchange, symbol) for exchange in EXCHANGES)
        records = {source: torn_record(random) for source in sources}
        merging = Merging(MergeBasis(MergeRules(EXCHANGES, len(EXCHANGES), 5.0), sources))
        known = IntervalSet((wanted,))
        for record in records.values():
            known = known & record.covered
        head = minutes_of(AGGREGATED, symbol)
        missing = IntervalSet((wanted,)) - known
        notes = noted([Gap(each, GapReason.FETCH_FAILED) for each in missing], known)
        made = SeriesRecord(Coverage(known), merging=merging, wanted=Wanted(START_MS))
        changes = [SeriesChange(source, record) for source, record in records.items()]
        store.replace([*changes, SeriesChange(head, replace(made, gap_notes=notes))])


def torn_record(random: Random) -> SeriesRecord:
    slot_ms = 1_000 * MINUTE_MS
    gaps = []
    for slot in range((END_MS - START_MS) // slot_ms):
        start_ms = START_MS + slot * slot_ms + random.randrange(800) * MINUTE_MS
        reason = random.choice((GapReason.FETCH_FAILED, GapReason.BEYOND_REACH))
        gaps.append(Gap(Interval(start_ms, start_ms + random.randint(1, 99) * MINUTE_MS), reason))
    covered = IntervalSet.of(START_MS, END_MS) - IntervalSet(gap.interval for gap in gaps)
    reasons = {
        reason: IntervalSet(gap.interval for gap in gaps if gap.reason is reason)
        for reason in (GapReason.FETCH_FAILED, GapReason.BEYOND_REACH)
    }
    record = SeriesRecord(Coverage(covered, reasons=reasons), wanted=Wanted(START_MS))
    return replace(record, gap_notes=noted(gaps, covered))


def noted(gaps: list[Gap], covered: IntervalSet) -> GapNotes:
    """The notes of two runs, of which the second asked for half of them again."""
    once = NO_NOTES.after_run(gaps, covered, START_MS)
    half = IntervalSet(gap.interval for gap in gaps[::2])
    return once.after_run(gaps, covered, END_MS, [Attempt(half, "time-out")])


if __name__ == "__main__":
    sys.exit(main())
