"""Every gap is found with its reason, and none is invented."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from storing import keep

from candle_ingestor.completeness.gap_history import GapHistory
from candle_ingestor.completeness.gap_list import GapStatus, SeriesGaps, series_gaps, worst_first
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.gaps import Gap, GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, MINUTE_MS, Timeframe
from candle_ingestor.stores.sqlite.store import SqliteStore

START_MS = 1_677_628_800_000  # 2023-03-01
END_MS = START_MS + 31 * DAY_MS
NOW_MS = END_MS + 30_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
BITSTAMP = Series("bitstamp", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
REASONS = (GapReason.FETCH_FAILED, GapReason.BEYOND_REACH, GapReason.REJECTED)

Listing = Callable[..., list[SeriesGaps]]


@pytest.fixture
def listed(tmp_path: Path) -> Listing:
    def list_gaps(records: dict[Series, SeriesRecord], runs: list[object] | None = None) -> object:
        with closing(SqliteStore(tmp_path / "candles.sqlite")) as store:
            keep(store, records)
            history = GapHistory(runs or [])  # type: ignore[arg-type]
            return series_gaps(Ledger(store), list(records), history, NOW_MS, 5, is_running=False)

    return list_gaps  # type: ignore[return-value]


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
    seed: int, listed: Listing
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


def test_the_longest_gap_that_can_be_filled_comes_first(listed: Listing) -> None:
    gaps = [
        Gap(minutes(0, 5_000), GapReason.BEYOND_REACH),
        Gap(minutes(6_000, 6_010), GapReason.FETCH_FAILED),
        Gap(minutes(7_000, 7_500), GapReason.REJECTED),
    ]

    found = worst_first(listed({BITSTAMP: record(gaps)}))

    assert [one.candles for one in found] == [500, 10, 5_000]


def test_what_kraken_does_not_reach_names_its_file_and_the_merged_gap_does_too(
    listed: Listing,
) -> None:
    gap = Gap(minutes(0, 100), GapReason.BEYOND_REACH)
    rules = MergeRules(("kraken", "bitstamp"), 2, 5.0)
    merging = Merging(MergeBasis(rules, (KRAKEN, BITSTAMP)))
    covered = IntervalSet.of(START_MS, END_MS) - IntervalSet((gap.interval,))
    merged = SeriesRecord(Coverage(covered), merging=merging, wanted=Wanted(START_MS))

    found = worst_first(listed({KRAKEN: record([gap]), BITSTAMP: record([]), MERGED: merged}))

    assert [(one.series, one.gap.reason) for one in found] == [
        (MERGED, GapReason.BELOW_MINIMUM),
        (KRAKEN, GapReason.BEYOND_REACH),
    ]
    for one in found:
        assert [each.words for each in one.remedy.files] == [
            "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip"
        ]


def run_with(started_ms: int, gap: Gap | None, error: str = "time-out") -> dict[str, object]:
    def text(time_ms: int) -> str:
        return str(time_ms)

    gaps = (
        []
        if gap is None
        else [
            {
                "start": text(gap.interval.start_ms),
                "end": text(gap.interval.end_ms),
                "reason": gap.reason.value,
            }
        ]
    )
    return {
        "started_ms": started_ms,
        "timeframe": "1m",
        "exchange_troubles": {"bitstamp": {"error": error}},
        "tickers": [
            {
                "symbol": "BTC/USD",
                "errors": [],
                "gaps": [],
                "exchanges": {"bitstamp": {"symbol": "BTC/USD", "gaps": gaps}},
            }
        ],
    }


def test_runs_in_a_row_tell_since_when_how_often_and_why(listed: Listing) -> None:
    gap = Gap(minutes(10, 20), GapReason.FETCH_FAILED)
    runs = [
        run_with(50, gap, "the newest"),
        run_with(40, Gap(minutes(5, 30), GapReason.FETCH_FAILED)),
        run_with(30, Gap(minutes(5, 30), GapReason.NOT_FETCHED)),
        run_with(20, None),
        run_with(10, gap),
    ]

    (one,) = (
        each
        for each in worst_first(listed({BITSTAMP: record([gap])}, runs))
        if each.status is GapStatus.OPEN
    )

    assert one.past.since_ms == 30
    assert one.past.attempts == 2
    assert one.past.last_error == "the newest"


def test_a_gap_that_a_run_told_of_and_that_is_known_now_is_filled(listed: Listing) -> None:
    gap = Gap(minutes(10, 20), GapReason.FETCH_FAILED)

    (one,) = worst_first(listed({BITSTAMP: record([])}, [run_with(50, None), run_with(40, gap)]))

    assert (one.gap, one.status) == (gap, GapStatus.FILLED)
