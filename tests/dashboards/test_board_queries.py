"""Every query of the boards on the real server, over what the job wrote."""

import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from candle_ingestor.model.gaps import GapReason, explain
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.influxdb import InfluxDbStore
from candle_ingestor.stores.influxdb_connection import InfluxDbConnection

MINUTE_MS = 60_000
EXCHANGES = ("kraken", "coinbaseexchange", "binanceus")
MINUTE = Timeframe(1)
BITCOIN, SOLANA, ETHER = (Symbol(base, "USD") for base in ("BTC", "SOL", "ETH"))
FRESHNESS = "freshness_and_coverage"
SERIES = ("Time", "Value")

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "symbol": {
        "Candles of $symbol": ("_time", "open", "high", "low", "close", "volume"),
        "Exchanges in each candle": SERIES,
        "Price spread between exchanges": SERIES,
        "Close by exchange": SERIES,
        "Volume by exchange": SERIES,
    },
    FRESHNESS: {
        "Most minutes behind": ("minutes_behind",),
        "Symbols": ("symbols",),
        "Symbols without a known minute": ("symbols",),
        "Holes in merged series": ("holes",),
        "Freshness by symbol": (
            "symbol",
            "known_until",
            "minutes_behind",
            "last_candle",
            "minutes_since_last_candle",
        ),
        "Coverage by series": (
            "symbol",
            "exchange",
            "known_from",
            "known_until",
            "known_minutes",
            "known_share",
            "holes",
            "fetch_failed",
            "beyond_reach",
            "not_listed_yet",
            "rejected",
        ),
        "Known minutes of $symbol": SERIES,
        "Gaps of $symbol": ("exchange", "from", "until", "minutes", "reason"),
    },
    "runs": {
        "Minutes since the last run": ("minutes",),
        "Last run": ("status",),
        "Failed runs": ("failed",),
        "Failed tickers in the last run": ("failed_tickers",),
        "Runs by status": SERIES,
        "Duration": SERIES,
        "Requests to exchanges": SERIES,
        "Candles": SERIES,
        "Runs": (
            "started",
            "status",
            "seconds",
            "tickers",
            "failed_tickers",
            "dropped_symbols",
            "unavailable_exchanges",
            "requests",
            "retries",
            "failed_pages",
            "candles",
            "rejected",
            "merged_candles",
            "gap_candles",
        ),
        "Errors of failed runs": ("started", "symbol", "error"),
    },
}
LABELS = {
    "Exchanges in each candle": "currency_pair",
    "Close by exchange": "exchange",
    "Volume by exchange": "exchange",
    "Known minutes of $symbol": "exchange",
    "Runs by status": "status",
    "Duration": "status",
    "Requests to exchanges": "count_of",
    "Candles": "count_of",
}


def stored(world: Any, series: Series) -> pl.DataFrame:
    candles: pl.DataFrame = world.store.read_candles(series, Interval(world.start_ms, world.now_ms))
    assert candles.height > 500
    return candles


def bitcoin_on(exchange: str) -> Series:
    return Series(exchange, BITCOIN, MINUTE)


def one_row(frame: Any) -> dict[str, Any]:
    (row,) = frame.rows
    return dict(row)


def by(frames: list[Any], label: str) -> dict[str, Any]:
    found = {frame.labels[label]: frame for frame in frames}
    assert len(found) == len(frames)
    return found


def test_every_panel_answers_with_its_columns_and_numbers_that_can_be_drawn(
    grafana: Any, boards: dict[str, Any]
) -> None:
    titles = {n: {panel["title"] for panel in b["panels"]} for n, b in boards.items()}
    assert titles == {name: set(columns) for name, columns in COLUMNS.items()}
    for name, panels in COLUMNS.items():
        for title, columns in panels.items():
            frames = grafana.panel(name, title)
            assert frames, title
            for frame in frames:
                assert set(frame.columns) == set(columns), title
                assert set(frame.labels) == ({LABELS[title]} if title in LABELS else set()), title
                assert frame.rows, title
                numbers = [x for cells in frame.columns.values() for x in cells]
                assert all(math.isfinite(x) for x in numbers if isinstance(x, float)), title


