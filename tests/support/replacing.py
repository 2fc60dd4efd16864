"""Batches that bring a store from one state of several series to another, and what they meant."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES, schema_of
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, Store

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
EVERYTHING = Interval(0, 2**60)


@dataclass(frozen=True)
class Wanted:
    """What one series is to be: its record, and a candle at each minute that has a value."""

    record: SeriesRecord
    candles: pl.DataFrame


@dataclass
class Meanings:
    """What the writer of each record, told by its marker, meant the stored candles to be."""

    candles: dict[tuple[Series, int | None], pl.DataFrame] = field(default_factory=dict)

    def changes(self, store: Store, wanted: Mapping[Series, Wanted]) -> list[SeriesChange]:
        """The batch that makes of what is stored what is wanted, remembered with its meaning.

        As the job does: what is stored is compared with what is wanted, also outside coverage, and
        the cautious record leaves out what is known and differs.
        """
        records = store.read_records()
        changes = []
        for series, one in wanted.items():
            stored = store.read_candles(series, EVERYTHING)
            written = one.candles.join(stored, on=stored.columns, how="anti")
            deleted = stored.join(one.candles, on="open_time_ms", how="anti")["open_time_ms"]
            differing = minutes_at([*written["open_time_ms"], *deleted])
            former = records.get(series)
            cautious = None
            if not differing:
                cautious = one.record
            elif former is not None and former.covered & differing:
                marker = -(one.record.catch_up_from_ms or 0)
                cautious = SeriesRecord(
                    Coverage(former.covered - differing), catch_up_from_ms=marker
                )
                self.candles[series, marker] = one.candles
            self.candles[series, one.record.catch_up_from_ms] = one.candles
            changes.append(SeriesChange(series, one.record, written, deleted.to_list(), cautious))
        return changes

    def assert_kept(self, store: Store, among: Collection[Series]) -> None:
        """No record of these series covers a minute unlike what the record's writer meant."""
        found = store.read_records()
        for series, record in ((one, found[one]) for one in among if one in found):
            stored = inside(store.read_candles(series, EVERYTHING), record.covered)
            meant = inside(self.candles[series, record.catch_up_from_ms], record.covered)
            assert stored.equals(meant), (series, record, stored, meant)


def minutes_at(open_times_ms: list[int]) -> IntervalSet:
    return IntervalSet((time_ms, time_ms + MINUTE_MS) for time_ms in open_times_ms)


def inside(candles: pl.DataFrame, intervals: IntervalSet) -> pl.DataFrame:
    keep = [intervals.contains(time_ms) for time_ms in candles["open_time_ms"]]
    return candles.filter(pl.Series(keep, dtype=pl.Boolean()))


def wanted(series: Series, marker: int, known_minutes: int, values: Mapping[int, float]) -> Wanted:
    """Known from the first minute on; `marker` tells the record from any other."""
    end_ms = START_MS + known_minutes * MINUTE_MS
    prices = list(values.values())
    frame = pl.DataFrame(
        {
            **dict.fromkeys(EXCHANGE_CANDLES, prices),
            "open_time_ms": [START_MS + minute * MINUTE_MS for minute in values],
        },
        schema=EXCHANGE_CANDLES,
    )
    if series.is_merged:
        frame = frame.with_columns(
            pl.lit(f"kraken,{'x' * marker}").alias("source_exchanges"),
            pl.lit(marker, pl.Int64()).alias("exchange_count"),
        )
    covered = IntervalSet.of(START_MS, end_ms) if known_minutes else EMPTY
    provisional = IntervalSet.of(end_ms - MINUTE_MS, end_ms) if known_minutes else EMPTY
    record = SeriesRecord(Coverage(covered, provisional), catch_up_from_ms=marker)
    return Wanted(record, frame.select(schema_of(series).keys()))


def three_states(base: str) -> list[dict[Series, Wanted]]:
    """What a batch finds, what it makes of it, and what the next one wants after its crash."""
    symbol = Symbol(base, "USD")
    kraken, bitstamp, idle = (
        Series(name, symbol, Timeframe(1)) for name in ("kraken", "bitstamp", "idle")
    )
    merged = Series.merged(symbol, Timeframe(1))
    first = dict.fromkeys(range(10), 1.0)
    revised = {minute: 1.0 if minute < 6 else 2.0 for minute in range(13) if minute != 3}
    again = {minute: 3.0 if minute in (3, 8) else 1.5 for minute in range(12) if minute != 7}
    return [
        {
            kraken: wanted(kraken, 1, 10, first),
            merged: wanted(merged, 1, 10, first),
            idle: wanted(idle, 1, 4, {}),
        },
        {
            kraken: wanted(kraken, 2, 13, revised),
            bitstamp: wanted(bitstamp, 2, 6, dict.fromkeys(range(6), 2.5)),
            merged: wanted(merged, 2, 13, revised),
            idle: wanted(idle, 2, 9, {}),
        },
        {
            kraken: wanted(kraken, 3, 12, again),
            bitstamp: wanted(bitstamp, 3, 5, dict.fromkeys((0, 2, 4), 2.75)),
            merged: wanted(merged, 3, 12, again),
            idle: wanted(idle, 3, 9, {2: 4.0}),
        },
    ]


def is_in_state(store: Store, state: Mapping[Series, Wanted]) -> bool:
    """Whether the series of the state are stored exactly so."""
    records = store.read_records()
    return all(
        records.get(series) == one.record
        and store.read_candles(series, EVERYTHING).equals(one.candles)
        for series, one in state.items()
    )
