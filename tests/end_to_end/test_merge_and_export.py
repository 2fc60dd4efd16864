"""The commands merge and export: the past again, without a request."""

import re
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
    last_words = r"Merged 1 symbol again in \d+\.\d s: 0 merged candles changed\."
    assert re.search(last_words, finished.output)


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


@pytest.mark.parametrize("minimum", [0, 2])
def test_merge_with_too_few_stored_exchanges_for_the_minimum_is_refused_and_changes_nothing(
    filled: Any, market: Any, minimum: int
) -> None:
    contents, files = filled.stored.contents(), filled.stored.files()
    finished = filled.run(
        "merge",
        now=market.clock.now_ms(),
        exchanges="kraken,bitstamp",
        min_exchanges_required=minimum,
    )

    assert finished.exit_code == 2
    assert "BTC/USD cannot be merged from 2 exchanges" in finished.complaint
    assert "the store holds nothing of it on kraken" in finished.complaint
    assert "--min_exchanges_required" in finished.complaint
    assert filled.stored.contents() == contents
    assert filled.stored.files() == files


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
    assert re.search(r"Exported 1 symbol in \d+\.\d s: 4 files written\.", finished.output)


def test_without_symbols_merge_and_export_take_all_that_the_store_knows(
    filled: Any, market: Any, closed_port: int
) -> None:
    filled.run_well(symbols="ETH/USD", now=market.clock.now_ms())
    market.requests.reset()
    contents, files = filled.stored.contents(), filled.stored.files()
    assert {path.split("/")[1] for path in files} == {"BTCUSD", "ETHUSD"}
    shutil.rmtree(filled.stored.data_root)
    # Nothing but the store is named, and no Redis is there.
    flags = {
        "now": market.clock.now_ms(),
        "exchange_settings_file": None,
        "redis_port": closed_port,
    }
    alone = flags | {"symbols": None, "exchanges": None, "backfill_start_date": None}

    merged = filled.run_well("merge", **alone)
    exported = filled.run_well("export", **alone)

    for symbol in ("BTC/USD", "ETH/USD"):
        assert symbol in merged.output
        assert symbol in exported.output
    assert filled.stored.contents() == contents
    assert filled.stored.files() == files
    assert_nothing_was_asked(market)


def test_merge_without_exchanges_changes_only_the_rules_that_are_given(
    filled: Any, market: Any, truth: Any, series: Any
) -> None:
    flags = {"symbols": None, "exchanges": None, "now": market.clock.now_ms()}
    filled.run_well("merge", high_low="extremes", **flags)
    truth.assert_stored(filled.stored.merged("BTC/USD"), truth.merged(series, extremes=True))

    filled.run_well("merge", min_exchanges_required=2, **flags)
    rules = filled.stored.record("aggregated", "BTC/USD")["merging"]["rules"]
    assert rules["exchanges"] == list(EXCHANGES)
    assert (rules["min_exchanges"], rules["high_low"]) == (2, "extremes")

    refused = filled.run("merge", min_exchanges_required=4, **flags)
    assert refused.exit_code == 2
    assert "--min_exchanges_required=4 is more than the 3" in refused.complaint


def test_state_stays_what_the_last_run_wrote(filled: Any, market: Any) -> None:
    before = filled.stored.state()
    assert len(before) == 2
    flags = {"exchanges": None, "now": market.clock.now_ms(), "backfill_start_date": None}
    for command in ("merge", "export"):
        filled.run_well(command, **flags)
        assert filled.stored.state() == before