def test_the_columns_that_a_panel_orders_formats_or_draws_are_those_it_gets(
    boards: dict[str, Any],
) -> None:
    for name, board in boards.items():
        for panel in board["panels"]:
            columns = set(COLUMNS[name][panel["title"]])
            overrides = panel["fieldConfig"]["overrides"]
            named = {entry["matcher"]["options"] for entry in overrides}
            if panel["type"] == "timeseries":
                assert named <= {"ok", "stopped", "failed"}
                continue
            assert named <= columns
            for step in panel.get("transformations", ()):
                assert set(step["options"]["indexByName"]) == columns
            if panel["type"] == "candlestick":
                assert set(panel["options"]["fields"].values()) < columns
            if panel["type"] == "table":
                assert "transformations" in panel


def test_no_panel_over_an_empty_bucket_fails(empty_grafana: Any, boards: dict[str, Any]) -> None:
    for name, board in boards.items():
        for panel in board["panels"]:
            assert [f.rows for f in empty_grafana.panel(name, panel["title"]) if f.rows] == []
        for variable in board["templating"]["list"]:
            assert empty_grafana.query(variable["query"]) == []


def test_a_token_that_may_only_read_the_bucket_is_enough(
    grafana: Any, world: Any, influx_server: Any, boards: dict[str, Any]
) -> None:
    path = f"/api/v2/buckets?name={world.connection.bucket}"
    bucket_id = influx_server.answer("GET", path)["buckets"][0]["id"]
    reader = grafana.at(token=influx_server.make_token(bucket_id, "read"))
    for name, board in boards.items():
        for panel in board["panels"]:
            assert reader.panel(name, panel["title"])
        for variable in board["templating"]["list"]:
            assert reader.options(name, variable["name"])


@pytest.mark.parametrize("board", ["symbol", FRESHNESS])
def test_the_variables_offer_what_the_job_keeps(grafana: Any, board: str) -> None:
    assert grafana.options(board, "timeframe") == ["1m"]
    assert sorted(grafana.options(board, "symbol")) == ["BTC/USD", "ETH/USD", "SOL/USD"]


# The board of a symbol


def test_candle_by_candle_the_chart_shows_the_merged_candles(grafana: Any, world: Any) -> None:
    frame = grafana.only("symbol", "Candles of $symbol")
    merged = stored(world, Series.merged(BITCOIN, MINUTE))
    names = ["open", "high", "low", "close", "volume"]
    wanted = merged.select(pl.col("open_time_ms").alias("_time"), *names)
    assert pl.DataFrame(frame.columns).select("_time", *names).equals(wanted)


