"""What goes wrong is said in one clear line, with the right exit code and no stack trace."""

from pathlib import Path
from typing import Any

import pytest
from logged import levels_of

from exchange_simulator import Fault

BAD_CONFIGURATION = 2
DEPENDENCY_DOWN = 3
SOME_TICKERS_FAILED = 1
SECRET = "do-not-show-this-4711"

BAD_FLAGS = {
    "a typo in a flag": (
        ["--exchnges=kraken"],
        "no flag is called --exchnges; did you mean --exchanges?",
    ),
    "a flag's bad value": (
        ["--candle_granularity_minutes=0"],
        "--candle_granularity_minutes=0 cannot be used; give a length such as 1, 60, 1m, 4h or 1d",
    ),
    "an unknown command": (["ingset"], "'ingset' is no command; did you mean ingest?"),
    "an unknown exchange": (
        ["--exchanges=krakn"],
        "'krakn' is no exchange that ccxt knows; did you mean kraken?",
    ),
    "volumes that cannot be merged": (
        ["--exchanges=kraken,btse"],
        "its rows do not carry the base volume that merging needs; leave btse out",
    ),
    "volumes that cannot be merged, in a dry run": (
        ["--exchanges=kraken,btse", "--run_mode=dry"],
        "--exchanges: btse counts volume in the quote currency",
    ),
    "candles that are no trades'": (
        ["--exchanges=cex"],
        "--exchanges: cex has candles of the best bid or of the best ask, not of trades",
    ),
    "a start date in the future": (
        ["--backfill_start_date=2999-01-01"],
        "--backfill_start_date: '2999-01-01' lies in the future",
    ),
    "an end before the start": (
        ["--backfill_start_date=2024-05-02", "--backfill_end_date=2024-05-02"],
        "--backfill_end_date=2024-05-02 is not after the start",
    ),
    "more required than given": (
        ["--exchanges=binance,kraken,bitstamp", "--min_exchanges_required=5"],
        "=5 is more than the 3 given by --exchanges=binance,kraken,bitstamp",
    ),
    "a bad alias": (["--quote_aliases=USD"], "--quote_aliases: 'USD' is no pair such as USD:USDT"),
    "nonsense for symbols": (["--symbols=!!"], "names no symbol that can be used: '!!'"),
    "two sources of symbols": (
        ["--symbols=BTC/USD", "--symbols_file=symbols.json"],
        "--symbols and --symbols_file contradict each other",
    ),
    "a settings file that is not there": (
        ["--exchange_settings_file=no.toml"],
        "--exchange_settings_file: cannot read no.toml: No such file",
    ),
}


def test_a_sqlite_file_is_not_passed_over_for_the_token_of_a_shell(job: Any) -> None:
    token = {"INFLUXDB_TOKEN": "hush-4711", "INFLUXDB_ORG": "desk"}
    for command in ("ingest", "merge", "export"):
        finished = job.run(command, symbols="BTC/USD", sqlite_path="mine.sqlite", environment=token)
        assert finished.exit_code == BAD_CONFIGURATION
        assert "--sqlite_path is given, but INFLUXDB_TOKEN is set" in finished.complaint
        assert "--store=sqlite" in finished.complaint
        assert "hush" not in finished.errors


@pytest.mark.parametrize(("arguments", "message"), BAD_FLAGS.values(), ids=BAD_FLAGS.keys())
def test_a_bad_flag_is_one_line_and_the_exit_code_2(
    job: Any, arguments: list[str], message: str
) -> None:
    finished = job.run(*arguments)
    assert finished.exit_code == BAD_CONFIGURATION
    assert message in finished.complaint
    others = finished.errors.splitlines()[:-1]
    assert set(levels_of("\n".join(others))) <= {"INFO"}, "more than one complaint"
    assert finished.output == ""
    assert [path.name for path in job.folder.iterdir()] == []


