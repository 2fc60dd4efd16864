"""The commands merge and export: the past again, without a request."""

import shutil
from decimal import Decimal
from typing import Any

import pytest

EXCHANGES = ("coinbaseexchange", "binanceus", "bitstamp")
MONTH = "2024-05"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of("2024-05-03T02:00:10"), exchanges=EXCHANGES)


@pytest.fixture
def filled(new_job: Any, market: Any) -> Any:
    """A job with a day of BTC/USD."""
    job = new_job(
        "filled",
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD",
        backfill_start_date="2024-05-02",
    )
    job.use(market)
    job.run_well(now=market.clock.now_ms())
    market.requests.reset()
    return job


@pytest.fixture
def series(market: Any, truth: Any, ms_of: Any) -> dict[str, Any]:
    span = (ms_of("2024-05-02"), ms_of("2024-05-03T02:00"))
    return {e: truth.exchange_candles(market, e, "BTC/USD", *span) for e in EXCHANGES}


def assert_nothing_was_asked(market: Any) -> None:
    for exchange in EXCHANGES:
        assert market.requests.candle_request_count(exchange) == 0
        assert market.requests.other_request_count(exchange) == 0


def test_merging_again_by_the_same_rules_changes_nothing(filled: Any, market: Any) -> None:
    contents, files = filled.stored.contents(), filled.stored.files()
    finished = filled.run_well("merge", now=market.clock.now_ms())
    assert filled.stored.contents() == contents
    assert filled.stored.files() == files
    assert_nothing_was_asked(market)
    assert "changed candles" in finished.output


def test_merge_brings_the_past_in_line_with_other_rules_and_export_follows(
    filled: Any, market: Any, truth: Any, series: Any
) -> None:
    rules = {"high_low": "extremes", "max_price_deviation_pct": 0.02}
    filled.run_well("merge", now=market.clock.now_ms(), **rules)
    expected = truth.merged(series, extremes=True, deviation=Decimal("0.0002"))
    assert any(row.excluded for row in expected.values())
    truth.assert_stored(filled.stored.merged("BTC/USD"), expected)

    filled.run_well("export", now=market.clock.now_ms(), **rules)
    truth.assert_exported(filled.stored.exported("BTC/USD"), expected)
    assert_nothing_was_asked(market)

    # The next run has nothing to say about rules.
    finished = filled.run_well(now=market.clock.now_ms(), **rules)
    assert finished.ticker("BTC/USD")["rule_changes"] == []


def test_merge_with_fewer_exchanges_leaves_the_others_candles_in_the_store(
    filled: Any, market: Any, truth: Any, series: Any
) -> None:
    before = len(filled.stored.of_exchange("bitstamp", "BTC/USD"))
    flags = {"exchanges": "binanceus,coinbaseexchange", "now": market.clock.now_ms()}
    filled.run_well("merge", **flags)
    two = {exchange: series[exchange] for exchange in ("binanceus", "coinbaseexchange")}
    truth.assert_stored(filled.stored.merged("BTC/USD"), truth.merged(two))
    assert len(filled.stored.of_exchange("bitstamp", "BTC/USD")) == before


def test_a_run_by_other_rules_says_what_differs_and_goes_on_with_them_from_there(
    filled: Any, market: Any, truth: Any, ms_of: Any
) -> None:
    before = filled.stored.merged("BTC/USD")
    market.clock.advance(7 * 60_000)
    rules = {"high_low": "extremes", "min_exchanges_required": 2}
    finished = filled.run_well(now=market.clock.now_ms(), **rules)

    assert finished.ticker("BTC/USD")["rule_changes"] == [
        "min_exchanges: 3 -> 2",
        "high_low: weighted -> extremes",
    ]
    assert "BTC/USD is merged by other rules from here on" in finished.errors
    assert "run the command merge to bring the past in line" in finished.errors
    assert (
        "merged by other rules from here on: min_exchanges: 3 -> 2; "
        "high_low: weighted -> extremes (BTC/USD)" in finished.output
    )
    after = filled.stored.merged("BTC/USD")
    # What was merged stays, but for the last candles, which are read again and merged anew.
    reread_ms = ms_of("2024-05-03T01:58")
    assert all(after[minute] == row for minute, row in before.items() if minute < reread_ms)
    span = (ms_of("2024-05-02"), ms_of("2024-05-03T02:07"))
    series = {e: truth.exchange_candles(market, e, "BTC/USD", *span) for e in EXCHANGES}
    expected = truth.merged(series, extremes=True)
    newer = {minute: row for minute, row in after.items() if minute >= reread_ms}
    truth.assert_stored(newer, {m: row for m, row in expected.items() if m >= reread_ms})

    # Told once, not with every run.
    finished = filled.run_well(now=market.clock.now_ms(), **rules)
    assert finished.ticker("BTC/USD")["rule_changes"] == []

    filled.run_well("merge", now=market.clock.now_ms(), **rules)
    truth.assert_stored(filled.stored.merged("BTC/USD"), expected)
    filled.run_well(now=market.clock.now_ms(), **rules)
    truth.assert_exported(filled.stored.exported("BTC/USD"), expected)


