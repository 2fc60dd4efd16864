"""Coarser series follow what they are put together from. On the real SQLite store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from crashing_store import CrashingStore
from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import (
    BITSTAMP,
    EVERYTHING,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    START_MS,
    candles,
    ms,
    shown,
    span,
    spans,
)
from settling import keep, keep_flat, settling_of, ticker_of

from candle_ingestor.config import DerivedConfig, ExportConfig
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Wanted
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.resample.coarser import coarser_candles
from candle_ingestor.settle.accounting import gaps_of, unsettled, wanted_of
from candle_ingestor.settle.settling import Settling
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

ONE = ticker_of(KRAKEN)
BOTH = ticker_of(KRAKEN, BITSTAMP, minimum=1)
FIVE, QUARTER, HOUR, DAY, WEEK = (
    replace(MERGED, timeframe=Timeframe(minutes)) for minutes in (5, 15, 60, 1440, 10080)
)


def resample(
    ledger: Ledger,
    *derived: Series,
    ticker: Ticker = ONE,
    min_coverage_pct: float = 100.0,
    of_exchanges: bool = False,
    everything: bool = False,
    closed: int = 2**20,
) -> int:
    """Merges and derives as a run does; says how many coarser candles changed."""
    settling = settling_of(ledger, ticker, closed_end_ms=ms(closed))
    wanted = tuple(series.timeframe for series in derived)
    settling.rules = replace(
        settling.rules,
        derived=DerivedConfig(wanted, min_coverage_pct, of_exchanges),
        derives_everything=everything,
    )
    settle_without_export(settling)
    return settling.outcomes[ticker].derived_candles


def settle_without_export(settling: Settling) -> None:
    settling.adopt({})
    settling.merge()
    settling.derive()


def stored(store: Store, series: Series) -> pl.DataFrame:
    return store.read_candles(series, EVERYTHING)


def volumes(ledger: Ledger, series: Series) -> dict[int, float]:
    """The volume of each candle by the minute that it opens at."""
    frame = stored(ledger.store, series)
    return {
        (time - START_MS) // MINUTE_MS: volume
        for time, volume in zip(frame["open_time_ms"], frame["volume"], strict=True)
    }


def test_a_coarser_candle_is_there_once_its_whole_time_is_covered(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 14)
    resample(ledger, FIVE)
    assert volumes(ledger, FIVE) == {0: 10.0, 5: 10.0}
    assert ledger.record(FIVE).covered == span(0, 10)

    keep_flat(ledger, KRAKEN, 14, 16)
    assert resample(ledger, FIVE) == 1
    assert volumes(ledger, FIVE) == {0: 10.0, 5: 10.0, 10: 10.0}
    assert resample(ledger, FIVE) == 0


def test_a_time_without_any_trade_is_covered_and_has_no_candle(ledger: Ledger) -> None:
    keep(ledger, KRAKEN, span(0, 15), {3: 7.0, 12: 8.0})
    resample(ledger, FIVE)
    assert shown(stored(ledger.store, FIVE)) == {0: 7.0, 10: 8.0}
    assert ledger.record(FIVE).covered == span(0, 15)


def test_each_is_made_from_the_coarsest_finer_one_that_divides_it(ledger: Ledger) -> None:
    odd = replace(MERGED, timeframe=Timeframe(7))
    keep_flat(ledger, KRAKEN, 0, 1)
    resample(ledger, WEEK, FIVE, QUARTER, odd, DAY)
    made_from = {
        series: derivation.source
        for series, record in ledger.records.items()
        if (derivation := record.derivation) is not None
    }
    assert made_from == {FIVE: MERGED, odd: MERGED, QUARTER: FIVE, DAY: QUARTER, WEEK: DAY}


def test_weeks_begin_on_monday(ledger: Ledger) -> None:
    # The first of March 2024 is a Friday.
    monday = 3 * 1440
    keep_flat(ledger, KRAKEN, 0, monday + 7 * 1440 + 5)
    resample(ledger, DAY, WEEK)
    assert volumes(ledger, WEEK) == {monday: 2.0 * 7 * 1440}
    assert volumes(ledger, DAY) == {day * 1440: 2.0 * 1440 for day in range(10)}


def test_only_what_changed_minutes_touch_is_made_again(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 120)
    resample(ledger, FIVE, QUARTER, HOUR)
    keep(ledger, KRAKEN, span(61, 62), {61: 99.0})
    assert not ledger.record(HOUR).covered & span(60, 120)
    assert ledger.record(FIVE).covered == span(0, 120) - span(60, 65)

    assert resample(ledger) == 3
    assert stored(ledger.store, HOUR)["high"].to_list() == [11.0, 100.0]
    assert stored(ledger.store, QUARTER)["high"].to_list()[4] == 100.0


def test_what_other_rules_of_merging_are_to_make_again_is_not_covered_until_then(
    ledger: Ledger,
) -> None:
    keep(ledger, KRAKEN, span(0, 60), dict.fromkeys(range(60), 10.0), provisional=span(58, 60))
    resample(ledger, QUARTER, HOUR)
    settling_of(ledger, ticker_of(BITSTAMP, KRAKEN, minimum=1)).adopt({})
    assert ledger.record(MERGED).covered == span(0, 58)
    assert ledger.record(QUARTER).covered == span(0, 45)
    assert ledger.record(HOUR).covered == EMPTY


def test_what_cannot_be_made_any_more_is_removed(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 120)
    resample(ledger, FIVE, HOUR)
    nothing = candles({})
    ledger.replace([Replacement(KRAKEN, span(70, 72), nothing, EMPTY)])
    assert resample(ledger) == 2
    assert list(volumes(ledger, HOUR)) == [0]
    assert ledger.record(HOUR).covered == span(0, 60)
    assert ledger.record(HOUR).stale == EMPTY


def test_exchanges_own_series_are_put_together_too_where_that_is_asked_for(
    ledger: Ledger,
) -> None:
    keep_flat(ledger, KRAKEN, 0, 60)
    keep_flat(ledger, BITSTAMP, 0, 30, price=12.0)
    resample(ledger, QUARTER, ticker=BOTH, of_exchanges=True)
    own = [replace(each, timeframe=QUARTER.timeframe) for each in (KRAKEN, BITSTAMP)]
    assert [list(volumes(ledger, each)) for each in own] == [[0, 15, 30, 45], [0, 15]]
    named = stored(ledger.store, QUARTER)["source_exchanges"].to_list()
    assert named == ["kraken,bitstamp", "kraken,bitstamp", "kraken", "kraken"]


def test_a_candle_of_a_part_is_marked_and_made_whole_later(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 45)
    keep_flat(ledger, KRAKEN, 60, 80)
    resample(ledger, FIVE, HOUR, min_coverage_pct=50.0)
    record = ledger.record(HOUR)
    assert volumes(ledger, HOUR) == {0: 90.0}
    assert (record.covered, record.derivation and record.derivation.partial) == (
        span(0, 60),
        span(0, 60),
    )
    assert unsettled(ledger, HOUR, span(0, 60), ms(100)) == span(0, 60)

    keep_flat(ledger, KRAKEN, 45, 60)
    resample(ledger)
    assert volumes(ledger, HOUR) == {0: 120.0}
    assert record_partial(ledger, HOUR) == EMPTY
    assert unsettled(ledger, HOUR, span(0, 60), ms(100)) == EMPTY


def test_the_manifest_names_the_time_of_candles_of_a_part(ledger: Ledger, tmp_path: Path) -> None:
    keep_flat(ledger, KRAKEN, 0, 45)
    keep_flat(ledger, KRAKEN, 60, 120)
    resample(ledger, HOUR, min_coverage_pct=50.0)
    assert march_of(ledger, tmp_path)["partial"] == [
        {"start": "2024-03-01T00:00:00Z", "end": "2024-03-01T01:00:00Z"}
    ]
    keep_flat(ledger, KRAKEN, 45, 60)
    resample(ledger)
    assert "partial" not in march_of(ledger, tmp_path)


def march_of(ledger: Ledger, data_root: Path) -> dict[str, object]:
    """What the manifest says of the first hours of March 2024, exported now."""
    settling = settling_of(ledger, ONE, closed_end_ms=ms(120))
    export = ExportConfig(True, data_root, False, 2, 8, False)
    settling.rules = replace(settling.rules, exports=export)
    settling.export()
    manifest = json.loads((data_root / "aggregated/BTCUSD_1h/manifest.json").read_text())
    month: dict[str, object] = manifest["months"]["2024-03"]
    return month


def test_no_part_is_made_of_time_that_is_not_over(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 50)
    resample(ledger, HOUR, min_coverage_pct=10.0, closed=50)
    assert volumes(ledger, HOUR) == {}


def test_another_share_makes_what_it_concerns_again(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 60)
    keep_flat(ledger, KRAKEN, 60, 100)
    keep_flat(ledger, KRAKEN, 180, 240)
    resample(ledger, QUARTER, HOUR)
    assert resample(ledger, HOUR, min_coverage_pct=50.0) == 1
    assert list(volumes(ledger, HOUR)) == [0, 60, 180]
    assert resample(ledger, HOUR) == 1
    assert list(volumes(ledger, HOUR)) == [0, 180]
    assert record_partial(ledger, HOUR) == EMPTY


def test_a_whole_candle_is_not_made_of_parts(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 14)
    resample(ledger, FIVE, min_coverage_pct=50.0)
    resample(ledger, QUARTER)
    assert list(volumes(ledger, FIVE)) == [0, 5, 10]
    assert volumes(ledger, QUARTER) == {}


def record_partial(ledger: Ledger, series: Series) -> IntervalSet:
    derivation = ledger.record(series).derivation
    assert derivation is not None
    return derivation.partial


def test_what_was_fetched_or_merged_is_not_overwritten(ledger: Ledger) -> None:
    hourly = replace(KRAKEN, timeframe=HOUR.timeframe)
    keep(ledger, hourly, span(0, 60), {0: 5.0})
    keep_flat(ledger, KRAKEN, 0, 60)
    with pytest.raises(ConfigurationError, match="kraken BTC/USD 1h already, fetched or imported"):
        resample(ledger, HOUR, of_exchanges=True)
    settle_without_export(settling_of(ledger, ticker_of(hourly, merged=HOUR)))
    with pytest.raises(ConfigurationError, match="BTC/USD 1h already, merged"):
        resample(ledger, HOUR)
    assert shown(stored(ledger.store, HOUR)) == {0: 5.0}


def test_what_is_derived_is_neither_fetched_nor_merged(ledger: Ledger) -> None:
    keep_flat(ledger, KRAKEN, 0, 60)
    resample(ledger, HOUR)
    hourly = replace(KRAKEN, timeframe=HOUR.timeframe)
    with pytest.raises(ConfigurationError, match="put together from 1m candles"):
        settling_of(ledger, ticker_of(hourly, merged=HOUR)).adopt({})


def test_a_gap_of_a_coarser_series_is_that_of_its_source(ledger: Ledger) -> None:
    ledger.replace(
        [
            Replacement(
                KRAKEN,
                span(0, 300),
                candles({}),
                spans((0, 30), (60, 130), (180, 240)),
                reasons={
                    GapReason.BEYOND_REACH: span(30, 45),
                    GapReason.FETCH_FAILED: spans((45, 60), (130, 131)),
                },
            )
        ]
    )
    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), wanted=Wanted(ms(1)))})
    resample(ledger, QUARTER, HOUR)
    ledger.update({MERGED: replace(ledger.record(MERGED), wanted=Wanted(ms(0), ms(290)))})
    resample(ledger)
    wanted = wanted_of(ledger.record(HOUR), ms(300))
    assert wanted == Interval(ms(0), ms(240))
    assert gaps_of(ledger, HOUR, wanted) == [
        Gap(Interval(ms(0), ms(60)), GapReason.BEYOND_REACH),
        Gap(Interval(ms(120), ms(180)), GapReason.FETCH_FAILED),
    ]


def test_a_month_is_complete_when_the_minutes_are(ledger: Ledger, tmp_path: Path) -> None:
    february = -29 * 1440
    everything = span(february, 100)
    ledger.replace(
        [
            Replacement(
                KRAKEN, everything, candles({february: 5.0, 30: 6.0}), everything, span(-2, -1)
            )
        ]
    )
    resample(ledger, HOUR)
    settling = settling_of(ledger, ONE, closed_end_ms=ms(100))
    settling.rules = replace(
        settling.rules, exports=ExportConfig(True, tmp_path, False, 2, 8, False)
    )
    settling.export()
    manifest = pl.read_json((tmp_path / "aggregated/BTCUSD_1h/manifest.json").read_bytes())
    months = manifest["months"][0]
    assert (months["2024-02"]["rows"], months["2024-02"]["complete"]) == (1, False)
    assert months["2024-03"]["known_until"] == "2024-03-01T01:00:00Z"
    assert months["2024-03"]["gaps"] == []

    keep(ledger, KRAKEN, span(-2, -1), {})
    resample(ledger)
    settling.export()
    manifest = pl.read_json((tmp_path / "aggregated/BTCUSD_1h/manifest.json").read_bytes())
    assert manifest["months"][0]["2024-02"]["complete"]


# Crashes

Change = tuple[int, int, dict[int, float] | None]
ends = st.integers(0, 30)
changes: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(ends, ends, st.none() | st.dictionaries(ends, st.integers(2, 9).map(float))),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def open_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], SqliteStore]]:
    """A store of its own for each call."""
    folder = tmp_path_factory.mktemp("stores")
    opened: list[SqliteStore] = []

    def open_one() -> SqliteStore:
        opened.append(SqliteStore(folder / f"{len(opened)}.sqlite"))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def apply(ledger: Ledger, change: Change, derived: tuple[Series, ...]) -> None:
    first, last, prices = change
    part = span(min(first, last), max(first, last) + 1)
    within = {m: price for m, price in (prices or {}).items() if part.contains(ms(m))}
    answered = EMPTY if prices is None else part
    ledger.replace([Replacement(KRAKEN, part, candles(within), answered)])
    resample(ledger, *derived)


def assert_claims_are_true(store: Store) -> None:
    """Whatever a record covers is what its source, as it is stored, is put together to."""
    records = store.read_records()
    for series in (FIVE, QUARTER):
        record = records.get(series)
        if record is None or record.derivation is None:
            continue
        source = record.derivation.source
        assert record.covered - records[source].covered == EMPTY
        made = coarser_candles(
            candles_within(stored(store, source), record.covered),
            source.timeframe,
            series.timeframe,
        )
        assert candles_within(stored(store, series), record.covered).equals(made)


@settings(max_examples=25)
@given(changes)
def test_a_crash_at_any_write_leaves_the_former_candles_or_the_present_ones(
    open_store: Callable[[], SqliteStore], sequence: list[Change]
) -> None:
    derived = (FIVE, QUARTER)
    whole = CrashingStore(open_store())
    for change in sequence:
        apply(Ledger(as_store(whole)), change, derived)
    right: Mapping[Series, pl.DataFrame] = {
        series: stored(as_store(whole), series) for series in derived
    }
    for fail_at in range(1, whole.writes + 1, max(whole.writes // 8, 1)):
        store = open_store()
        crashing = CrashingStore(store, fail_at)
        done = 0
        try:
            for change in sequence:
                apply(Ledger(as_store(crashing)), change, derived)
                done += 1
        except StoreUnavailableError:
            assert_claims_are_true(store)
        for change in sequence[done:]:
            apply(Ledger(store), change, derived)
        for series in derived:
            assert stored(store, series).equals(right[series])


def as_store(store: CrashingStore) -> Store:
    return store
