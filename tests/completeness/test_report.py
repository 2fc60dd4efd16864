"""How complete everything is, and what to do, told of records that the test makes."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import keep, put

from candle_ingestor.completeness.figures import Figures, sum_of
from candle_ingestor.completeness.report import CompletenessReport, ReportParts, make_report
from candle_ingestor.completeness.report_json import report_json
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candle_counts import CandleCounts, counted_by_month
from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    MergeBasis,
    Merging,
    SeriesRecord,
    Wanted,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from candle_ingestor.stores.sqlite.store import SqliteStore

MARCH, APRIL, MAY = (Month(2023, number) for number in (3, 4, 5))
START_MS = MARCH.start_ms
END_MS = MAY.start_ms
NOW_MS = END_MS + 30_000
MINUTES = Timeframe(1)
HOURS = Timeframe(60)
BITCOIN, ETHER, SOLANA = (Symbol(base, "USD") for base in ("BTC", "ETH", "SOL"))
EVERYTHING = Interval(START_MS, END_MS)

Told = Callable[..., CompletenessReport]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """`told(records, candles)`: the report of all these series, of a new store that holds them."""
    numbers = count()

    def report(
        records: dict[Series, SeriesRecord],
        candles: dict[Series, Iterable[int]] | None = None,
        place: tuple[str, ...] = (),
    ) -> CompletenessReport:
        stored = {series: sorted(times) for series, times in (candles or {}).items()}
        with closing(SqliteStore(tmp_path / f"{next(numbers)}.sqlite")) as store:
            keep(store, records)
            for series, times in stored.items():
                candles_of_it = frame(series, times)
                counts = CandleCounts(counted_by_month(candles_of_it))
                put(store, series, candles_of_it, replace(records[series], counts=counts))
            parts = ReportParts(
                ledger=Ledger(store),
                store="a store",
                now_ms=NOW_MS,
                settle_seconds=5,
                place=place,
            )
            return make_report(parts, list(records))

    return report


def frame(series: Series, times: list[int]) -> pl.DataFrame:
    values = {name: [1.0] * len(times) for name in EXCHANGE_CANDLES if name != "open_time_ms"}
    candles = pl.DataFrame({"open_time_ms": times, **values}, schema=EXCHANGE_CANDLES)
    if not series.is_merged:
        return candles
    return candles.with_columns(
        source_exchanges=pl.lit("kraken"), exchange_count=pl.lit(1, dtype=pl.Int64)
    ).select(MERGED_CANDLES.keys())


def of(exchange: str, symbol: Symbol = BITCOIN, timeframe: Timeframe = MINUTES) -> Series:
    return Series(exchange, symbol, timeframe)


def merged(symbol: Symbol = BITCOIN, timeframe: Timeframe = MINUTES) -> Series:
    return Series.merged(symbol, timeframe)


def record(
    missing: dict[GapReason, Interval] | None = None,
    *,
    wanted: Interval = EVERYTHING,
    covered: IntervalSet | None = None,
    tier: int | str | None = None,
    sources: tuple[Series, ...] = (),
    minimum: int = 0,
) -> SeriesRecord:
    """A record that wants a span and covers all of it but for what is missing."""
    holes = {reason: IntervalSet((hole,)) for reason, hole in (missing or {}).items()}
    known = IntervalSet((wanted,)) if covered is None else covered
    for hole in holes.values():
        known = known - hole
    until_ms = None if wanted.end_ms == END_MS else wanted.end_ms
    merging = None
    if sources:
        exchanges = tuple(source.exchange for source in sources)
        rules = MergeRules(exchanges, minimum or len(exchanges), 5.0)
        merging = Merging(MergeBasis(rules, sources))
    coverage = Coverage(known, reasons={} if sources else holes)
    return SeriesRecord(
        coverage, merging=merging, wanted=Wanted(wanted.start_ms, until_ms), tier=tier
    )


def span(first_day: float, last_day: float, start_ms: int = START_MS) -> Interval:
    return Interval(start_ms + round(first_day * DAY_MS), start_ms + round(last_day * DAY_MS))


def minutes_in(interval: Interval, every: int = 1) -> range:
    return range(interval.start_ms, interval.end_ms, every * MINUTE_MS)


def test_percent_are_rounded_down_so_that_only_all_is_a_hundred() -> None:
    assert Figures(3_000_000, 2_999_999).completeness_pct == 99.9999
    assert Figures(3, 3).completeness_pct == 100
    assert Figures(3, 2).completeness_pct == 66.6666
    assert Figures().completeness_pct is None


def test_a_bound_is_compared_with_the_share_itself() -> None:
    nearly_all = Figures(10**9, 10**9 - 1)

    assert nearly_all.is_below(100)
    assert not nearly_all.is_below(99.9999)
    assert not Figures().is_below(100)
    assert not Figures(41_000, 40_959).is_below(99.9)
    assert Figures(41_000, 40_958).is_below(99.9)


def test_minutes_without_trade_count_as_known_and_are_told_apart(told: Told) -> None:
    kraken = of("kraken")
    hole = Interval(START_MS + 5 * DAY_MS, START_MS + 6 * DAY_MS)
    there = [time for time in minutes_in(EVERYTHING, every=2) if not _lies_in(time, hole)]

    (found,) = told({kraken: record({GapReason.FETCH_FAILED: hole})}, {kraken: there}).series

    march, april = found.months
    assert (march.month, april.month) == (MARCH, APRIL)
    assert march.figures == Figures(44_640, 43_200, 21_600, {GapReason.FETCH_FAILED: 1440})
    assert april.figures == Figures(43_200, 43_200, 21_600)
    assert march.figures.no_trade == 21_600
    assert found.figures.completeness_pct == 98.3606
    assert found.figures == sum_of([march.figures, april.figures])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("is_stale", [False, True])
def test_what_is_known_beyond_what_is_wanted_is_not_counted(
    seed: int, is_stale: bool, told: Told
) -> None:
    random = Random(seed)
    first_day, last_day = sorted(random.sample(range(1, 60), 2))
    wanted = span(first_day, last_day)
    hole = span(first_day + random.random(), first_day + 1)
    hole = Interval(hole.start_ms // MINUTE_MS * MINUTE_MS, hole.end_ms)
    covered = IntervalSet((EVERYTHING,)) - IntervalSet((hole,))
    there = random.sample(minutes_in(EVERYTHING), 5_000)
    known = record(wanted=wanted, covered=covered, sources=(of("kraken"),) if is_stale else ())
    if is_stale:
        # What was merged once in the hole is true no longer.
        assert known.merging is not None
        known = replace(known, merging=known.merging.with_stale(IntervalSet((hole,))))
    else:
        there = [time for time in there if not _lies_in(time, hole)]
    series = merged() if is_stale else of("kraken")

    (found,) = told({series: known}, {series: there}).series

    missing = hole.duration_ms // MINUTE_MS
    lengths = wanted.duration_ms // MINUTE_MS
    candles = sum(_lies_in(time, wanted) and not _lies_in(time, hole) for time in there)
    assert (found.figures.wanted, found.figures.covered) == (lengths, lengths - missing)
    assert found.figures.candles == candles
    assert sum(found.figures.gaps.values()) == missing


def test_a_month_in_which_every_minute_has_a_candle_is_cut_without_counting(told: Told) -> None:
    kraken = of("kraken")
    whole = IntervalSet((EVERYTHING,))

    (found,) = told(
        {kraken: record(wanted=span(9, 40), covered=whole)}, {kraken: minutes_in(EVERYTHING)}
    ).series

    assert found.figures == Figures(31 * 1440, 31 * 1440, 31 * 1440)


holes = st.lists(
    st.tuples(
        st.integers(0, 61 * 24 - 1),
        st.integers(1, 24 * 40),
        st.sampled_from([GapReason.FETCH_FAILED, GapReason.REJECTED, GapReason.BEYOND_REACH]),
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(holes, st.integers(0, 60), st.integers(0, 60))
def test_every_wanted_minute_is_there_without_trade_or_in_one_gap_of_one_month(
    told: Told, missing: list[tuple[int, int, GapReason]], first_day: int, days: int
) -> None:
    wanted = Interval(START_MS + first_day * DAY_MS, START_MS + (first_day + days) * DAY_MS)
    reasons = {
        reason: IntervalSet(
            (START_MS + hour * HOUR_MS, START_MS + (hour + hours) * HOUR_MS)
            for hour, hours, one in missing
            if one is reason
        )
        for reason in GapReason
    }
    covered = IntervalSet((EVERYTHING,))
    for hole in reasons.values():
        covered = covered - hole
    coverage = Coverage(covered, reasons={r: hole for r, hole in reasons.items() if hole})
    until_ms = min(wanted.end_ms, END_MS)
    there = [time for time in minutes_in(EVERYTHING, every=97) if covered.covers((time, time + 1))]

    (found,) = told(
        {of("a"): SeriesRecord(coverage, wanted=Wanted(wanted.start_ms, until_ms))},
        {of("a"): there},
    ).series

    figures = found.figures
    assert figures.wanted == (until_ms - wanted.start_ms) // MINUTE_MS
    assert figures.wanted == figures.covered + sum(figures.gaps.values())
    assert figures.wanted == figures.covered + sum(gap.candles for gap in found.gaps)
    assert figures.candles == sum(wanted.start_ms <= time < until_ms for time in there)
    for month in found.months:
        part = month.figures
        assert part.wanted == part.covered + sum(part.gaps.values())
        assert 0 <= part.candles <= part.covered
    assert sum_of(month.figures for month in found.months) == figures


def test_a_gap_over_a_months_end_is_told_in_both_months(told: Told) -> None:
    hole = Interval(APRIL.start_ms - HOUR_MS, APRIL.start_ms + 2 * HOUR_MS)

    (found,) = told({of("a"): record({GapReason.REJECTED: hole})}).series

    assert [month.figures.gaps for month in found.months] == [
        {GapReason.REJECTED: 60},
        {GapReason.REJECTED: 120},
    ]
    assert [gap.candles for gap in found.gaps] == [180]


@pytest.fixture
def many(told: Told) -> CompletenessReport:
    """Two tiers and none; a merged symbol of two exchanges, an hourly one, and one by itself."""
    hole = {GapReason.FETCH_FAILED: span(0, 1)}
    made_of = of("a"), of("b")
    hourly = of("a", ETHER, HOURS)
    return told(
        {
            merged(): record(hole, tier="TIER1", sources=made_of),
            of("a"): record(),
            of("b"): record(hole),
            merged(ETHER, HOURS): record(tier=2, sources=(hourly,)),
            hourly: record(),
            of("a", SOLANA): record(hole),
        }
    )


def names(totals: Iterable[object]) -> list[tuple[str | None, str, int, int]]:
    return [
        (total.name, str(total.timeframe), total.figures.wanted, total.figures.covered)  # type: ignore[attr-defined]
        for total in totals
    ]


def test_series_add_up_by_what_they_share_and_never_twice(many: CompletenessReport) -> None:
    totals, minutes, hours = many.totals, 61 * 1440, 61 * 24
    short = minutes - 1440

    assert names(totals.symbols) == [
        ("BTC/USD", "1m", minutes, short),
        ("ETH/USD", "1h", hours, hours),
        ("SOL/USD", "1m", minutes, short),
    ]
    assert names(totals.tiers) == [
        ("2", "1h", hours, hours),
        ("TIER1", "1m", minutes, short),
        (None, "1m", minutes, short),
    ]
    assert names(totals.timeframes) == [
        ("1m", "1m", 2 * minutes, 2 * short),
        ("1h", "1h", hours, hours),
    ]
    assert names(totals.exchanges) == [
        ("a", "1m", 2 * minutes, minutes + short),
        ("a", "1h", hours, hours),
        ("b", "1m", minutes, short),
    ]
    march = [total for total in totals.months if total.name == "2023-03"]
    assert names(march) == [
        ("2023-03", "1m", 2 * 44_640, 2 * 43_200),
        ("2023-03", "1h", 744, 744),
    ]


def test_an_exchanges_series_has_the_tier_of_what_is_merged_from_it(
    many: CompletenessReport,
) -> None:
    tiers = {each.name: each.tier for each in many.series}

    assert tiers["a BTC/USD 1m"] == tiers["BTC/USD 1m"] == "TIER1"
    assert tiers["a ETH/USD 1h"] == 2
    assert tiers["a SOL/USD 1m"] is None


def test_the_least_complete_symbol_comes_first_and_names_who_lacks_what(told: Told) -> None:
    failed = GapReason.FETCH_FAILED
    made_of = of("a"), of("b")
    found = told(
        {
            merged(): record(sources=made_of),
            of("a"): record(),
            of("b"): record({failed: span(0, 1)}),
            of("a", ETHER): record({failed: span(0, 2)}),
            of("a", SOLANA): record(),
        }
    )

    assert [
        (each.asset.name, [lacking.name for lacking in each.lacking]) for each in found.attention
    ] == [("a ETH/USD 1m", []), ("BTC/USD 1m", ["b BTC/USD 1m"])]


@pytest.mark.parametrize(
    ("reason", "hole", "needs_some"),
    [
        (GapReason.NOT_LISTED_YET, span(0, 9), False),
        (GapReason.NOT_FETCHED, Interval(END_MS - HOUR_MS, END_MS), False),
        (GapReason.NOT_FETCHED, Interval(END_MS - HOUR_MS - MINUTE_MS, END_MS), True),
        (GapReason.FETCH_FAILED, Interval(END_MS - HOUR_MS, END_MS), True),
    ],
)
def test_what_the_next_run_fetches_anyway_and_time_before_the_listing_need_no_attention(
    reason: GapReason, hole: Interval, needs_some: bool, told: Told
) -> None:
    found = told({of("a"): record({reason: hole})})

    assert bool(found.attention) is needs_some
    assert found.below(100) == list(found.series)


def test_what_only_a_file_has_that_is_not_published_yet_waits_and_needs_no_attention(
    told: Told,
) -> None:
    beyond = GapReason.BEYOND_REACH
    made_of = of("kraken"), of("a")
    # The quarter of March is over, that of April is not.
    april = {beyond: span(40, 41)}
    march = {beyond: span(0, 1)}
    waiting = told(
        {
            merged(): record(sources=made_of, minimum=1),
            of("kraken"): record(april),
            of("a"): record(),
        }
    )
    both = told({of("kraken"): record(march), of("kraken", ETHER): record(april)})

    assert waiting.attention == ()
    (step,) = waiting.next_steps
    assert step.awaited_ms == Month(2023, 7).start_ms
    assert [each.asset.name for each in both.attention] == ["kraken BTC/USD 1m"]
    assert [each.awaited_ms for each in both.next_steps] == [None, step.awaited_ms]


def test_what_nobody_can_mend_needs_no_attention(told: Told) -> None:
    found = told({of("bitvavo"): record({GapReason.BEYOND_REACH: span(0, 1)})})

    assert found.attention == ()
    assert found.next_steps == ()
    assert found.below(100) == list(found.series)


def test_remedies_that_differ_in_their_symbols_only_are_one_step(told: Told) -> None:
    hole = {GapReason.FETCH_FAILED: span(0, 1)}
    found = told(
        {of("a"): record(hole), of("a", ETHER): record(hole), of("a", SOLANA): record()},
        place=("--sqlite_path=my.sqlite",),
    )

    (step,) = found.next_steps

    assert step.command == (
        "candle-ingestor --exchanges=a --symbols=BTC/USD,ETH/USD "
        "--backfill_start_date=2023-03-01T00:00 --sqlite_path=my.sqlite"
    )
    assert step.fills == ((of("a"), 1440), (of("a", ETHER), 1440))


def test_a_file_is_listed_once_with_all_that_it_fills(told: Told) -> None:
    beyond = GapReason.BEYOND_REACH
    made_of = of("kraken"), of("a")
    hole = {beyond: span(0, 1)}
    found = told(
        {
            merged(): record(hole, sources=made_of),
            of("kraken"): record(hole),
            of("a"): record(),
        }
    )

    (file,) = found.downloads
    (step,) = found.next_steps
    assert file.words == "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip"
    assert file.candles == 1440
    assert step.command == "candle-ingestor import FOLDER --symbols=BTC/USD"
    assert step.files == (file,)
    assert step.fills == ((merged(), 1440), (of("kraken"), 1440))


def test_the_json_of_a_series_has_the_keys_that_were_promised(many: CompletenessReport) -> None:
    values = report_json(many)
    first = values["series"][0]

    assert set(first) == {
        *("exchange", "symbol", "timeframe", "tier", "wanted", "covered", "candles", "no_trade"),
        *("completeness_pct", "gaps", "months"),
    }
    (gap,) = first["gaps"]
    assert set(gap) == {"start", "end", "candles", "reason", "remedy"}
    assert gap["candles"] == 1440


def test_nothing_is_told_of_nothing(told: Told) -> None:
    found = told({})

    assert (found.series, found.attention, found.next_steps, found.downloads) == ((), (), (), ())
    assert report_json(found)["totals"]["symbols"] == []


def test_a_series_of_which_nothing_is_wanted_yet_has_no_percentage(told: Told) -> None:
    (found,) = told({of("a"): SeriesRecord(Coverage(EMPTY))}).series

    assert found.figures.completeness_pct is None
    assert found.months == ()


def _lies_in(time_ms: int, interval: Interval) -> bool:
    return interval.start_ms <= time_ms < interval.end_ms