def test_state_goes_back_with_the_merged_coverage_and_comes_again(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    # Kraken reaches 720 candles back, so that the day before has one exchange only.
    market = simulate(now_ms=ms_of("2024-05-03T02:00:10"), exchanges=("kraken", "bitstamp"))
    now_ms = market.clock.now_ms()
    job = new_job("reach", exchanges="kraken,bitstamp", symbols="BTC/USD", now=now_ms)
    job.use(market)
    job.run_well(backfill_start_date="2024-05-02", min_exchanges_required=1)
    before = job.stored.state()
    assert before["BTC/USD-backfill"] == ms_of("2024-05-03T01:59")

    job.run_well("merge", min_exchanges_required=2)
    assert job.stored.state()["BTC/USD-backfill"] == ms_of("2024-05-01T23:59")
    assert job.stored.state()["BTC/USD-catch_up"] == before["BTC/USD-catch_up"]

    job.run_well("merge", min_exchanges_required=1)
    assert job.stored.state() == before


def test_a_bounded_download_gets_no_state_of_catching_up(new_job: Any, market: Any) -> None:
    job = new_job("bounded", exchanges="binanceus", symbols="BTC/USD", now=market.clock.now_ms())
    job.use(market)
    job.run_well(backfill_start_date="2024-05-01", backfill_end_date="2024-05-02")
    assert job.stored.state().keys() == {"BTC/USD-backfill"}
    before = job.stored.state()
    job.run_well("merge")
    assert job.stored.state() == before


@pytest.mark.parametrize("command", ["merge", "export"])
def test_a_symbol_that_is_not_stored_is_an_error_that_says_what_is_there(
    filled: Any, market: Any, command: str
) -> None:
    contents = filled.stored.contents()
    finished = filled.run(command, symbols="BTC/USD,BTD/USD", now=market.clock.now_ms())

    assert finished.exit_code == 2
    assert "holds no 1m candles of BTD/USD (did you mean BTC/USD?)" in finished.complaint
    assert "it holds BTC/USD" in finished.complaint
    assert finished.output == ""
    assert filled.stored.contents() == contents

    finished = filled.run(command, candle_granularity_minutes="1h", now=market.clock.now_ms())
    assert finished.exit_code == 2
    assert "no 1h candles, but some of 1m (--candle_granularity_minutes=1)" in finished.complaint


def test_merge_with_exchanges_of_which_nothing_is_stored_is_refused(
    filled: Any, market: Any
) -> None:
    contents = filled.stored.contents()
    for symbols in ("BTC/USD", None):
        finished = filled.run(
            "merge", symbols=symbols, exchanges="kraken,bitstamp", now=market.clock.now_ms()
        )
        assert finished.exit_code == 2
        assert "BTC/USD cannot be merged from 2 exchanges" in finished.complaint
        assert "nothing of it on kraken" in finished.complaint
        assert filled.stored.contents() == contents


def test_of_all_symbols_those_that_cannot_be_merged_so_are_named_and_left_as_they_are(
    filled: Any, market: Any
) -> None:
    now_ms = market.clock.now_ms()
    filled.run_well(symbols="ETH/USD", exchanges="binanceus", now=now_ms)
    before = filled.stored.merged("ETH/USD")
    finished = filled.run_well("merge", symbols=None, exchanges="bitstamp,binanceus", now=now_ms)
    assert "ETH/USD cannot be merged from 2 exchanges" in finished.errors
    assert "ETH/USD" not in finished.output
    assert filled.stored.merged("ETH/USD") == before
    assert {row.exchange_count for row in filled.stored.merged("BTC/USD").values()} <= {1, 2}


def test_export_writes_the_own_candles_of_other_exchanges_in_place_of_the_merged_ones(
    filled: Any, market: Any, series: dict[str, Any]
) -> None:
    files = filled.stored.files()
    finished = filled.run_well(
        "export", exchanges="bitstamp", data_root="data/own", now=market.clock.now_ms()
    )
    assert "BTC/USD stays merged from coinbaseexchange, binanceus, bitstamp" in finished.errors
    own = filled.folder / "data/own"
    assert [path.name for path in own.iterdir()] == ["bitstamp"]
    rows = (own / "bitstamp/BTCUSD/2024/2024-05.csv").read_text().splitlines()[1:]
    assert len(rows) == len(series["bitstamp"])
    assert filled.stored.files() == files


def test_what_an_export_is_asked_for_and_the_store_lacks_is_told(filled: Any, market: Any) -> None:
    files = filled.stored.files()
    now = {"now": market.clock.now_ms(), "data_root": "data/asked"}
    lacking = filled.run("export", exchanges="kraken", **now)
    assert lacking.exit_code == 1
    assert "BTC/USD: the store holds no 1m candles of it on kraken" in lacking.output
    earlier = {"backfill_start_date": "2024-02-01", "backfill_end_date": "2024-03-01"}
    nothing = filled.run("export", **earlier, **now)
    assert nothing.exit_code == 1
    assert "the store knows nothing of aggregated BTC/USD 1m in the span" in nothing.output
    wrong = filled.run("export", backfill_start_date="2024-03-01", backfill_end_date="2024-02-01")
    assert wrong.exit_code == 2
    assert "is not after the start" in wrong.errors
    assert filled.stored.files() == files


def test_without_a_store_merge_and_export_say_what_to_run_first_and_leave_nothing(job: Any) -> None:
    for command in ("export", "merge"):
        finished = job.run(command, symbols="BTC/USD", sqlite_path="mistyped/candles.sqlite")
        assert finished.exit_code == 2
        assert "the store mistyped/candles.sqlite is not there" in finished.complaint
        assert "run the command ingest first" in finished.complaint
    assert list(job.folder.iterdir()) == []


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


def test_merge_takes_the_market_that_ingest_took_after_the_former_one_was_delisted(
    new_job: Any, simulate: Any, ms_of: Any
) -> None:
    def market(hour: int, *symbols: str) -> Any:
        now_ms = ms_of(f"2024-05-03T{hour:02}:00:10")
        return simulate(now_ms=now_ms, exchanges=("kraken",), symbols=symbols)

    job = new_job("delisted", exchanges="kraken", symbols="BTC/USD", quote_aliases="USD:USDT")
    job.settings |= {"markets_cache_hours": 0, "backfill_start_date": "2024-05-03"}
    both = market(2, "BTC/USD", "BTC/USDT")
    job.use(both)
    job.run_well(now=both.clock.now_ms())
    one = market(4, "BTC/USDT")
    job.use(one)
    ingested = job.run_well(now=one.clock.now_ms())
    assert "kraken: BTC/USD -> BTC/USDT" in ingested.errors

    job.run_well("merge", now=one.clock.now_ms())
    merged = job.stored.contents()["candles"]
    job.run_well(now=one.clock.now_ms())
    assert job.stored.contents()["candles"] == merged
    assert_made_of_the_stand_in(job)


def assert_made_of_the_stand_in(job: Any) -> None:
    contents = job.stored.contents()
    merged = {row[2]: row[3:8] for row in contents["candles"]}
    stand_in = {row[3]: row[4:9] for row in contents["exchange_candles"] if row[1] == "BTC/USDT"}
    assert merged == stand_in
