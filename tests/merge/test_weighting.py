"""The rules of merging, minute by minute (rules M2 to M6)."""

from __future__ import annotations

import pytest
from merged_market import EXCHANGES, MINUTE_MS, Candle, frame, merge, minutes_set

from candle_ingestor.merge.deviations import Disagreement
from candle_ingestor.merge.weighting import MergedCandles, merge_candles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe

FLAT = (100.0, 100.0, 100.0, 100.0, 1.0)


def flat(price: float, volume: float = 1.0) -> Candle:
    return (price, price, price, price, volume)


def merge_one_minute(rules: MergeRules, **market: Candle) -> MergedCandles:
    covered = {name: {0} for name in rules.exchanges}
    return merge({name: {0: candle} for name, candle in market.items()}, covered, rules, 1)


def rules_for(*exchanges: str, minimum: int = 1) -> MergeRules:
    return MergeRules(exchanges, minimum)


def test_prices_are_weighted_by_base_volume_and_volumes_added() -> None:
    merged = merge_one_minute(
        rules_for("binance", "coinbaseexchange", "kraken", minimum=3),
        binance=(50090.0, 50110.0, 50080.0, 50100.0, 120.5),
        coinbaseexchange=(50040.0, 50060.0, 50030.0, 50050.0, 95.2),
        kraken=(50070.0, 50080.0, 50060.0, 50075.0, 67.8),
    )
    row = merged.candles.row(0, named=True)
    assert f"{row['close']:.4f}" == "50077.2310"
    assert row["volume"] == 283.5
    assert row["source_exchanges"] == "binance,coinbaseexchange,kraken"
    assert row["exchange_count"] == 3


def test_the_mean_of_two_prices_has_no_float_noise() -> None:
    merged = merge_one_minute(
        rules_for("kraken", "binance"), kraken=flat(23143.71, 0.4), binance=flat(23143.72, 0.4)
    )
    assert merged.candles["close"].item() == 23143.715


def test_volumes_add_up_as_decimals() -> None:
    merged = merge_one_minute(
        rules_for("kraken", "binance"), kraken=flat(1.0, 0.1), binance=flat(1.0, 0.2)
    )
    assert merged.candles["volume"].item() == 0.3


def test_an_idle_exchange_that_covers_the_minute_takes_part_with_no_volume() -> None:
    rules = rules_for("kraken", "binance", minimum=2)
    merged = merge({"kraken": {0: FLAT}}, {"kraken": {0}, "binance": {0}}, rules, 1)
    assert merged.candles.row(0) == (0, *FLAT, "kraken", 1)


def test_a_minute_below_the_minimum_gives_no_candle_and_is_not_covered() -> None:
    rules = rules_for("kraken", "binance", minimum=2)
    merged = merge({"kraken": {0: FLAT}, "binance": {0: FLAT}}, {"kraken": {0}}, rules, 1)
    assert merged.candles.is_empty()
    assert not merged.covered


def test_a_candle_outside_its_exchange_s_coverage_takes_no_part() -> None:
    rules = rules_for("kraken", "binance")
    merged = merge({"kraken": {0: FLAT}, "binance": {0: flat(200.0)}}, {"kraken": {0}}, rules, 1)
    assert merged.candles.row(0) == (0, *FLAT, "kraken", 1)


def test_an_idle_minute_on_every_exchange_is_covered_without_a_candle() -> None:
    rules = rules_for("kraken", "binance", minimum=2)
    merged = merge({}, {"kraken": {0}, "binance": {0}}, rules, 1)
    assert merged.candles.is_empty()
    assert merged.covered == minutes_set({0})


def test_candles_outside_the_interval_are_left_alone() -> None:
    rules = rules_for("kraken")
    merged = merge({"kraken": {0: FLAT, 1: FLAT}}, {"kraken": {0, 1}}, rules, 1)
    assert merged.candles["open_time_ms"].to_list() == [0]
    assert merged.covered == minutes_set({0})


