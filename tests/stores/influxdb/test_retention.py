"""A bucket that drops what is older than its retention."""

import time
from collections.abc import Iterator
from contextlib import closing

import polars as pl
import pytest
from bucket_points import (
    DAY_MS,
    EVERYTHING,
    KRAKEN,
    LONG_RECORD,
    MERGED,
    MINUTE_MS,
    SHORT_RECORD,
    candles,
    points,
)
from influxd import InfluxServer
from storing import covering, keep, put

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    SeriesRecord,
)
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.bucket import FAR_FUTURE_NS
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore

NOW_MS = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS


@pytest.fixture
def short_lived(influx_server: InfluxServer) -> Iterator[InfluxDbConnection]:
    """An empty bucket that keeps points for 30 days."""
    with influx_server.bucket(retention_seconds=30 * 86_400) as connection:
        yield connection


def test_records_outlive_what_the_bucket_drops(
    influx_server: InfluxServer, short_lived: InfluxDbConnection
) -> None:
    report = {"run_id": "a", "started_ms": NOW_MS, "status": "ok"}
    with closing(InfluxDbStore(short_lived)) as store:
        store.check()
        keep(store, {KRAKEN: LONG_RECORD})
        keep(store, {KRAKEN: SHORT_RECORD})
        store.write_state("s", {"k": 1})
        store.write_state("s", {"k": 2})
        store.write_run(report)

    with closing(InfluxDbStore(short_lived)) as store:
        assert store.read_records() == {KRAKEN: SHORT_RECORD}
        assert store.read_state("s") == {"k": 2}
        assert store.read_runs(2) == [report]
    rows = points(influx_server, short_lived, "processing_state", stop="2201-01-01T00:00:00Z")
    assert [row["_time"] for row in rows] == ["2200-01-01T00:00:00Z"]
    assert FAR_FUTURE_NS == 7_258_118_400 * 10**9


def test_candles_beyond_the_retention_are_rejected_aloud(short_lived: InfluxDbConnection) -> None:
    page = pl.concat([candles(2, NOW_MS - 31 * DAY_MS), candles(3, NOW_MS - DAY_MS)])

    with closing(InfluxDbStore(short_lived)) as store:
        with pytest.raises(StoreRefusedError) as caught:
            put(store, KRAKEN, page)

        assert store.read_candles(KRAKEN, EVERYTHING).equals(page.tail(3))
    for part in ("2 of 5 lines", "lengthen the bucket's retention", "--backfill_start_date"):
        assert part in str(caught.value)


def test_what_the_bucket_has_dropped_is_no_longer_covered(short_lived: InfluxDbConnection) -> None:
    """Else a minute whose candle is gone would read as one without a trade."""
    horizon_ms = NOW_MS - 30 * DAY_MS
    span = IntervalSet.of(horizon_ms - DAY_MS, horizon_ms + DAY_MS)
    gone = IntervalSet.of(horizon_ms - DAY_MS, horizon_ms)
    kept = IntervalSet.of(horizon_ms, horizon_ms + DAY_MS)
    bases = [MergeBasis(MergeRules((name,), 1), ()) for name in ("kraken", "binance", "bitstamp")]
    this_month, long_ago = Month.of(horizon_ms), Month(2017, 1)
    record = SeriesRecord(
        coverage=Coverage(span, span, {GapReason.REJECTED: IntervalSet.of(0, MINUTE_MS)}),
        merging=Merging(bases[0], ((bases[1], gone), (bases[2], kept)), gone | kept),
        exports=Exports({"a": {long_ago: long_ago.start_ms, this_month: horizon_ms}}, (2, 8)),
        counts=CandleCounts(
            {long_ago: 3, this_month: 4, this_month.following(): 5},
            frozenset({long_ago.following()}),
        ),
        gap_notes=GapNotes((GapNote(span, GapReason.REJECTED, 1),)),
    )
    with closing(InfluxDbStore(short_lived, now_ms=lambda: NOW_MS)) as store:
        keep(store, {MERGED: record})

        assert store.read_records() == {
            MERGED: SeriesRecord(
                coverage=Coverage(kept, kept, record.coverage.reasons),
                merging=Merging(bases[0], ((bases[2], kept),), kept),
                exports=Exports({"a": {this_month: horizon_ms}}, (2, 8)),
                counts=CandleCounts({this_month.following(): 5}, frozenset({this_month})),
                gap_notes=GapNotes((GapNote(kept, GapReason.REJECTED, 1),)),
            )
        }
        assert store.keeps_from_ms == horizon_ms


def test_a_change_of_retention_brings_no_old_record_back(
    influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    (found,) = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]

    def keep_for(seconds: int) -> None:
        rules = [{"type": "expire", "everySeconds": seconds}]
        influx_server.answer("PATCH", f"/api/v2/buckets/{found['id']}", {"retentionRules": rules})

    records = [covering(IntervalSet.of(0, (number + 1) * MINUTE_MS)) for number in range(4)]
    for record, seconds in zip(records, (0, 30 * 86_400, 0, 60 * 86_400), strict=True):
        keep_for(seconds)
        with closing(InfluxDbStore(bucket)) as store:
            keep(store, {KRAKEN: record})
            store.write_state("s", {"k": record.covered.end_ms})
        with closing(InfluxDbStore(bucket)) as store:
            assert store.read_records() == {KRAKEN: record}
            assert store.read_state("s") == {"k": record.covered.end_ms}
