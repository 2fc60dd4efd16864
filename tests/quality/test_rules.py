"""Each rule finds its fault in an invented market, and leaves alone what only looks like it."""

from dataclasses import replace

import polars as pl
import pytest
from quality_faults import Fault, inject
from quality_market import (
    START_MS,
    Frames,
    everything,
    found_in,
    invented_market,
    series_of,
)

from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.quality_rules import UNITS, QualityRule
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from candle_ingestor.quality.findings import Found
from candle_ingestor.quality.moves_apart import moves_apart
from candle_ingestor.quality.panel import make_panel
from candle_ingestor.quality.tuning import Tuning
from candle_ingestor.quality.words import words_of

DAYS = 21
KRAKEN = series_of("kraken")
BITSTAMP = series_of("bitstamp")
NOON_MS = START_MS + 10 * DAY_MS + 12 * HOUR_MS


@pytest.fixture(scope="module")
def market() -> Frames:
    return invented_market(DAYS)


def span(hours: float, start_ms: int = NOON_MS) -> Interval:
    return Interval(start_ms, start_ms + round(hours * 60) * MINUTE_MS)


def within(interval: Interval) -> pl.Expr:
    return pl.col("open_time_ms").is_between(*interval, closed="left")


def without(frame: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    return frame.filter(~within(interval))


def times(frame: pl.DataFrame, interval: Interval, factor: float, *names: str) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(within(interval)).then(pl.col(name) * factor).otherwise(name).alias(name)
        for name in names
    )


def only(found: list[Found]) -> Found:
    (one,) = found
    return one


def test_nothing_is_found_where_nothing_is_wrong(market: Frames) -> None:
    assert found_in(market) == []
    assert found_in(market, by_month=True) == []
    assert found_in({KRAKEN: market[KRAKEN]}) == []
    assert found_in({series: market[series] for series in (KRAKEN, BITSTAMP)}) == []


def test_an_outage_is_told_with_its_length_and_what_is_usual(market: Frames) -> None:
    silent = span(3)

    one = only(found_in(market | {KRAKEN: without(market[KRAKEN], silent)}))

    assert (one.rule, one.series, one.interval) == (
        QualityRule.SUSPECTED_OUTAGE,
        KRAKEN,
        silent,
    )
    assert one.value == 180
    assert 15 <= one.threshold < 60
    assert "no candle for 180 minutes" in words_of(one)


def test_silence_of_all_and_silence_that_is_not_covered_are_no_outage(market: Frames) -> None:
    silent = span(3)
    nobody = {series: without(frame, silent) for series, frame in market.items()}
    known = {KRAKEN: IntervalSet((everything(market),)) - IntervalSet((silent,))}

    assert found_in(nobody) == []
    assert found_in(market | {KRAKEN: nobody[KRAKEN]}, known) == []


@pytest.mark.parametrize("days", [1, 2, 4])
def test_an_outage_of_a_store_of_few_days_is_found(market: Frames, days: int) -> None:
    first_days = Interval(START_MS, START_MS + days * DAY_MS)
    silent = span(2, START_MS + 15 * HOUR_MS)
    few = {series: frame.filter(within(first_days)) for series, frame in market.items()}

    assert found_in(few) == []
    assert only(found_in(few | {KRAKEN: without(few[KRAKEN], silent)})).interval == silent


def test_candles_outside_of_what_is_covered_are_not_judged(market: Frames) -> None:
    wrong = span(4)
    frame = times(market[KRAKEN], wrong, 1.05, *PRICE_COLUMNS)
    known = {KRAKEN: IntervalSet((everything(market),)) - IntervalSet((wrong,))}

    assert found_in(market | {KRAKEN: frame}) != []
    assert found_in(market | {KRAKEN: frame}, known) == []


