"""How many candles series have, counted of records that the test makes."""

from contextlib import closing
from pathlib import Path

import polars as pl
from storing import put

from candle_ingestor.completeness.wanted_candles import known_candles, wanted_candles
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import HOUR_MS, Timeframe
from candle_ingestor.stores.sqlite.store import SqliteStore

HOURS = Timeframe(60)
MERGED = Series.merged(Symbol("BTC", "USD"), HOURS)
MARCH, APRIL = Month(2023, 3), Month(2023, 4)


def merged_candles(times: list[int]) -> pl.DataFrame:
    number = len(times)
    return pl.DataFrame(
        {
            "open_time_ms": times,
            **{name: [1.0] * number for name in ("open", "high", "low", "close", "volume")},
            "source_exchanges": ["kraken"] * number,
            "exchange_count": [1] * number,
        },
        schema=MERGED_CANDLES,
    )


def test_what_is_stored_and_true_no_longer_is_no_candle_of_what_is_known(tmp_path: Path) -> None:
    times = [MARCH.start_ms + number * HOUR_MS for number in range(10)]
    times += [APRIL.start_ms + number * HOUR_MS for number in range(20)]
    covered = IntervalSet.of(APRIL.start_ms, APRIL.start_ms + 15 * HOUR_MS)
    stale = IntervalSet.of(MARCH.start_ms, MARCH.start_ms + 10 * HOUR_MS)
    stale = stale | IntervalSet.of(covered.end_ms, covered.end_ms + 5 * HOUR_MS)
    basis = MergeBasis(MergeRules(("kraken",), 1), (Series("kraken", MERGED.symbol, HOURS),))
    candles = merged_candles(times)
    record = SeriesRecord(
        Coverage(covered),
        merging=Merging(basis, stale=stale),
        counts=CandleCounts(counted_by_month(candles)),
    )
    with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
        put(store, MERGED, candles, record)

        assert known_candles(Ledger(store), [MERGED]) == {MERGED: {APRIL: 15}}


def test_what_a_crash_wrote_before_it_was_known_is_no_candle_of_what_is_wanted(
    tmp_path: Path,
) -> None:
    hours = [APRIL.start_ms + number * HOUR_MS for number in range(31)]
    covered = IntervalSet(((hours[0], hours[10]), (hours[12], hours[20])))
    no_trade, leftovers = {hours[7], hours[15]}, {hours[10], hours[11], hours[25]}
    known = [hour for hour in hours if covered.contains(hour) and hour not in no_trade]
    record = SeriesRecord(
        Coverage(covered), counts=CandleCounts(counted_by_month(merged_candles(known)))
    )
    with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
        put(store, MERGED, merged_candles(sorted({*known, *leftovers})), record)
        ledger = Ledger(store)

        wanted = wanted_candles(ledger, {MERGED: Interval(hours[5], hours[30])})

        assert wanted == {MERGED: {APRIL: len([hour for hour in known if hour >= hours[5]])}}
        assert known_candles(ledger, [MERGED]) == {MERGED: {APRIL: len(known)}}
