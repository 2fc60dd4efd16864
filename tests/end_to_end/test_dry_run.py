"""The run mode dry: everything is checked, nothing is written."""

import re
from pathlib import Path
from typing import Any

import pytest
from logged import levels_of

from exchange_simulator import Fault

DEPENDENCY_DOWN = 3
BAD_CONFIGURATION = 2
SOME_TICKERS_FAILED = 1


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of("2024-05-03T02:00:10"))


@pytest.fixture
def wanted(new_job: Any, market: Any) -> Any:
    job = new_job(
        "wanted",
        now=market.clock.now_ms(),
        exchanges="coinbaseexchange,binanceus",
        symbols="BTC/USD,ETH/USD,SOL/USD",
        backfill_start_date="2024-05-01",
    )
    job.use(market)
    return job


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, b"" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def cells(output: str, *beginning: str) -> list[str]:
    """The cells of the table row that begins so."""
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in output.splitlines()]
    return next(row for row in rows if row[: len(beginning)] == list(beginning))


def test_a_dry_run_checks_everything_prints_the_plan_and_writes_nothing(
    wanted: Any, market: Any
) -> None:
    wanted.use(market, per_minute=60)
    before = listing(wanted.folder)
    finished = wanted.run_well(run_mode="dry")

    assert listing(wanted.folder) == before
    assert "FAIL" not in finished.output
    passed = [line for line in finished.output.splitlines() if line.startswith("PASS")]
    for what in (
        "3 symbols",
        "SQLite file data/candles.sqlite would be made",
        "folder data/csv can be written",
        "exchange coinbaseexchange: ",
        "exchange binanceus: ",
        "3/3 symbols meet minimum 2 exchange requirement",
        "candles of coinbaseexchange BTC/USD 1m: ",
        "candles of binanceus ETH/USD 1m: ",
    ):
        assert any(what in line for line in passed), what
    assert not any("SOL/USD" in line for line in passed)  # --dry_run_limit is 2.
    # 50 hours, by 299 and 999 new candles a page, at a request a second.
    assert cells(finished.output, "BTC/USD", "coinbaseexchange")[3:] == ["3,000", "11", "11.0"]
    assert cells(finished.output, "ETH/USD", "binanceus")[3:] == ["3,000", "4", "4.0"]
    assert "A run of 3 symbols would take about 33 s at the exchanges' pace." in finished.output
    assert market.requests.candle_request_count("coinbaseexchange") == 2


def test_after_a_run_a_dry_one_plans_the_last_candles_only_and_changes_nothing(
    wanted: Any, market: Any
) -> None:
    wanted.run_well(symbols="BTC/USD")
    market.clock.advance(3 * 60_000)
    before = listing(wanted.folder)
    finished = wanted.run_well(run_mode="dry", symbols="BTC/USD", now=market.clock.now_ms())

    report = before.pop(str(wanted.report_path))  # The test removes it before every run.
    assert report is not None
    assert {path: content for path, (_, content) in listing(wanted.folder).items()} == {
        path: content for path, (_, content) in before.items()
    }
    assert "SQLite file data/candles.sqlite can be read and written" in finished.output
    assert cells(finished.output, "BTC/USD", "binanceus")[2:5] == ["candle endpoint", "5", "1"]


def test_a_dry_run_tells_all_that_fails_and_ends_with_the_gravest(
    wanted: Any, market: Any, closed_port: int
) -> None:
    market.set_faults([Fault("binanceus", "451", 1)])
    (wanted.folder / "file").write_text("in the way")
    finished = wanted.run(
        run_mode="dry",
        symbols=None,
        redis_host="127.0.0.1",
        redis_port=closed_port,
        data_root="file/csv",
    )
    assert finished.exit_code == DEPENDENCY_DOWN
    failed = [line for line in finished.output.splitlines() if line.startswith("FAIL")]
    assert any(f"Redis at 127.0.0.1:{closed_port}" in line for line in failed)
    assert any("--data_root: cannot write into file/csv" in line for line in failed)

    finished = wanted.run(run_mode="dry", symbols="BTC/USD")
    assert finished.exit_code == DEPENDENCY_DOWN
    assert "FAIL  candles of binanceus BTC/USD 1m: answered 451" in finished.output
    assert "PASS  candles of coinbaseexchange BTC/USD 1m" in finished.output


def test_a_dry_run_that_no_exchange_answers_says_why_and_counts_and_plans_nothing(
    wanted: Any, closed_port: int
) -> None:
    address = f"http://127.0.0.1:{closed_port}"
    wanted.settings["exchange_settings_file"].write_text(
        f'[coinbaseexchange]\nbase_url = "{address}"\n[binanceus]\nbase_url = "{address}"\n'
    )
    finished = wanted.run(run_mode="dry", symbols="BTC/USD")

    assert finished.exit_code == DEPENDENCY_DOWN
    refused = f"connection refused by 127.0.0.1:{closed_port}"
    for exchange in ("coinbaseexchange", "binanceus"):
        assert f"FAIL  exchange {exchange}: {refused}" in finished.output
        assert f"Failed to fetch from {exchange}: {refused}; trying again in" in finished.errors
    assert (
        "SKIP  symbols and plan: no exchange told which markets it has; mend that first: "
        "check the network"
    ) in finished.output
    assert "meet minimum" not in finished.output
    assert "Plan" not in finished.output
    assert "would take" not in finished.output