@pytest.mark.parametrize(
    ("flag", "path"),
    [
        ("sqlite_path", "file/candles.sqlite"),
        ("sqlite_path", "/proc/candles/candles.sqlite"),
        ("data_root", "file/csv"),
        ("run_report_path", "file/report.json"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(
    job: Any, flag: str, path: str
) -> None:
    (job.folder / "file").write_text("in the way")
    finished = job.run(symbols="BTC/USD", **{flag: path})
    assert finished.exit_code == BAD_CONFIGURATION
    assert f"--{flag}: cannot write into {Path(path).parent if flag != 'data_root' else path}" in (
        finished.complaint
    )
    assert sorted(path.name for path in job.folder.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[kraken\nbase_url = 1", "is no TOML"),
        ("[kraken]\nbase_ulr = 'http://localhost'", "table kraken: unknown key 'base_ulr'"),
    ],
)
def test_a_malformed_settings_file_is_named_with_what_is_wrong(
    job: Any, content: str, message: str
) -> None:
    (job.folder / "exchanges.toml").write_text(content)
    finished = job.run(symbols="BTC/USD", exchange_settings_file="exchanges.toml")
    assert finished.exit_code == BAD_CONFIGURATION
    assert "exchanges.toml" in finished.complaint
    assert message in finished.complaint


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> Any:
    return simulate(now_ms=ms_of("2024-05-03T02:00"))


@pytest.fixture
def one_day(new_job: Any, market: Any) -> Any:
    job = new_job(
        "one_day",
        now=market.clock.now_ms(),
        exchanges="coinbaseexchange,binanceus,bitstamp",
        symbols="BTC/USD",
        backfill_start_date="2024-05-02",
        backfill_end_date="2024-05-03",
    )
    job.use(market)
    return job


def test_a_file_that_is_no_candle_store_is_left_alone_and_nothing_is_asked(
    one_day: Any, market: Any
) -> None:
    path = one_day.folder / "notes.sqlite"
    path.write_bytes(b"these are my notes" * 100)
    finished = one_day.run(sqlite_path=path)
    assert finished.exit_code == DEPENDENCY_DOWN
    assert "notes.sqlite" in finished.complaint
    assert "choose another file" in finished.complaint
    assert path.read_bytes() == b"these are my notes" * 100
    assert market.requests.other_request_count("bitstamp") == 0


def test_a_renamed_exchange_works_with_a_warning(one_day: Any) -> None:
    finished = one_day.run_well(exchanges="coinbasepro,binance_us")
    assert "'coinbasepro' is called 'coinbaseexchange' now; using that" in finished.errors
    assert "'binance_us' is called 'binanceus' now; using that" in finished.errors
    assert list(finished.ticker("BTC/USD")["exchanges"]) == ["coinbaseexchange", "binanceus"]


def test_a_timeframe_that_an_exchange_lacks_is_refused_with_those_it_has(
    one_day: Any, market: Any
) -> None:
    market.requests.reset()
    finished = one_day.run(candle_granularity_minutes=7)
    assert finished.exit_code == BAD_CONFIGURATION
    assert (
        "--candle_granularity_minutes=7: coinbaseexchange has no 7m candles; it offers 1m, 5m, 15m"
        in finished.complaint
    )
    assert market.requests.candle_request_count("coinbaseexchange") == 0


def test_symbols_below_the_minimum_are_dropped_by_name_and_none_left_is_an_error(
    one_day: Any,
) -> None:
    finished = one_day.run_well(symbols="BTC/USD,BTC/USDT")
    assert "Auto-detected min_exchanges_required: 3" in finished.errors
    assert (
        "Multi-exchange mode: using 3 exchanges with coinbaseexchange as primary" in finished.errors
    )
    assert "Symbol validation: 1/2 symbols meet minimum 3 exchange requirement" in finished.errors
    assert "BTC/USDT is left out: not listed on bitstamp" in finished.errors
    assert finished.report["dropped_symbols"] == {"BTC/USDT": ["bitstamp"]}
    assert "1 symbol left out: BTC/USDT (not listed on bitstamp)" in finished.output
    assert "1 of 2 complete" in finished.output

    finished = one_day.run(symbols="BTC/USDT,DOGE/USD")
    assert finished.exit_code == BAD_CONFIGURATION
    assert "No symbols meet the minimum exchange requirement of 3" in finished.complaint
    assert finished.report["status"] == "failed"
    assert finished.report["error"] in finished.complaint
    assert (
        "BTC/USDT is not listed on bitstamp; --quote_aliases=USDT:USD would" in finished.complaint
    )
    assert finished.complaint.endswith(
        "; lower --min_exchanges_required, or add exchanges or --quote_aliases"
    )


def test_a_symbol_left_out_is_named_with_what_was_meant_and_fails_a_strict_run(
    one_day: Any,
) -> None:
    flags = {"exchanges": "coinbaseexchange,bitstamp", "symbols": "ETG/USD,BTC/USD,!!"}
    finished = one_day.run_well(**flags)

    assert "Symbol validation: 1/2 symbols meet minimum 2 exchange requirement" in finished.errors
    assert (
        "ETG/USD is left out: not listed on coinbaseexchange, bitstamp; did you mean ETH/USD?"
    ) in finished.errors
    assert list(finished.report["dropped_symbols"]) == ["ETG/USD"]

    strict = one_day.run(**flags, strict_symbols=True)
    assert strict.exit_code == SOME_TICKERS_FAILED
    assert (
        "--strict_symbols: left out 1 of 2 symbols and passed over 1 entry that names no symbol"
    ) in strict.complaint
    assert strict.report["status"] == "ok"


@pytest.mark.parametrize("name", ["symbols.txt", "symbols.csv"])
def test_a_list_of_symbols_may_be_a_plain_file(one_day: Any, name: str) -> None:
    (one_day.folder / name).write_text("symbol\nBTC/USD\n" if name.endswith("csv") else "btcusd\n")
    finished = one_day.run_well(symbols=None, symbols_file=name, exchanges="bitstamp")

    assert [ticker["symbol"] for ticker in finished.report["tickers"]] == ["BTC/USD"]


def test_an_unknown_key_of_a_symbols_file_is_named(one_day: Any) -> None:
    (one_day.folder / "symbols.json").write_text('[{"symbol": "BTC/USD", "tire": 1}]')
    finished = one_day.run_well(symbols=None, symbols_file="symbols.json", exchanges="bitstamp")

    assert (
        "--symbols_file=symbols.json: passed over the unknown key 'tire'; did you mean tier? "
        "known are symbol, tier, history_start"
    ) in finished.errors


def test_an_exchange_that_is_down_degrades_a_run_that_meets_its_minimum_without_it(
    one_day: Any, closed_port: int
) -> None:
    settings = one_day.folder / "exchanges.toml"
    tables = settings.read_text()
    start = tables.index('base_url = "http://127.0.0.1', tables.index("[bitstamp]"))
    end = tables.index("\n", start)
    down = f'base_url = "http://127.0.0.1:{closed_port}"'
    settings.write_text(tables[:start] + down + tables[end:])

    flags = {"symbols": "BTC/USD,ETH/USD", "min_exchanges_required": 2}
    finished = one_day.run_well(**flags)
    assert "Symbol validation: 2/2 symbols meet" in finished.errors
    assert "Cannot learn which markets bitstamp has" in finished.errors
    assert finished.report["status"] == "degraded"
    assert list(finished.report["unavailable_exchanges"]) == ["bitstamp"]
    assert finished.report["dropped_symbols"] == {}
    row, line = [line for line in finished.output.splitlines() if "bitstamp" in line]
    # Asked for its markets five times, four of them again: requests, candles, retries, errors.
    assert [row.split()[i] for i in (0, 1, 2, 4, 5)] == ["bitstamp", "5", "0", "4", "1"]
    assert line.startswith("bitstamp could not be used: ")
    assert "Run degraded" in finished.output
    assert "2 of 2 complete" in finished.output
    for symbol in ("BTC/USD", "ETH/USD"):
        ticker = finished.ticker(symbol)
        assert (ticker["status"], ticker["errors"], ticker["covered_candles"]) == ("ok", [], 1440)
    rows = one_day.stored.merged("BTC/USD").values()
    assert "coinbaseexchange,binanceus" in {row.source_exchanges for row in rows}
    assert not any("bitstamp" in row.source_exchanges for row in rows)

    finished = one_day.run(**flags, fail_when_degraded=True)
    assert finished.exit_code == SOME_TICKERS_FAILED
    assert finished.report["status"] == "degraded"


def test_with_every_exchange_down_the_exit_code_is_3(one_day: Any, closed_port: int) -> None:
    settings = one_day.folder / "exchanges.toml"
    settings.write_text(f'[kraken]\nbase_url = "http://127.0.0.1:{closed_port}"\n')
    finished = one_day.run(exchanges="kraken")
    assert finished.exit_code == DEPENDENCY_DOWN
    assert "no exchange can be reached: kraken" in finished.complaint
    assert "--exchange_settings_file" in finished.complaint
    # Also a run that fails half-way ends in a report.
    assert finished.report["status"] == "failed"
    assert finished.report["error"] in finished.complaint
    assert one_day.stored.runs() == [finished.report]


def test_an_exchange_that_refuses_is_left_alone_and_told_once_for_all_tickers(
    one_day: Any, market: Any
) -> None:
    market.set_faults([Fault("bitstamp", "451", 1)])
    finished = one_day.run_well(symbols="BTC/USD,ETH/USD,SOL/USD", min_exchanges_required=2)
    [critical] = [line for line in finished.errors.splitlines() if "left alone" in line]
    assert levels_of(critical) == ["CRITICAL"]
    assert "bitstamp refuses requests" in critical
    # At most one a symbol, where they were on their way together.
    assert market.requests.candle_request_count("bitstamp") <= 3
    assert finished.report["status"] == "degraded"
    [trouble] = finished.report["exchange_troubles"].values()
    assert "451" in trouble["error"]
    assert finished.output.count(trouble["error"]) == 1
    for ticker in finished.report["tickers"]:
        assert (ticker["status"], ticker["errors"], ticker["covered_candles"]) == ("ok", [], 1440)
        assert ticker["exchanges"]["bitstamp"]["gap_candles"] == {"fetch_failed": 1440}


def test_an_exchange_that_refuses_fails_the_tickers_that_need_it(one_day: Any, market: Any) -> None:
    market.set_faults([Fault("bitstamp", "451", 1)])
    finished = one_day.run()
    assert finished.exit_code == SOME_TICKERS_FAILED
    assert finished.report["status"] == "failed"
    ticker = finished.ticker("BTC/USD")
    assert ticker["gap_candles"] == {"fetch_failed": 1440}
    words = "1,440 candles could not be merged: bitstamp left them unanswered"
    assert ticker["errors"] == [words]
    assert f"BTC/USD failed: {words}; 1,440 of 1,440 1m intervals missing" in finished.output
    [(exchange, trouble)] = finished.report["exchange_troubles"].items()
    assert exchange == "bitstamp"
    assert "451" in trouble["error"]
    # The cause is told once, whatever the number of symbols.
    assert finished.output.count(trouble["error"]) == 1


def test_one_tickers_failure_stops_no_other_one(one_day: Any) -> None:
    # Other digits in the folder of one symbol make its export fail.
    one_day.run_well(exchanges="bitstamp", symbols="BTC/USD", price_decimal_digits=4)
    finished = one_day.run(exchanges="bitstamp", symbols="BTC/USD,ETH/USD", price_decimal_digits=5)
    assert finished.exit_code == 1
    assert "another --data_root" in finished.ticker("BTC/USD")["errors"][0]
    assert finished.ticker("ETH/USD")["errors"] == []
    assert len(one_day.stored.exported("ETH/USD").frame) > 1000


def test_no_secret_shows_up_anywhere(one_day: Any, market: Any) -> None:
    environment = {"BINANCEUS__APIKEY": SECRET, "BINANCEUS__SECRET": SECRET}
    environment["REDIS_PASSWORD"] = SECRET
    market.set_faults([Fault("binanceus", "403", 1)])
    for flags in ({}, {"run_mode": "dry"}):
        finished = one_day.run(environment=environment, verbosity=1, **flags)
        assert finished.exit_code in (1, DEPENDENCY_DOWN)
        assert SECRET not in finished.errors + finished.output
    for path in one_day.folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
