"""The board of freshness and coverage on the real server, over what the job wrote."""

from collections.abc import Callable
from typing import Any

import pytest
from storing import covering, keep

from candle_ingestor.model.gaps import GapReason, explain
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.influxdb.store import InfluxDbStore

MINUTE_MS = 60_000
EXCHANGES = ("kraken", "coinbaseexchange", "binanceus")
MINUTE = Timeframe(1)
BITCOIN, SOLANA = Symbol("BTC", "USD"), Symbol("SOL", "USD")
FRESHNESS = "freshness_and_coverage"


def test_freshness_is_what_the_store_says(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    later = grafana.at(now_ms=ms_of("2024-05-02T18:30:00"))
    rows = {row["symbol"]: row for row in later.only(FRESHNESS, "Freshness by symbol").rows}
    assert next(iter(rows)) == "ETH/USD"  # The worst is on top.
    for symbol in (BITCOIN, SOLANA):
        merged = Series.merged(symbol, MINUTE)
        covered = world.store.read_records()[merged].covered
        last_ms = world.candles("aggregated", str(symbol))["open_time_ms"][-1]
        assert rows[str(symbol)] == {
            "symbol": str(symbol),
            "known_until": covered.end_ms,
            "minutes_behind": pytest.approx((later.now_ms - covered.end_ms) / MINUTE_MS),
            "last_candle": last_ms,
            "minutes_since_last_candle": pytest.approx((later.now_ms - last_ms) / MINUTE_MS),
        }
    assert rows["BTC/USD"]["minutes_behind"] == 150
    state = world.store.read_state("candle_ingestor")
    assert rows["BTC/USD"]["known_until"] == state["BTC/USD-catch_up"] + MINUTE_MS


def test_a_symbol_of_which_nothing_is_known_is_listed_without_a_freshness(grafana: Any) -> None:
    rows = {row["symbol"]: row for row in grafana.only(FRESHNESS, "Freshness by symbol").rows}
    assert set(rows) == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert set(rows["ETH/USD"].values()) == {"ETH/USD", None}
    unknown = grafana.only(FRESHNESS, "Symbols without a known minute")
    assert unknown.row == {"symbols": 1}


def test_a_bucket_in_which_nothing_is_known_yet_says_so(grafana: Any, influx_server: Any) -> None:
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        keep(store, {Series.merged(BITCOIN, MINUTE): NOTHING_KNOWN})
        store.close()
        new = grafana.at(bucket=connection.bucket)
        fresh = new.only(FRESHNESS, "Freshness by symbol").row
        coverage = new.only(FRESHNESS, "Coverage by series").row
        assert new.only(FRESHNESS, "Holes in merged series").row == {"holes": 0}
        assert new.panel(FRESHNESS, "Most minutes behind") == []
        assert new.panel(FRESHNESS, "Gaps of $symbol") == []
        states = new.only(FRESHNESS, "Known minutes of $symbol").values
    assert set(fresh.values()) == {"BTC/USD", None}
    assert (coverage["known_minutes"], coverage["known_share"]) == (0, 0)
    assert states == {new.start_ms: "not known"}


def test_the_figures_on_top_sum_up_the_symbols(grafana: Any, ms_of: Callable[[str], int]) -> None:
    later = grafana.at(now_ms=ms_of("2024-05-02T18:30:00"))
    worst = later.only(FRESHNESS, "Most minutes behind").row
    assert worst["minutes_behind"] == pytest.approx(150)
    assert later.only(FRESHNESS, "Symbols").row == {"symbols": 3}
    assert later.only(FRESHNESS, "Holes in merged series").row == {"holes": 2}


def test_coverage_is_what_the_records_say(grafana: Any, world: Any) -> None:
    frame = grafana.only(FRESHNESS, "Coverage by series")
    rows = {(row["symbol"], row["exchange"]): row for row in frame.rows}
    kept = world.store.read_records()
    assert len(kept) == 12
    assert set(rows) == {(str(series.symbol), series.exchange) for series in kept}
    for series, record in kept.items():
        row = rows[str(series.symbol), series.exchange]
        covered = record.covered
        assert row["known_minutes"] == covered.duration_ms / MINUTE_MS
        if covered:
            span_ms = covered.end_ms - covered.start_ms
            assert (row["known_from"], row["known_until"]) == (covered.start_ms, covered.end_ms)
            assert row["known_share"] == pytest.approx(covered.duration_ms / span_ms)
        else:
            assert (row["known_from"], row["known_until"], row["known_share"]) == (None, None, 0)
        assert row["holes"] == max(0, len(covered) - 1)
        for reason in ("fetch_failed", "beyond_reach", "not_listed_yet", "rejected"):
            missing = record.coverage.reasons.get(GapReason(reason), IntervalSet())
            assert row[reason] == missing.duration_ms / MINUTE_MS
    assert rows["BTC/USD", "kraken"]["beyond_reach"] == 123
    assert rows["ETH/USD", "kraken"]["fetch_failed"] == 180
    assert rows["BTC/USD", "binanceus"]["known_share"] == 1


def test_the_known_minutes_of_an_outage_are_drawn_as_they_were(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    def at(text: str) -> int:
        return ms_of(f"2024-05-02T{text}")

    frames = grafana.by("exchange", FRESHNESS, "Known minutes of $symbol")
    assert set(frames) == {*EXCHANGES, "aggregated"}
    with_outage = {
        at("00:00"): "known",
        at("02:00"): "not known",
        at("04:03"): "known",
        at("16:00"): "not known",
    }
    assert frames["kraken"].values == with_outage
    assert frames["aggregated"].values == with_outage
    whole = {at("00:00"): "known", at("16:00"): "not known"}
    assert frames["coinbaseexchange"].values == whole

    zoomed = grafana.at(start_ms=at("01:30"), stop_ms=at("03:00"))
    frames = zoomed.by("exchange", FRESHNESS, "Known minutes of $symbol")
    assert frames["kraken"].values == {at("01:30"): "known", at("02:00"): "not known"}
    assert frames["binanceus"].values == {at("01:30"): "known"}

    within = grafana.at(start_ms=at("03:00"), stop_ms=at("05:00"))
    frames = within.by("exchange", FRESHNESS, "Known minutes of $symbol")
    assert frames["kraken"].values == {at("03:00"): "not known", at("04:03"): "known"}


def test_the_gap_that_an_outage_left_is_listed_with_its_reason(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    gap = {
        "from": ms_of("2024-05-02T02:00"),
        "until": ms_of("2024-05-02T04:03"),
        "minutes": 123,
    }
    rows = grafana.only(FRESHNESS, "Gaps of $symbol").rows
    assert sorted(rows, key=lambda row: row["exchange"]) == [
        {"exchange": "aggregated", "reason": "", **gap},
        {"exchange": "kraken", "reason": "beyond_reach", **gap},
    ]
    before = grafana.at(stop_ms=gap["from"])
    assert [frame.rows for frame in before.panel(FRESHNESS, "Gaps of $symbol")] == []


def spans(*minutes: tuple[int, int]) -> IntervalSet:
    return IntervalSet((first * MINUTE_MS, last * MINUTE_MS) for first, last in minutes)


def test_gaps_are_those_that_the_record_explains_however_long_it_is(
    grafana: Any, influx_server: Any
) -> None:
    """More than one part, and longer before: what it left behind is passed over."""
    covered = IntervalSet((20 * m * MINUTE_MS, (20 * m + 7) * MINUTE_MS) for m in range(3_000))
    record = covering(
        covered,
        reasons={
            GapReason.REJECTED: spans((27, 28), (30, 31)),
            GapReason.FETCH_FAILED: spans((47, 60)),
            GapReason.NOT_LISTED_YET: spans((-100, -20)),
            GapReason.BEYOND_REACH: spans((-20, 0), (67, 68)),
        },
    )
    longer = covering(
        IntervalSet((9 * m * MINUTE_MS, (9 * m + 1) * MINUTE_MS) for m in range(5_000))
    )
    series = Series("kraken", BITCOIN, MINUTE)
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        keep(store, {series: longer})
        keep(store, {series: record})
        store.close()
        shown = grafana.at(
            bucket=connection.bucket, start_ms=-1000 * MINUTE_MS, stop_ms=200_000 * MINUTE_MS
        )
        rows = shown.only(FRESHNESS, "Gaps of $symbol").rows
        (states,) = shown.panel(FRESHNESS, "Known minutes of $symbol")
    missing = IntervalSet(((-100 * MINUTE_MS, covered.end_ms),)) - covered
    wanted = [
        ("kraken", gap.interval.start_ms, gap.interval.end_ms, gap.reason.value)
        for gap in explain(missing, record.coverage.reasons)
    ]
    assert len(wanted) > 3_000
    found = [(row["exchange"], row["from"], row["until"], row["reason"]) for row in rows]
    assert sorted(found) == sorted(wanted)
    known = {ms for ms, state in states.values.items() if state == "known"}
    assert known == {interval.start_ms for interval in covered}


def test_a_record_that_moved_in_time_is_read_at_its_newest(
    grafana: Any, influx_server: Any
) -> None:
    """As when a bucket without an end is given a retention."""
    series = Series.merged(BITCOIN, MINUTE)
    with influx_server.bucket() as connection:
        old = InfluxDbStore(connection)
        keep(old, {series: covering(spans((0, 10), (20, 30)))})
        old.close()
        bucket_id = influx_server.answer("GET", f"/api/v2/buckets?name={connection.bucket}")
        path = f"/api/v2/buckets/{bucket_id['buckets'][0]['id']}"
        century = {"type": "expire", "everySeconds": 100 * 365 * 86_400}
        influx_server.answer("PATCH", path, {"retentionRules": [century]})
        new = InfluxDbStore(connection)
        keep(new, {series: covering(spans((0, 10), (20, 40)))})
        new.close()
        shown = grafana.at(
            bucket=connection.bucket, start_ms=0, stop_ms=100 * MINUTE_MS, now_ms=50 * MINUTE_MS
        )
        fresh = shown.only(FRESHNESS, "Freshness by symbol")
        gaps = shown.only(FRESHNESS, "Gaps of $symbol")
        coverage = shown.only(FRESHNESS, "Coverage by series")
    assert fresh.row["minutes_behind"] == 10
    assert (gaps.row["from"], gaps.row["until"]) == (10 * MINUTE_MS, 20 * MINUTE_MS)
    assert coverage.row["known_minutes"] == 30