def test_no_volume_anywhere_gives_the_plain_mean_of_the_candles_that_exist() -> None:
    merged = merge_one_minute(
        rules_for("kraken", "binance", "bitstamp"),
        kraken=flat(100.0, 0.0),
        binance=flat(101.0, 0.0),
    )
    assert merged.candles["close"].item() == 100.5
    assert merged.candles["volume"].item() == 0.0
    assert merged.candles["source_exchanges"].item() == "kraken,binance"


def test_one_price_far_from_the_median_leaves_the_whole_candle_out() -> None:
    bad_print = (100.0, 120.0, 100.0, 100.0, 50.0)
    merged = merge_one_minute(
        rules_for("kraken", "binance", "bitstamp"), kraken=FLAT, binance=bad_print, bitstamp=FLAT
    )
    assert merged.candles.row(0) == (0, *flat(100.0, 2.0), "kraken,bitstamp", 2)
    assert dict(merged.excluded) == {"binance": 1}
    assert merged.disagreements == 0
    [told] = merged.exclusions_told
    assert told[:3] == (0, "binance", "high")
    assert told.off_median_pct == pytest.approx(20)


@pytest.mark.parametrize(("price", "is_left_out"), [(105.0, False), (105.00000001, True)])
def test_a_price_exactly_at_the_allowed_deviation_stays(price: float, is_left_out: bool) -> None:
    merged = merge_one_minute(
        rules_for("kraken", "binance", "bitstamp"), kraken=FLAT, binance=flat(price), bitstamp=FLAT
    )
    assert dict(merged.excluded) == ({"binance": 1} if is_left_out else {})


def test_two_candles_that_disagree_both_stay_and_are_counted() -> None:
    merged = merge_one_minute(rules_for("kraken", "binance"), kraken=FLAT, binance=flat(200.0))
    assert merged.candles.row(0) == (0, *flat(150.0, 2.0), "kraken,binance", 2)
    assert dict(merged.excluded) == {}
    assert merged.disagreements == 1
    assert merged.disagreements_told == [Disagreement(0, "open", "binance", "kraken", 100.0)]


def test_where_none_would_be_left_all_stay_and_the_disagreement_is_counted() -> None:
    merged = merge_one_minute(
        rules_for(*EXCHANGES),
        **{name: flat(100.0 if i % 2 else 200.0) for i, name in enumerate(EXCHANGES)},
    )
    assert merged.candles.row(0) == (0, *flat(150.0, 4.0), ",".join(EXCHANGES), 4)
    assert merged.disagreements == 1


def test_extremes_come_from_the_candles_that_stay() -> None:
    merged = merge_one_minute(
        MergeRules(("kraken", "binance", "bitstamp"), 1, high_low=HighLow.EXTREMES),
        kraken=(100.0, 103.0, 99.0, 101.0, 1.0),
        binance=(100.0, 102.0, 98.0, 101.0, 1000.0),
        bitstamp=(100.0, 500.0, 1.0, 101.0, 1.0),
    )
    assert merged.candles.row(0)[1:5] == (100.0, 103.0, 98.0, 101.0)
    assert dict(merged.excluded) == {"bitstamp": 1}


def test_sources_stand_in_flag_order_whatever_the_order_of_the_frames() -> None:
    rules = rules_for("bitstamp", "binance", "kraken")
    merged = merge_one_minute(rules, kraken=FLAT, binance=FLAT, bitstamp=FLAT)
    assert merged.candles["source_exchanges"].item() == "bitstamp,binance,kraken"


def test_an_exchange_the_rules_do_not_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="gemini"):
        merge({"gemini": {0: FLAT}}, {}, rules_for("kraken"), 1)


def test_coverage_that_ends_within_a_candle_does_not_cover_it() -> None:
    merged = merge_candles(
        {"kraken": frame({0: FLAT, 1: FLAT})},
        {"kraken": IntervalSet.of(0, MINUTE_MS + 1)},
        Interval(0, 2 * MINUTE_MS),
        Timeframe(1),
        rules_for("kraken"),
    )
    assert merged.covered == minutes_set({0})
    assert merged.candles.height == 1
