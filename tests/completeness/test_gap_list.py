"""Every gap is found with its reason, and none is invented."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storing import keep

from candle_ingestor.completeness.gap_list import GapStatus, SeriesGaps, series_gaps, worst_first
from candle_ingestor.completeness.gap_past import GapPast
from candle_ingestor.completeness.remedies import NO_REMEDY
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, Timeframe
from candle_ingestor.settle.accounting import wanted_of
from candle_ingestor.stores.sqlite.store import SqliteStore

START_MS = 1_677_628_800_000  # 2023-03-01
END_MS = START_MS + 31 * DAY_MS
NOW_MS = END_MS + 30_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
BITSTAMP = Series("bitstamp", BITCOIN, Timeframe(1))
GEMINI = Series("gemini", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
REASONS = (GapReason.FETCH_FAILED, GapReason.BEYOND_REACH, GapReason.REJECTED)

ListGaps = Callable[..., list[SeriesGaps]]


@pytest.fixture
def listed(tmp_path: Path) -> ListGaps:
    def list_gaps(records: dict[Series, SeriesRecord]) -> list[SeriesGaps]:
        with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
            keep(store, records)
            return series_gaps(Ledger(store), list(records), NOW_MS, 5, filling=())

    return list_gaps


def record(gaps: list[Gap]) -> SeriesRecord:
    everything = IntervalSet.of(START_MS, END_MS)
    covered = everything - IntervalSet(gap.interval for gap in gaps)
    reasons = {
        reason: IntervalSet(gap.interval for gap in gaps if gap.reason is reason)
        for reason in REASONS
    }
    return SeriesRecord(Coverage(covered, reasons=reasons), wanted=Wanted(START_MS))


def minutes(first: int, last: int) -> Interval:
    return Interval(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


@pytest.mark.parametrize("seed", range(5))
def test_injected_gaps_of_any_place_length_and_reason_are_all_that_is_found(
    seed: int, listed: ListGaps
) -> None:
    random = Random(seed)
    series = [Series(name, BITCOIN, Timeframe(1)) for name in ("a", "b", "c", "d", "e")]
    injected: dict[Series, list[Gap]] = {}
    for one in series:
        # Forty in each of the five, none of which touches the next.
        starts = sorted(random.sample(range(31 * 1440 // 200), 40))
        injected[one] = [
            Gap(minutes(s * 200, s * 200 + random.randint(1, 199)), random.choice(REASONS))
            for s in starts
        ]

    found = listed({one: record(gaps) for one, gaps in injected.items()})

    assert {each.series: [one.gap for one in each.gaps] for each in found} == injected
    for listing in worst_first(found):
        assert listing.candles == listing.gap.interval.duration_ms // MINUTE_MS
        is_final = listing.gap.reason is GapReason.BEYOND_REACH
        assert listing.status is (GapStatus.PERMANENT if is_final else GapStatus.OPEN)


def test_the_longest_gap_that_can_be_filled_comes_first(listed: ListGaps) -> None:
    gaps = [
        Gap(minutes(0, 5_000), GapReason.BEYOND_REACH),
        Gap(minutes(6_000, 6_010), GapReason.FETCH_FAILED),
        Gap(minutes(7_000, 7_500), GapReason.REJECTED),
    ]

    found = worst_first(listed({BITSTAMP: record(gaps)}))

    assert [one.candles for one in found] == [500, 10, 5_000]


def test_what_kraken_does_not_reach_names_its_file_and_the_merged_gap_does_too(
    listed: ListGaps,
) -> None:
    gap = Gap(minutes(0, 100), GapReason.BEYOND_REACH)
    rules = MergeRules(("kraken", "bitstamp"), 2, 5.0)
    merging = Merging(MergeBasis(rules, (KRAKEN, BITSTAMP)))
    covered = IntervalSet.of(START_MS, END_MS) - IntervalSet((gap.interval,))
    merged = SeriesRecord(Coverage(covered), merging=merging, wanted=Wanted(START_MS))

    found = worst_first(listed({MERGED: merged, KRAKEN: record([gap]), BITSTAMP: record([])}))

    assert [(one.series, one.gap.reason) for one in found] == [
        (MERGED, GapReason.BELOW_MINIMUM),
        (KRAKEN, GapReason.BEYOND_REACH),
    ]
    for one in found:
        assert [each.words for each in one.remedy.files] == [
            "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip"
        ]


def test_no_command_is_offered_that_would_change_what_the_symbol_is_merged_by(
    listed: ListGaps,
) -> None:
    gap = Gap(minutes(0, 100), GapReason.FETCH_FAILED)
    alone = Merging(MergeBasis(MergeRules(("kraken",), 1, 5.0), (KRAKEN,)))
    merged = replace(record([]), merging=alone)

    (found,) = worst_first(listed({MERGED: merged, KRAKEN: record([]), BITSTAMP: record([gap])}))

    assert (found.series, found.status, found.remedy) == (BITSTAMP, GapStatus.PERMANENT, NO_REMEDY)


def test_a_market_that_was_delisted_is_not_to_be_asked_again(listed: ListGaps) -> None:
    gap = Gap(minutes(0, 100), GapReason.FETCH_FAILED)
    delisted = replace(record([gap]), listing=Listing(is_delisted=True))

    (found,) = worst_first(listed({KRAKEN: delisted}))

    assert (found.status, found.remedy) == (GapStatus.PERMANENT, NO_REMEDY)


def test_a_merge_by_fewer_exchanges_is_offered_only_where_so_many_know_something(
    listed: ListGaps,
) -> None:
    rules = MergeRules(("kraken", "bitstamp"), 2, 5.0)
    lacking = [Gap(minutes(0, 200), GapReason.BEYOND_REACH)]
    merged = SeriesRecord(
        Coverage(record(lacking).covered),
        merging=Merging(MergeBasis(rules, (GEMINI, BITSTAMP))),
        wanted=Wanted(START_MS),
    )
    sources = {GEMINI: record(lacking), BITSTAMP: record([Gap(minutes(0, 100), REASONS[1])])}

    found = worst_first(listed({MERGED: merged} | sources))

    offered = {one.gap.interval: one.remedy.command for one in found if one.series == MERGED}
    assert offered[minutes(100, 200)] is not None
    assert "merge --symbols=BTC/USD --min_exchanges_required=1" in str(offered[minutes(100, 200)])
    assert offered[minutes(0, 100)] is None


def test_a_gap_has_the_longest_past_of_its_parts(listed: ListGaps) -> None:
    gap = Gap(minutes(0, 100), GapReason.FETCH_FAILED)
    notes = GapNotes(
        (
            GapNote(IntervalSet((minutes(0, 10),)), GapReason.FETCH_FAILED, 30, 1, "the newer"),
            GapNote(IntervalSet((minutes(10, 20),)), GapReason.NOT_FETCHED, 10),
            GapNote(IntervalSet((minutes(20, 60),)), GapReason.FETCH_FAILED, 20, 3, "the older"),
        )
    )

    (one,) = worst_first(listed({BITSTAMP: replace(record([gap]), gap_notes=notes)}))

    assert one.gap == gap
    assert one.past == GapPast(since_ms=10, attempts=3, last_error="the older")


@pytest.mark.parametrize(
    ("reason", "minutes_ago", "is_due"),
    [
        (GapReason.NOT_FETCHED, 60, False),
        (GapReason.NOT_FETCHED, 61, True),
        (GapReason.FETCH_FAILED, 1, True),
    ],
)
def test_what_passed_since_the_last_run_is_not_due_for_an_hour(
    reason: GapReason, minutes_ago: int, is_due: bool, listed: ListGaps
) -> None:
    hole = Interval(END_MS - minutes_ago * MINUTE_MS, END_MS)

    (one,) = listed({BITSTAMP: record([Gap(minutes(0, 9), GapReason.REJECTED), Gap(hole, reason)])})

    (march,) = one.months
    assert march.wanted == 31 * 1440
    assert march.due == march.wanted - (0 if is_due else minutes_ago)


def test_a_gap_that_no_run_noted_yet_has_no_past(listed: ListGaps) -> None:
    (one,) = worst_first(listed({BITSTAMP: record([Gap(minutes(0, 9), GapReason.REJECTED)])}))

    assert one.past == GapPast()


def test_what_was_noted_and_is_known_now_is_filled(listed: ListGaps) -> None:
    done, just_done = minutes(10, 20), minutes(30, 40)
    notes = GapNotes(
        (GapNote(IntervalSet((just_done,)), GapReason.REJECTED, 20),),
        (GapNote(IntervalSet((done,)), GapReason.FETCH_FAILED, 10, 2, "time-out", 50),),
    )

    found = worst_first(listed({BITSTAMP: replace(record([]), gap_notes=notes)}))

    assert [one.status for one in found] == [GapStatus.FILLED] * 2
    assert [(one.gap, one.past) for one in found] == [
        (Gap(done, GapReason.FETCH_FAILED), GapPast(10, 2, "time-out", 50)),
        (Gap(just_done, GapReason.REJECTED), GapPast(20)),
    ]


spans = st.lists(
    st.tuples(st.integers(0, 190), st.integers(1, 40)).map(
        lambda pair: minutes(200 * pair[0], 200 * pair[0] + pair[1] * 50)
    ),
    max_size=5,
).map(IntervalSet)
coverages = st.builds(
    Coverage, spans, reasons=st.dictionaries(st.sampled_from(GapReason), spans, max_size=4)
)
wants = st.none() | st.builds(
    Wanted,
    st.integers(0, 40_000).map(lambda minute: START_MS + minute * MINUTE_MS),
    st.none() | st.integers(0, 50_000).map(lambda minute: START_MS + minute * MINUTE_MS),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(coverages, wants, st.booleans()), min_size=1, max_size=3),
    coverages,
    wants,
    st.integers(1, 3),
)
def test_gaps_and_coverage_are_what_is_wanted_and_months_sum_up(
    of_sources: list[tuple[Coverage, Wanted | None, bool]],
    coverage: Coverage,
    wanted: Wanted | None,
    minimum: int,
) -> None:
    sources = [Series(name, BITCOIN, Timeframe(1)) for name in ("a", "b", "c")][: len(of_sources)]
    rules = MergeRules(tuple(s.exchange for s in sources), min(minimum, len(sources)), 5.0)
    records = {
        source: SeriesRecord(each, Listing(is_delisted=is_gone), wanted=want)
        for source, (each, want, is_gone) in zip(sources, of_sources, strict=True)
    }
    merging = Merging(MergeBasis(rules, tuple(sources)))
    records[MERGED] = SeriesRecord(coverage, merging=merging, wanted=wanted)
    ledger: Any = SimpleNamespace(
        record=lambda series: records.get(series, NOTHING_KNOWN), dependents=lambda _: (MERGED,)
    )

    found = series_gaps(ledger, list(records), NOW_MS, 5, filling=())

    assert [each.series for each in found] == list(records)
    for each in found:
        its_record = records[each.series]
        whole = IntervalSet((wanted_of(its_record, END_MS),))
        intervals = [one.gap.interval for one in each.gaps]
        # Disjoint, outside coverage, and nothing is left over.
        assert sum(interval.duration_ms for interval in intervals) == (
            IntervalSet(intervals).duration_ms
        )
        assert IntervalSet(intervals) == whole - its_record.covered
        shares = each.months
        assert sum(share.wanted for share in shares) * MINUTE_MS == whole.duration_ms
        missing = sum(share.wanted - share.covered for share in shares) * MINUTE_MS
        assert missing == IntervalSet(intervals).duration_ms
        assert [share.month for share in shares] == sorted({share.month for share in shares})
        assert all(0 <= share.covered <= share.wanted - share.not_listed_yet for share in shares)
        unlisted = [one.gap for one in each.gaps if one.gap.reason is GapReason.NOT_LISTED_YET]
        assert sum(share.not_listed_yet for share in shares) * MINUTE_MS == (
            IntervalSet(gap.interval for gap in unlisted).duration_ms
        )