@pytest.mark.parametrize("days", [0.2, 12])
def test_an_outage_over_the_end_of_a_month_is_one_finding(days: float) -> None:
    market = invented_market(60, seed=1)
    end_of_march_ms = START_MS + 31 * DAY_MS
    silent = span(24 * days, end_of_march_ms - 2 * HOUR_MS)

    one = only(found_in(market | {KRAKEN: without(market[KRAKEN], silent)}, by_month=True))

    assert (one.rule, one.interval) == (QualityRule.SUSPECTED_OUTAGE, silent)
    assert one.value == silent.duration_ms / MINUTE_MS


@pytest.mark.parametrize("volume", [0.0, 1.5])
def test_a_feed_that_sends_one_price_is_flat(market: Frames, volume: float) -> None:
    still = span(2)
    price = float(market[KRAKEN].filter(pl.col("open_time_ms") < NOON_MS)["close"][-1])
    frame = market[KRAKEN].with_columns(
        *(pl.when(within(still)).then(price).otherwise(name).alias(name) for name in PRICE_COLUMNS),
        pl.when(within(still)).then(volume).otherwise("volume").alias("volume"),
    )

    one = only(found_in(market | {KRAKEN: frame}))

    assert (one.rule, one.series) == (QualityRule.FLAT_FEED, KRAKEN)
    assert still.start_ms <= one.interval.start_ms < one.interval.end_ms <= still.end_ms


@pytest.mark.parametrize(("name", "factor"), [("high", 1.08), ("low", 0.9)])
def test_a_single_bar_is_a_spike_and_a_move_of_all_is_none(
    market: Frames, name: str, factor: float
) -> None:
    minute = span(1 / 60)
    spiked = times(market[KRAKEN], minute, factor, name)
    if not market[KRAKEN].filter(within(minute)).height:
        pytest.fail("the market has no candle at noon")
    of_all = {series: times(frame, minute, factor, name) for series, frame in market.items()}

    one = only(found_in(market | {KRAKEN: spiked}))

    assert (one.rule, one.series, one.interval) == (QualityRule.PRICE_SPIKE, KRAKEN, minute)
    assert (one.value > 0) is (factor > 1)
    assert 600 < abs(one.value) < 1200
    assert found_in(of_all) == []


@pytest.mark.parametrize("factor", [1.01, 0.97])
def test_a_standing_offset_has_its_size_and_sign(market: Frames, factor: float) -> None:
    off = span(6)

    one = only(found_in(market | {KRAKEN: times(market[KRAKEN], off, factor, *PRICE_COLUMNS)}))

    assert (one.rule, one.series, one.interval) == (QualityRule.PRICE_OFFSET, KRAKEN, off)
    assert one.value == pytest.approx((factor - 1) * 10_000, rel=0.05)
    assert one.threshold < 50


def test_of_two_exchanges_the_one_that_jumped_is_off(market: Frames) -> None:
    frame = times(market[KRAKEN], span(6), 1.02, *PRICE_COLUMNS)

    one = only(found_in({BITSTAMP: market[BITSTAMP], KRAKEN: frame}))

    assert (one.rule, one.series) == (QualityRule.PRICE_OFFSET, KRAKEN)


@pytest.mark.parametrize("factor", [1_000.0, 1 / 60_000])
def test_volumes_in_another_unit_are_told_and_a_busy_day_of_all_is_not(
    market: Frames, factor: float
) -> None:
    wrong = span(6)
    frame = times(market[KRAKEN], wrong, factor, "volume")
    busy = {series: times(each, wrong, 200.0, "volume") for series, each in market.items()}

    one = only(found_in(market | {KRAKEN: frame}))

    assert (one.rule, one.series, one.interval) == (QualityRule.VOLUME_SHARE, KRAKEN, wrong)
    measured = one.value if factor > 1 else -1 / one.value
    assert measured == pytest.approx(factor, rel=0.5)
    assert found_in(busy) == []