def test_an_export_into_an_empty_folder_writes_the_same_bytes(filled: Any, market: Any) -> None:
    flags = {"now": market.clock.now_ms(), "export_exchange_candles": True}
    filled.run_well(**flags)
    market.requests.reset()
    files = filled.stored.files()
    assert len(files) == 8
    shutil.rmtree(filled.stored.data_root)

    finished = filled.run_well("export", **flags)
    assert filled.stored.files() == files
    assert_nothing_was_asked(market)
    assert "BTC/USD: " in finished.output


def test_the_command_export_without_anything_stored_says_what_to_run_first(job: Any) -> None:
    for command in ("export", "merge"):
        finished = job.run(command, symbols="BTC/USD")
        assert finished.exit_code == 2
        assert "run the command ingest first" in finished.complaint


@pytest.fixture
def whole_month(new_job: Any, simulate: Any, ms_of: Any) -> Any:
    """A job with the whole of May 2024 in hours, and the simulator as `market`."""
    market = simulate(now_ms=ms_of("2024-06-20"), exchanges=("binanceus", "bitstamp"))
    job = new_job(
        "whole_month",
        now=market.clock.now_ms(),
        exchanges="binanceus,bitstamp",
        symbols="ETH/USD",
        candle_granularity_minutes=60,
        backfill_start_date="2024-05-01",
        backfill_end_date="2024-06-01",
    )
    job.use(market)
    job.run_well()
    return job


def test_a_complete_month_stays_as_it_is_unless_it_is_restated(whole_month: Any) -> None:
    job = whole_month
    month = job.stored.manifest("ETHUSD_1h")["months"][MONTH]
    assert (month["complete"], month["gaps"], month["rows"]) == (True, [], 744)
    files = job.stored.files()

    other = {"high_low": "extremes"}
    job.run_well("merge", **other)
    finished = job.run_well("export", **other)
    assert "the month 2024-05 is marked complete and was left as it is" in finished.errors
    assert "--restate" in finished.errors
    assert job.stored.files() == files

    finished = job.run_well("export", restate=True, **other)
    assert "the complete month 2024-05 was restated" in finished.errors
    assert job.stored.files() != files
    rows = job.stored.files()[f"aggregated/ETHUSD_1h/2024/{MONTH}.csv"].decode().splitlines()
    assert rows[0] == "Timestamp,Open,High,Low,Close,Volume"
    assert rows[1].startswith("2024-05-01T00:00:00Z,")
    assert job.stored.manifest("ETHUSD_1h")["months"][MONTH]["complete"] is True


def test_other_digits_than_those_of_the_folder_are_refused_with_what_to_do(
    whole_month: Any,
) -> None:
    files = whole_month.stored.files()
    finished = whole_month.run("export", price_decimal_digits=5)
    assert finished.exit_code == 1
    assert "digits" in finished.output + finished.errors
    assert "another --data_root" in finished.output + finished.errors
    assert whole_month.stored.files() == files

    finished = whole_month.run_well("export", price_decimal_digits=5, data_root="data/other")
    manifest = (whole_month.folder / "data/other/aggregated/ETHUSD_1h/manifest.json").read_text()
    assert '"price_decimal_digits": 5' in manifest
