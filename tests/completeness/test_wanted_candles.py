"""How many candles series have, counted of records that the test makes."""

from contextlib import closing
from pathlib import Path

import polars as pl
from storing import put

from candle_ingestor.completeness.wanted_candles import known_candles
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.intervals import IntervalSet
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


def test_what_is_stored_and_true_no_longer_is_no_candle_of_what_is_known(tmp_path: Path) -> None:
    times = [MARCH.start_ms + number * HOUR_MS for number in range(10)]
    times += [APRIL.start_ms + number * HOUR_MS for number in range(20)]
    covered = IntervalSet.of(APRIL.start_ms, APRIL.start_ms + 15 * HOUR_MS)
    stale = IntervalSet.of(MARCH.start_ms, MARCH.start_ms + 10 * HOUR_MS)
    stale = stale | IntervalSet.of(covered.end_ms, covered.end_ms + 5 * HOUR_MS)
    basis = MergeBasis(MergeRules(("kraken",), 1), (Series("kraken", MERGED.symbol, HOURS),))
    candles = pl.DataFrame(
        {
            "open_time_ms": times,
            **{name: [1.0] * 30 for name in ("open", "high", "low", "close", "volume")},
            "source_exchanges": ["kraken"] * 30,
            "exchange_count": [1] * 30,
        },
        schema=MERGED_CANDLES,
    )
    record = SeriesRecord(
        Coverage(covered),
        merging=Merging(basis, stale=stale),
        counts=CandleCounts(counted_by_month(candles)),
    )
    with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
        put(store, MERGED, candles, record)

        assert known_candles(Ledger(store), [MERGED]) == {MERGED: {APRIL: 15}}