def test_zoomed_out_a_drawn_candle_sums_up_those_of_its_interval(grafana: Any, world: Any) -> None:
    frame = grafana.at(window="15m0s").only("symbol", "Candles of $symbol")
    quarter = (pl.col("open_time_ms") // (15 * MINUTE_MS) * (15 * MINUTE_MS)).alias("_time")
    wanted = (
        stored(world, Series.merged(BITCOIN, MINUTE))
        .group_by(quarter, maintain_order=True)
        .agg(pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    )
    assert len(frame.rows) == 4 * 14
    for row, expected in zip(frame.rows, wanted.iter_rows(named=True), strict=True):
        assert row.pop("volume") == pytest.approx(expected.pop("volume"), rel=1e-12)
        assert row == expected


def test_the_exchange_count_is_the_lowest_of_the_interval(grafana: Any, world: Any) -> None:
    frame = grafana.at(window="15m0s").only("symbol", "Exchanges in each candle")
    quarter = (pl.col("open_time_ms") // (15 * MINUTE_MS) * (15 * MINUTE_MS)).alias("time")
    merged = stored(world, Series.merged(BITCOIN, MINUTE))
    wanted = merged.group_by(quarter).agg(pl.min("exchange_count"))
    assert frame.values == dict(wanted.iter_rows())
    # An exchange without a trade in a minute is none of those that its candle is made of.
    assert len(set(frame.values.values())) > 1


@pytest.mark.parametrize(("window", "minutes"), [("1m0s", 1), ("15m0s", 15)])
def test_the_spread_is_that_of_the_closes_of_the_same_minute(
    grafana: Any, world: Any, window: str, minutes: int
) -> None:
    closes: dict[int, list[float]] = {}
    for exchange in EXCHANGES:
        candles = stored(world, bitcoin_on(exchange))
        for time_ms, close in candles.select("open_time_ms", "close").iter_rows():
            closes.setdefault(time_ms, []).append(close)
    wanted: dict[int, float] = {}
    for time_ms, found in closes.items():
        start_ms = time_ms // (minutes * MINUTE_MS) * (minutes * MINUTE_MS)
        spread = 10_000 * (max(found) - min(found)) / min(found)
        wanted[start_ms] = max(spread, wanted.get(start_ms, 0.0))
    frame = grafana.at(window=window).only("symbol", "Price spread between exchanges")
    assert frame.values == pytest.approx(wanted, rel=1e-9)
    assert 1 < max(wanted.values()) < 100


def test_closes_and_volumes_are_those_of_each_exchange(grafana: Any, world: Any) -> None:
    closes = by(grafana.panel("symbol", "Close by exchange"), "exchange")
    volumes = by(grafana.panel("symbol", "Volume by exchange"), "exchange")
    assert set(closes) == set(volumes) == set(EXCHANGES)
    for exchange in EXCHANGES:
        candles = stored(world, bitcoin_on(exchange))
        for name, drawn in (("close", closes), ("volume", volumes)):
            wanted = dict(candles.select("open_time_ms", name).iter_rows())
            assert drawn[exchange].values == wanted
        true = world.simulator.true_candles(
            exchange, "BTC/USD", MINUTE_MS, world.start_ms, world.now_ms
        )
        true_closes = {candle.open_ms: float(candle.close) for candle in true}
        assert closes[exchange].values.items() <= true_closes.items()


# Freshness and coverage


def test_freshness_is_what_the_store_says(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    later = grafana.at(now_ms=ms_of("2024-05-02T18:30:00"))
    rows = {row["symbol"]: row for row in later.only(FRESHNESS, "Freshness by symbol").rows}
    assert list(rows)[0] == "ETH/USD"  # The worst is on top.
    for symbol in (BITCOIN, SOLANA):
        merged = Series.merged(symbol, MINUTE)
        covered = world.store.read_coverage([merged])[merged].covered
        last_ms = stored(world, merged)["open_time_ms"][-1]
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
    assert one_row(unknown) == {"symbols": 1}


def test_a_bucket_in_which_nothing_is_known_yet_says_so(grafana: Any, influx_server: Any) -> None:
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        store.write_coverage({Series.merged(BITCOIN, MINUTE): CoverageRecord()})
        store.close()
        new = grafana.at(bucket=connection.bucket)
        fresh = one_row(new.only(FRESHNESS, "Freshness by symbol"))
        coverage = one_row(new.only(FRESHNESS, "Coverage by series"))
        assert one_row(new.only(FRESHNESS, "Holes in merged series")) == {"holes": 0}
        assert new.panel(FRESHNESS, "Most minutes behind") == []
        assert new.panel(FRESHNESS, "Gaps of $symbol") == []
        states = new.only(FRESHNESS, "Known minutes of $symbol").values
    assert set(fresh.values()) == {"BTC/USD", None}
    assert (coverage["known_minutes"], coverage["known_share"]) == (0, 0)
    assert states == {new.start_ms: "not known"}


def test_the_figures_on_top_sum_up_the_symbols(grafana: Any, ms_of: Callable[[str], int]) -> None:
    later = grafana.at(now_ms=ms_of("2024-05-02T18:30:00"))
    worst = one_row(later.only(FRESHNESS, "Most minutes behind"))
    assert worst["minutes_behind"] == pytest.approx(150)
    assert one_row(later.only(FRESHNESS, "Symbols")) == {"symbols": 3}
    assert one_row(later.only(FRESHNESS, "Holes in merged series")) == {"holes": 2}


def test_coverage_is_what_the_records_say(grafana: Any, world: Any) -> None:
    frame = grafana.only(FRESHNESS, "Coverage by series")
    rows = {(row["symbol"], row["exchange"]): row for row in frame.rows}
    kept = world.store.list_series()
    assert len(kept) == 12
    assert set(rows) == {(str(series.symbol), series.exchange) for series in kept}
    for series, record in world.store.read_coverage(kept).items():
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
            missing = record.reasons.get(GapReason(reason), IntervalSet())
            assert row[reason] == missing.duration_ms / MINUTE_MS
    assert rows["BTC/USD", "kraken"]["beyond_reach"] == 121
    assert rows["ETH/USD", "kraken"]["fetch_failed"] == 180
    assert rows["BTC/USD", "binanceus"]["known_share"] == 1


def test_the_known_minutes_of_an_outage_are_drawn_as_they_were(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    def at(text: str) -> int:
        return ms_of(f"2024-05-02T{text}")

    frames = by(grafana.panel(FRESHNESS, "Known minutes of $symbol"), "exchange")
    assert set(frames) == {*EXCHANGES, "aggregated"}
    with_outage = {
        at("00:00"): "known",
        at("02:00"): "not known",
        at("04:01"): "known",
        at("16:00"): "not known",
    }
    assert frames["kraken"].values == with_outage
    assert frames["aggregated"].values == with_outage
    whole = {at("00:00"): "known", at("16:00"): "not known"}
    assert frames["coinbaseexchange"].values == whole

    zoomed = grafana.at(start_ms=at("01:30"), stop_ms=at("03:00"))
    frames = by(zoomed.panel(FRESHNESS, "Known minutes of $symbol"), "exchange")
    assert frames["kraken"].values == {at("01:30"): "known", at("02:00"): "not known"}
    assert frames["binanceus"].values == {at("01:30"): "known"}

    within = grafana.at(start_ms=at("03:00"), stop_ms=at("05:00"))
    frames = by(within.panel(FRESHNESS, "Known minutes of $symbol"), "exchange")
    assert frames["kraken"].values == {at("03:00"): "not known", at("04:01"): "known"}


def test_the_gap_that_an_outage_left_is_listed_with_its_reason(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    gap = {
        "from": ms_of("2024-05-02T02:00"),
        "until": ms_of("2024-05-02T04:01"),
        "minutes": 121,
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
    covered = IntervalSet((20 * m * MINUTE_MS, (20 * m + 7) * MINUTE_MS) for m in range(5_000))
    record = CoverageRecord(
        covered=covered,
        reasons={
            GapReason.REJECTED: spans((27, 28), (30, 31)),
            GapReason.FETCH_FAILED: spans((47, 60)),
            GapReason.NOT_LISTED_YET: spans((-100, -20)),
            GapReason.BEYOND_REACH: spans((-20, 0), (67, 68)),
        },
    )
    longer = CoverageRecord(
        covered=IntervalSet((9 * m * MINUTE_MS, (9 * m + 1) * MINUTE_MS) for m in range(9_000))
    )
    series = Series("kraken", BITCOIN, MINUTE)
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        store.write_coverage({series: longer})
        store.write_coverage({series: record})
        store.close()
        shown = grafana.at(
            bucket=connection.bucket, start_ms=-1000 * MINUTE_MS, stop_ms=200_000 * MINUTE_MS
        )
        rows = shown.only(FRESHNESS, "Gaps of $symbol").rows
        (states,) = shown.panel(FRESHNESS, "Known minutes of $symbol")
    missing = IntervalSet(((-100 * MINUTE_MS, covered.end_ms),)) - covered
    wanted = [
        ("kraken", gap.interval.start_ms, gap.interval.end_ms, gap.reason.value)
        for gap in explain(missing, record.reasons)
    ]
    assert len(wanted) > 5_000
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
        old.write_coverage({series: CoverageRecord(covered=spans((0, 10), (20, 30)))})
        old.close()
        bucket_id = influx_server.answer("GET", f"/api/v2/buckets?name={connection.bucket}")
        path = f"/api/v2/buckets/{bucket_id['buckets'][0]['id']}"
        century = {"type": "expire", "everySeconds": 100 * 365 * 86_400}
        influx_server.answer("PATCH", path, {"retentionRules": [century]})
        new = InfluxDbStore(connection)
        new.write_coverage({series: CoverageRecord(covered=spans((0, 10), (20, 40)))})
        new.close()
        shown = grafana.at(
            bucket=connection.bucket, start_ms=0, stop_ms=100 * MINUTE_MS, now_ms=50 * MINUTE_MS
        )
        fresh = shown.only(FRESHNESS, "Freshness by symbol")
        gaps = shown.only(FRESHNESS, "Gaps of $symbol")
        coverage = shown.only(FRESHNESS, "Coverage by series")
    assert one_row(fresh)["minutes_behind"] == 10
    assert (one_row(gaps)["from"], one_row(gaps)["until"]) == (10 * MINUTE_MS, 20 * MINUTE_MS)
    assert one_row(coverage)["known_minutes"] == 30


# Runs


def test_the_runs_are_listed_newest_first_with_the_figures_of_their_reports(
    grafana: Any, world: Any
) -> None:
    rows = grafana.only("runs", "Runs").rows
    reports = world.store.read_runs(10)
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok"]
    assert [row["started"] for row in rows] == [report["started_ms"] for report in reports]
    for row, report in zip(rows, reports, strict=True):
        tickers = report["tickers"]
        sources = [s for ticker in tickers for s in ticker["exchanges"].values()]
        assert row["seconds"] == report["seconds"]
        assert row["tickers"] == len(tickers)
        assert row["failed_tickers"] == sum(ticker["status"] == "failed" for ticker in tickers)
        assert row["dropped_symbols"] == len(report["dropped_symbols"])
        for name in ("requests", "retries", "failed_pages", "candles", "rejected"):
            assert row[name] == sum(source[name] for source in sources)
        assert row["merged_candles"] == sum(ticker["merged_candles"] for ticker in tickers)
    assert [row["failed_tickers"] for row in rows] == [0, 0, 3, 0]
    assert rows[0]["gap_candles"] == 2 * 121


def test_the_newest_run_is_told_also_when_it_is_not_in_the_time_shown(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    later = grafana.at(
        start_ms=ms_of("2024-05-03T00:00"),
        stop_ms=ms_of("2024-05-03T01:00"),
        now_ms=ms_of("2024-05-03T01:00"),
    )
    started_ms = world.store.read_runs(1)[0]["started_ms"]
    minutes = one_row(later.only("runs", "Minutes since the last run"))["minutes"]
    assert minutes == pytest.approx((later.now_ms - started_ms) / MINUTE_MS, abs=1 / MINUTE_MS)
    assert one_row(later.only("runs", "Last run")) == {"status": "ok"}
    last_failed = one_row(later.only("runs", "Failed tickers in the last run"))
    assert last_failed == {"failed_tickers": 0}
    assert [frame.rows for frame in later.panel("runs", "Failed runs")] == []


def test_failed_runs_are_counted_in_the_time_shown(
    grafana: Any, ms_of: Callable[[str], int]
) -> None:
    assert one_row(grafana.only("runs", "Failed runs")) == {"failed": 2}
    afternoon = grafana.at(start_ms=ms_of("2024-05-02T12:00"), stop_ms=ms_of("2024-05-02T17:00"))
    assert one_row(afternoon.only("runs", "Failed runs")) == {"failed": 0}


def test_what_runs_did_is_summed_up_by_interval(
    grafana: Any, world: Any, ms_of: Callable[[str], int]
) -> None:
    hourly = grafana.at(window="1h0m0s", stop_ms=ms_of("2024-05-02T17:00"))
    hours = {name: ms_of(f"2024-05-02T{name}:00") for name in ("02", "03", "16")}
    runs = by(hourly.panel("runs", "Runs by status"), "status")
    assert runs["ok"].values == {hours["02"]: 1, hours["16"]: 1}
    assert runs["failed"].values == {hours["03"]: 2}
    newest = world.store.read_runs(1)[0]
    duration = by(hourly.panel("runs", "Duration"), "status")
    assert duration["ok"].values[hours["16"]] == newest["seconds"]
    requests = by(hourly.panel("runs", "Requests to exchanges"), "count_of")
    assert set(requests) == {"requests", "retries", "failed_pages"}
    assert requests["failed_pages"].values == {hours["02"]: 0, hours["03"]: 3, hours["16"]: 0}
    candles = by(hourly.panel("runs", "Candles"), "count_of")
    merged = sum(ticker["merged_candles"] for ticker in newest["tickers"])
    assert candles["merged_candles"].values[hours["16"]] == merged
    assert candles["merged_candles"].values[hours["03"]] == 0


def test_the_errors_of_failed_runs_are_those_of_their_reports(grafana: Any, world: Any) -> None:
    wanted = set()
    for report in world.store.read_runs(10):
        if report["error"]:
            wanted.add((report["started_ms"] // 1000 * 1000, "", report["error"]))
        for ticker in report["tickers"]:
            if ticker["errors"]:
                text = "; ".join(ticker["errors"])
                wanted.add((report["started_ms"] // 1000 * 1000, ticker["symbol"], text))
    rows = grafana.only("runs", "Errors of failed runs").rows
    assert {(row["started"], row["symbol"], row["error"]) for row in rows} == wanted
    assert len(rows) == len(wanted) == 4
    assert [row["symbol"] for row in rows] == ["", "SOL/USD", "ETH/USD", "BTC/USD"]


def test_errors_of_many_long_reports_are_read_whole(grafana: Any, influx_server: Any) -> None:
    """Reports of several parts between those of one; the newest twenty are shown."""
    with influx_server.bucket() as connection:
        store = InfluxDbStore(connection)
        for number in range(25):
            padding = ["€" * 15_000] * (number % 3)
            report = {
                "run_id": f"run-{number}",
                "started_ms": grafana.start_ms + number * MINUTE_MS,
                "started": f"2024-05-02T00:{number:02d}:00Z",
                "status": "failed",
                "error": f'no. {number} says "no" \\ ${{no}}',
                "tickers": [],
                "rejected_symbols": padding,
            }
            store.write_run(report)
        store.close()
        rows = grafana.at(bucket=connection.bucket).only("runs", "Errors of failed runs").rows
    assert [row["error"] for row in rows] == [
        f'no. {number} says "no" \\ ${{no}}' for number in reversed(range(5, 25))
    ]


# Values that are no words of Flux

HOSTILE = (
    'BTC/USD" or true or "',
    "BTC/USD/ or true or r.currency_pair =~ /x",
    "BTC/USD$/ or true or r.currency_pair =~ /",
    "BTC/USD|SOL/USD",
    ".*",
    "(",
    "\\",
    "BTC/USD\\",
    "${1 + 1}",
    '${die(msg: "no")}',
    "v.defaultBucket",
    "[[symbol]]",
    "// BTC/USD",
    "BTC/USD'",
)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("board", ["symbol", FRESHNESS])
def test_a_hostile_value_of_a_variable_finds_nothing_and_breaks_nothing(
    grafana: Any, boards: dict[str, Any], board: str, value: str
) -> None:
    for panel in boards[board]["panels"]:
        for target in panel["targets"]:
            for name in ("symbol", "timeframe"):
                if f"${{{name}:regex}}" in target["query"]:
                    frames = grafana.query(target["query"], **{name: value})
                    assert [frame.rows for frame in frames if frame.rows] == [], panel["title"]
    (symbols,) = (v["query"] for v in boards[board]["templating"]["list"] if v["name"] == "symbol")
    assert grafana.query(symbols, timeframe=value) == []


def test_a_symbol_of_any_characters_is_found_and_no_other_one(
    grafana: Any, influx_server: Any
) -> None:
    names = ('A.B/U"S${D}', 'AxB/U"S${D}', "A.B/U'S(", "A|B/USD", "Ä/€")
    with influx_server.bucket() as connection:
        lines = []
        for number, name in enumerate(names):
            tag = name.replace(" ", "\\ ")
            tags = f"currency_pair={tag},timeframe=1m"
            fields = f"open={number}.5,high=9,low=0,close=1,volume=1"
            lines.append(f"candles,{tags} {fields} {grafana.start_ms}")
        influx_server.write(connection.bucket, *lines, precision="ms")
        shown = grafana.at(bucket=connection.bucket)
        for number, name in enumerate(names):
            frame = shown.only("symbol", "Candles of $symbol", symbol=name)
            assert one_row(frame)["open"] == number + 0.5


def test_candles_of_an_older_ingestor_are_not_mixed_with_those_of_this_one(
    grafana: Any, world: Any, influx_server: Any, connection_with_older_candles: InfluxDbConnection
) -> None:
    shown = grafana.at(bucket=connection_with_older_candles.bucket)
    assert shown.panel("symbol", "Candles of $symbol") == []


@pytest.fixture
def connection_with_older_candles(grafana: Any, influx_server: Any) -> Any:
    """A bucket whose candles have no tag but `currency_pair`."""
    with influx_server.bucket() as connection:
        line = f"candles,currency_pair=BTC/USD open=1,high=1,low=1,close=1 {grafana.start_ms}"
        influx_server.write(connection.bucket, line, precision="ms")
        yield connection