def test_volumes_twenty_times_as_large_are_told_and_a_lull_of_large_trades_is_not(
    market: Frames,
) -> None:
    wrong = span(12)
    frame = times(market[KRAKEN], wrong, 20.0, "volume")
    typical = float(market[KRAKEN]["volume"].median())  # type: ignore[arg-type]
    # Small trades in most minutes, and now and then one of the usual size.
    small = market[KRAKEN].with_columns(
        pl.when(within(wrong) & (pl.col("open_time_ms") // MINUTE_MS % 3 > 0))
        .then(typical / 1e4)
        .otherwise("volume")
        .alias("volume")
    )

    assert found_in(market | {KRAKEN: small}) == []
    found = found_in(market | {KRAKEN: frame})
    assert {(one.rule, one.series) for one in found} == {(QualityRule.VOLUME_SHARE, KRAKEN)}
    assert all(7 <= one.value <= 60 for one in found)
    assert all(wrong.start_ms <= one.interval.start_ms < wrong.end_ms for one in found)


def test_a_unit_that_changes_for_good_is_told_once() -> None:
    market = invented_market(60, seed=2)
    change_ms = START_MS + 31 * DAY_MS
    for_good = Interval(change_ms, START_MS + 60 * DAY_MS)
    frame = times(market[KRAKEN], for_good, 1_000.0, "volume")

    one = only(found_in(market | {KRAKEN: frame}, by_month=True))

    assert (one.rule, one.interval.start_ms) == (QualityRule.VOLUME_SHARE, change_ms)
    assert one.interval.duration_ms >= 5 * DAY_MS


def test_hours_that_are_there_twice_are_told_with_their_distance(market: Frames) -> None:
    again = span(2)
    before = span(2, again.start_ms - 2 * HOUR_MS)
    moved = market[KRAKEN].filter(within(before)).with_columns(pl.col("open_time_ms") + 2 * HOUR_MS)
    frame = pl.concat([without(market[KRAKEN], again), moved]).sort("open_time_ms")

    one = only(found_in(market | {KRAKEN: frame}))

    assert (one.rule, one.series) == (QualityRule.DOUBLED_HOURS, KRAKEN)
    assert one.value == moved.height
    assert one.figures["minutes_apart"] == 120
    assert "2 hours earlier" in words_of(one)


@pytest.mark.parametrize("hours_late", [-3, 5])
def test_hours_that_are_shifted_are_told_with_how_far(market: Frames, hours_late: int) -> None:
    """A day of candles that stands elsewhere, in place of what was there."""
    day = span(24)
    source = Interval(day.start_ms - hours_late * HOUR_MS, day.end_ms - hours_late * HOUR_MS)
    frame = market[KRAKEN]
    moved = frame.filter(within(source)).with_columns(pl.col("open_time_ms") + hours_late * HOUR_MS)
    frame = pl.concat([without(without(frame, day), source), moved]).sort("open_time_ms")

    found = [
        one for one in found_in(market | {KRAKEN: frame}) if one.rule is QualityRule.SHIFTED_HOURS
    ]

    assert {one.series for one in found} == {KRAKEN}
    assert {one.figures["hours_late"] for one in found} == {hours_late}
    told = IntervalSet(one.interval for one in found)
    assert (told & IntervalSet((day,))).duration_ms > day.duration_ms / 2


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_a_shift_in_a_calm_market_is_told_by_how_prices_move_and_an_offset_is_none(
    market: Frames, factor: float
) -> None:
    """Prices of three hours earlier, which are near the present ones; or all off by one factor."""
    day = span(24)
    kraken = market[KRAKEN]
    frame = times(kraken, day, factor, *PRICE_COLUMNS)
    if factor == 1.0:
        source = Interval(day.start_ms - 3 * HOUR_MS, day.end_ms - 3 * HOUR_MS)
        moved = kraken.filter(within(source)).with_columns(pl.col("open_time_ms") + 3 * HOUR_MS)
        frame = pl.concat([without(kraken, day), moved]).sort("open_time_ms")
    frames = market | {KRAKEN: frame}
    known = dict.fromkeys(frames, IntervalSet((everything(market),)))
    panel = make_panel(Timeframe(1), everything(market), START_MS, frames, known)

    found = list(moves_apart(panel, Tuning()))

    assert {one.series for one in found} == ({KRAKEN} if factor == 1.0 else set())
    assert {one.figures["hours_late"] for one in found} <= {3.0}
    assert all("wavers" in words_of(one) for one in found)


def test_a_day_with_few_trades_breaks_the_week_and_a_quiet_day_of_every_week_does_not(
    market: Frames,
) -> None:
    quiet = span(24, START_MS + 10 * DAY_MS)

    def thinned(frame: pl.DataFrame, day: Interval) -> pl.DataFrame:
        return frame.filter(~within(day) | (pl.col("open_time_ms") // MINUTE_MS % 4 == 0))

    every_week = market[KRAKEN]
    for week in (-1, 0, 1):
        start_ms = quiet.start_ms + week * 7 * DAY_MS
        every_week = thinned(every_week, span(24, start_ms))

    one = only(found_in(market | {KRAKEN: thinned(market[KRAKEN], quiet)}))

    assert (one.rule, one.series) == (QualityRule.WEEKLY_PATTERN, KRAKEN)
    assert one.interval.start_ms >= quiet.start_ms - 6 * HOUR_MS
    assert -20 < one.value < -4
    assert "times less often than at this time of other weeks" in words_of(one)
    assert found_in(market | {KRAKEN: every_week}) == []


def test_thresholds_and_rules_are_the_users(market: Frames) -> None:
    frames = market | {
        KRAKEN: times(market[KRAKEN], span(1 / 60), 1.012, "high"),
        BITSTAMP: without(market[BITSTAMP], span(3, NOON_MS + DAY_MS)),
    }
    spike, outage = QualityRule.PRICE_SPIKE, QualityRule.SUSPECTED_OUTAGE

    def rules(tuning: Tuning) -> set[QualityRule]:
        return {one.rule for one in found_in(frames, tuning=tuning)}

    assert rules(Tuning()) == {outage}
    assert rules(Tuning(sensitivity=2)) >= {outage, spike}
    assert rules(Tuning(thresholds={spike: 80, outage: 200})) == {spike}
    assert rules(Tuning(rules=frozenset({QualityRule.PRICE_OFFSET}))) == set()


def test_candles_of_an_hour_are_looked_at_too(market: Frames) -> None:
    hour = Timeframe(60)
    frames = {
        replace(series, timeframe=hour): frame.group_by(
            pl.col("open_time_ms") // HOUR_MS * HOUR_MS, maintain_order=True
        ).agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        for series, frame in market.items()
    }
    kraken = replace(KRAKEN, timeframe=hour)
    wrong = span(48, START_MS + 10 * DAY_MS)
    silent = frames | {kraken: without(frames[kraken], span(5))}
    in_lots = frames | {kraken: times(frames[kraken], wrong, 1e6, "volume")}

    assert found_in(frames) == []
    assert only(found_in(silent)).value == 300
    assert only(found_in(in_lots)).rule is QualityRule.VOLUME_SHARE


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_of_all_kinds_are_found_in_an_invented_market(market: Frames, seed: int) -> None:
    changed, faults = inject(market, everything(market), 24, seed)

    found = found_in(changed)

    assert {fault.rule for fault in faults} == set(QualityRule) == UNITS.keys()
    missed = [fault for fault in faults if not is_found(fault, found)]
    assert len(missed) <= 2, missed


def is_found(fault: Fault, found: list[Found]) -> bool:
    return any(
        one.rule is fault.rule
        and one.series == fault.series
        and bool(IntervalSet((one.interval,)) & IntervalSet((fault.interval,)))
        for one in found
    )