def test_a_dry_run_names_what_was_meant_and_plans_for_the_rest(wanted: Any) -> None:
    flags = {"run_mode": "dry", "symbols": "ETG/USD,BTC/USD,SOL/USDC"}
    finished = wanted.run_well(**flags)

    assert "PASS  Symbol validation: 1/3 symbols meet minimum 2 exchange" in finished.output
    assert (
        "ETG/USD is left out: not listed on coinbaseexchange, binanceus; did you mean ETH/USD?"
    ) in finished.output
    assert "did you mean SOL/USD? --quote_aliases=USDC:USD would let" in finished.output
    assert "A run of 1 symbol would take" in finished.output

    strict = wanted.run(**flags, strict_symbols=True)
    assert strict.exit_code == SOME_TICKERS_FAILED
    assert "FAIL  symbols: --strict_symbols: left out 2 of 3 symbols" in strict.output


def test_a_plan_that_cannot_succeed_is_said_at_the_start_of_dry_and_wet_runs(
    wanted: Any,
) -> None:
    flags = {
        "exchanges": "binance,coinbaseexchange,kraken",
        "min_exchanges_required": 2,
        "symbols": "BTC/USD",
        "backfill_start_date": "2024-05-02",
    }
    # 26 hours, of which Kraken answers the last 720 candles, but for a margin and the one in
    # progress.
    hopeless = (
        "BTC/USD: of 1,560 minutes wanted, 843 can have at most 1 of the 2 exchanges required: "
        "binance does not list BTC/USD (--quote_aliases=USD:USDT would help), "
        "kraken reaches 720 candles back (--build_from_trades would help)"
    )
    dry = wanted.run_well(run_mode="dry", **flags)
    wet = wanted.run_well(**flags)

    assert f"WARN  {hopeless}" in dry.output
    [line] = [line for line in wet.errors.splitlines() if hopeless in line]
    assert levels_of(line) == ["WARNING"]
    assert wet.ticker("BTC/USD")["gap_candles"] == {"below_minimum": 843}
    helped = wanted.run_well(**flags, quote_aliases="USD:USDT", data_root="data/aliased")
    assert "minutes wanted" not in helped.errors
    assert helped.ticker("BTC/USD")["gap_candles"] == {}


@pytest.mark.parametrize("name", ["k8s/cronjob.yaml", "compose.yaml"])
def test_the_exchanges_of_the_examples_can_give_all_that_is_wanted(wanted: Any, name: str) -> None:
    text = (Path(__file__).parents[2] / name).read_text()
    exchanges = re.search(r"--exchanges=(?:\$\{EXCHANGES:-)?([a-z,]+)", text)
    minimum = re.search(r"--min_exchanges_required=(\d)", text)
    assert exchanges is not None
    assert minimum is not None
    finished = wanted.run_well(
        run_mode="dry",
        exchanges=exchanges.group(1),
        min_exchanges_required=minimum.group(1),
        backfill_start_date="1_year_ago",
    )

    assert "3/3 symbols meet minimum 2" in finished.output
    assert "WARN" not in finished.output


def test_a_dry_run_that_no_symbol_survives_prints_no_plan(wanted: Any) -> None:
    finished = wanted.run(run_mode="dry", symbols="ETG/USD")

    assert finished.exit_code == BAD_CONFIGURATION
    assert "FAIL  Symbol validation: 0/1 symbols meet minimum 2" in finished.output
    assert "did you mean ETH/USD?" in finished.output
    assert "SKIP  plan: " in finished.output
    assert "would take" not in finished.output


def test_a_dry_run_with_a_timeframe_nobody_has_ends_with_2(wanted: Any) -> None:
    finished = wanted.run(run_mode="dry", candle_granularity_minutes=7)
    assert finished.exit_code == BAD_CONFIGURATION
    assert "--candle_granularity_minutes=7: coinbaseexchange has no 7m candles" in finished.output


def test_a_dry_run_shows_the_configuration_without_secrets(wanted: Any, redis_server: Any) -> None:
    secret = "do-not-show-this-4711"
    finished = wanted.run_well(
        run_mode="dry",
        min_exchanges_required=1,
        environment={"BINANCEUS__APIKEY": secret, "REDIS_PASSWORD": secret, "COLUMNS": "200"},
    )
    assert secret not in finished.output + finished.errors
    assert cells(finished.output, "redis_password")[1:] == ["set", "$REDIS_PASSWORD"]
    assert cells(finished.output, "exchanges")[1:] == ["coinbaseexchange,binanceus", "flag"]
    assert cells(finished.output, "min_exchanges_required")[1:] == ["1", "flag"]
    assert cells(finished.output, "high_low")[1:] == ["weighted", "default"]
    # The clock goes on from there.
    assert cells(finished.output, "now")[1].startswith("2024-05-03T02:0")
    start = "2024-05-01 (2024-05-01T00:00:00Z)"
    assert cells(finished.output, "backfill_start_date")[1:] == [start, "flag"]


def test_a_dry_run_shows_what_comes_from_a_file(wanted: Any) -> None:
    (wanted.folder / "job.toml").write_text(
        'redis_password = "hush-4711"\nhigh_low = "extremes"\nsymbols = "ETH/USD"\ndays = 2\n'
    )
    finished = wanted.run_well(
        run_mode="dry",
        config="job.toml",
        symbols="BTC/USD",
        backfill_start_date=None,
        environment={"COLUMNS": "200"},
    )
    assert "hush" not in finished.output + finished.errors
    assert cells(finished.output, "high_low")[1:] == ["extremes", "config file"]
    assert cells(finished.output, "symbols")[1:] == ["BTC/USD", "flag"]
    assert cells(finished.output, "days")[1:] == ["2", "config file"]
    start = "2_days_ago (2024-05-01T00:00:00Z)"
    assert cells(finished.output, "backfill_start_date")[1:] == [start, "config file"]
    assert cells(finished.output, "redis_password")[1:] == ["set", "config file"]
