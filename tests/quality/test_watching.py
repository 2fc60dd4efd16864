"""Which series are compared, and how little of a store is read at once."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from quality_market import (
    BITCOIN,
    EXCHANGES,
    MINUTE,
    START_MS,
    Frames,
    everything,
    invented_market,
    series_of,
)
from storing import keep, put

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, Timeframe
from candle_ingestor.quality.watching import Market, markets_of, watch_market
from candle_ingestor.stores.sqlite.store import SqliteStore

MERGED = Series.merged(BITCOIN, MINUTE)
KRAKEN, BITSTAMP = series_of("kraken"), series_of("bitstamp")
TETHER = Series("gemini", Symbol("BTC", "USDT"), MINUTE)
HOURLY = replace(KRAKEN, timeframe=Timeframe(60))


class ListeningStore(SqliteStore):
    """Remembers what is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.spans: list[Interval] = []

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        self.spans.append(interval)
        return super().read_candles(series, interval)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ListeningStore]:
    with closing(ListeningStore(tmp_path / "candles.sqlite")) as store:
        yield store


@pytest.fixture(scope="module")
def market() -> Frames:
    return invented_market(70, seed=5)


def filled(store: SqliteStore, frames: Frames) -> Ledger:
    covered = Coverage(IntervalSet((everything(frames),)))
    for series, frame in frames.items():
        put(store, series, frame, SeriesRecord(covered))
    return Ledger(store)


def test_what_is_merged_is_compared_and_the_rest_by_symbol_and_timeframe(
    store: ListeningStore,
) -> None:
    basis = MergeBasis(
        MergeRules(EXCHANGES, 2, 5.0, quote_aliases=(("USD", "USDT"),)),
        (
            KRAKEN,
            TETHER,
        ),
    )
    keep(
        store,
        {
            KRAKEN: SeriesRecord(),
            TETHER: SeriesRecord(),
            BITSTAMP: SeriesRecord(),
            HOURLY: SeriesRecord(),
            MERGED: SeriesRecord(merging=Merging(basis)),
        },
    )

    found = markets_of(Ledger(store), [MERGED, BITSTAMP, HOURLY])

    assert found == [
        Market((KRAKEN, TETHER), MERGED),
        Market((BITSTAMP,)),
        Market((HOURLY,)),
    ]


def test_no_more_than_a_month_is_read_at_once(store: ListeningStore, market: Frames) -> None:
    ledger = filled(store, market)

    watched = watch_market(ledger, Market(tuple(market)), None)

    assert watched.findings == ()
    assert watched.candles == {series: frame.height for series, frame in market.items()}
    assert max(span.duration_ms for span in store.spans) <= 31 * DAY_MS
    assert len(store.spans) == 3 * len(market)


def test_before_a_span_four_weeks_are_read_and_neither_told_nor_counted(
    store: ListeningStore, market: Frames
) -> None:
    silences = [
        Interval(START_MS + day * DAY_MS, START_MS + day * DAY_MS + 2 * HOUR_MS)
        for day in (20, 50, 65)
    ]
    heard = market[KRAKEN]
    for silence in silences:
        heard = heard.filter(~pl.col("open_time_ms").is_between(*silence, closed="left"))
    ledger = filled(store, market | {KRAKEN: heard})
    asked = Interval(START_MS + 45 * DAY_MS, START_MS + 60 * DAY_MS + HOUR_MS)

    watched = watch_market(ledger, Market(tuple(market)), asked)

    (one,) = watched.findings
    assert (one.rule, one.exchange) == (QualityRule.SUSPECTED_OUTAGE, "kraken")
    assert one.interval == silences[1]
    assert min(span.start_ms for span in store.spans) == asked.start_ms - 28 * DAY_MS
    for series, frame in (market | {KRAKEN: heard}).items():
        inside = frame.filter(pl.col("open_time_ms").is_between(*asked, closed="left"))
        assert watched.candles[series] == inside.height


def test_of_series_without_coverage_and_spans_without_candles_nothing_is_told(
    store: ListeningStore, market: Frames
) -> None:
    ledger = filled(store, market)
    empty = Market((HOURLY,))
    before = Interval(START_MS - 90 * DAY_MS, START_MS - 60 * DAY_MS)

    assert watch_market(ledger, empty, None).findings == ()
    assert watch_market(ledger, Market(tuple(market)), before).findings == ()
    assert not store.spans
