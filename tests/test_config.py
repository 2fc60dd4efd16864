from dataclasses import FrozenInstanceError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ccxt.async_support
import pytest
from certificates import Certificates

from candle_ingestor.config import Config, Origin, config_from_flags
from candle_ingestor.config.exchange_flags import known_exchanges
from candle_ingestor.config.origins import VARIABLES
from candle_ingestor.config.showing import shown_settings
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import parse_time_ms

NOW_MS = parse_time_ms("2024-03-05T12:34:56Z")
DAY_MS = 86_400_000


def config(environment: dict[str, str] | None = None, **flags: Any) -> Config:
    names = [name for group in GROUPS.values() for name in group]
    values: Any = SimpleNamespace(**{name: FLAGS[name].default for name in names} | flags)
    environment = environment or {}
    origins = dict.fromkeys(names, Origin.DEFAULT)
    origins |= {n: Origin.ENVIRONMENT for n, v in VARIABLES.items() if environment.get(v)}
    origins |= dict.fromkeys(flags, Origin.FLAG)
    return config_from_flags(values, environment, origins)


def shown(found: Config) -> dict[str, tuple[str, str]]:
    return {name: (value, origin) for name, value, origin in shown_settings(found, NOW_MS)}


def complaint(environment: dict[str, str] | None = None, **flags: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config(environment, **flags).candles.resolved(NOW_MS)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_any_flag_there_is_a_whole_configuration() -> None:
    found = config()

    assert found.exchanges.names == ("binanceus", "coinbaseexchange", "bitstamp")
    assert found.rules == MergeRules(found.exchanges.names, 3)
    assert found.is_minimum_detected
    assert found.candles.timeframe == Timeframe(1)
    assert found.candles.resolved(NOW_MS) == (parse_time_ms("2023-03-05T00:00:00Z"), None)
    assert found.candles.catch_up_initial_ms == 7 * DAY_MS
    assert found.candles.refetch_last_candles == 2
    assert found.store.sqlite_path == Path("data/candles.sqlite")
    assert found.export.csv
    assert found.redis.host == "localhost"
    assert found.redis.port == 6379
    assert found.redis.password is None
    assert found.symbols.redis_key == "top_cryptocurrencies"
    assert found.warnings == ()
    assert found.secrets == ()


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        config().run.fail_fast = True  # type: ignore[misc]


def test_flags_are_taken_over(tmp_path: Path) -> None:
    found = config(
        exchanges=["Kraken", "bitstamp"],
        min_exchanges_required=1,
        max_price_deviation_pct=2.5,
        high_low="extremes",
        quote_aliases=["usd:usdt", " EUR:USDC "],
        candle_granularity_minutes=60,
        backfill_start_date="2024-01-01",
        backfill_end_date="2024-02-01",
        catch_up_initial_days=0.5,
        run_report_path=str(tmp_path / "report.json"),
        redis_host="cache",
        redis_port=1234,
        redis_password="hush",
        redis_key_crypto_symbols="mine",
        refetch_last_candles=5,
    )

    assert found.exchanges.names == ("kraken", "bitstamp")
    assert found.rules == MergeRules(
        ("kraken", "bitstamp"), 1, 2.5, HighLow.EXTREMES, (("USD", "USDT"), ("EUR", "USDC"))
    )
    assert not found.is_minimum_detected
    assert found.candles.timeframe == Timeframe(60)
    assert found.candles.resolved(NOW_MS) == (
        parse_time_ms("2024-01-01T00:00:00Z"),
        parse_time_ms("2024-02-01T00:00:00Z"),
    )
    assert found.candles.catch_up_initial_ms == DAY_MS // 2
    assert found.run.run_report_path == tmp_path / "report.json"
    assert (found.redis.host, found.redis.port, found.redis.password) == ("cache", 1234, "hush")
    assert found.symbols.redis_key == "mine"
    assert found.candles.refetch_last_candles == 5


def test_where_a_flag_is_silent_the_environment_speaks() -> None:
    environment = {
        "REDIS_HOST": "cache",
        "REDIS_PORT": "7000",
        "REDIS_PASSWORD": "hush",
        "REDIS_KEY_CRYPTO_SYMBOLS": "coins",
    }

    found = config(environment)
    assert (found.redis.host, found.redis.port, found.redis.password) == ("cache", 7000, "hush")
    assert found.symbols.redis_key == "coins"

    found = config(environment, redis_host="other", redis_port=1, redis_key_crypto_symbols="mine")
    assert (found.redis.host, found.redis.port) == ("other", 1)
    assert found.symbols.redis_key == "mine"


def test_empty_variables_are_none() -> None:
    empty = dict.fromkeys(
        ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_KEY_CRYPTO_SYMBOLS"), ""
    )

    assert config(empty) == config()


def test_a_number_of_days_is_short_for_a_start() -> None:
    assert config(days=30).candles == config(backfill_start_date="30_days_ago").candles


def test_former_exchange_names_are_warned_about() -> None:
    found = config(exchanges=["coinbasepro", "kraken"])

    assert found.exchanges.names == ("coinbaseexchange", "kraken")
    assert len(found.warnings) == 1


def test_settings_and_keys_come_together_for_the_exchanges_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.toml"
    path.write_text('[kraken]\nbase_url = "http://127.0.0.1:1"\n[gemini]\nrequest_delay_ms = 5\n')

    found = config(
        {"KRAKEN__APIKEY": "hush-hush", "GEMINI__APIKEY": "not used"},
        exchanges=["kraken", "bitstamp"],
        exchange_settings_file=str(path),
    )

    assert list(found.exchanges.settings) == ["kraken", "bitstamp"]
    assert found.exchanges.settings["kraken"].base_url == "http://127.0.0.1:1"
    assert found.exchanges.settings["kraken"].keys == {"apiKey": "hush-hush"}
    assert found.exchanges.settings["bitstamp"].base_url is None
    assert found.secrets == ("hush-hush",)


def test_no_backfill_is_no_start() -> None:
    assert config(backfill_start_date="skip").candles.resolved(NOW_MS) == (None, None)


def test_relative_dates_move_with_the_day_of_each_run() -> None:
    candles = config(backfill_start_date="2_days_ago", backfill_end_date="1_day_ago").candles

    start_ms, end_ms = candles.resolved(NOW_MS)
    assert start_ms is not None
    assert end_ms == start_ms + DAY_MS
    assert candles.resolved(NOW_MS + DAY_MS) == (end_ms, end_ms + DAY_MS)


def test_the_exchanges_known_are_those_of_ccxt_and_coingecko() -> None:
    assert known_exchanges() == tuple(sorted([*ccxt.async_support.exchanges, "coingecko"]))


def test_what_is_known_is_read_again_only_when_that_is_asked_for() -> None:
    def read_again_ms(**flags: Any) -> int | None:
        return config(**flags).candles.refetch_ms

    assert read_again_ms() is None
    assert read_again_ms(refetch_days=3) == 3 * DAY_MS
    assert (read_again_ms(force=True, refetch_days=3) or 0) > NOW_MS


def test_closing_prices_are_not_mixed_with_candles_unless_that_is_allowed() -> None:
    assert config(exchanges=["coingecko"]).exchanges.names == ("coingecko",)
    mixed = ["kraken", "coingecko"]
    said = complaint(exchanges=mixed)
    assert said.startswith("--exchanges: coingecko has closing prices only")
    assert "not merged with the candles of kraken" in said
    allowed = config(exchanges=mixed, allow_price_only_sources=True).exchanges
    assert allowed.names == tuple(mixed)
    assert allowed.may_mix_price_only


def test_degraded_runs_end_well_unless_they_are_to_fail() -> None:
    assert not config().run.fail_when_degraded
    assert config(fail_when_degraded=True).run.fail_when_degraded


def test_how_progress_is_shown_is_part_of_the_run() -> None:
    assert config().run.progress == "auto"
    assert config(progress="off").run.progress == "off"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"exchanges": []}, "--exchanges is empty"),
        ({"exchanges": ["krakn"]}, "did you mean kraken?"),
        ({"exchanges": ["kraken", "kraken"]}, "names kraken twice"),
        (
            {"min_exchanges_required": 5},
            "--min_exchanges_required=5 is more than the 3 given by --exchanges=",
        ),
        ({"backfill_start_date": "2999-01-01"}, "lies in the future"),
        ({"backfill_start_date": "tomorrow"}, "--backfill_start_date"),
        ({"backfill_start_date": "2023-02-30"}, "--backfill_start_date"),
        ({"backfill_start_date": "55_years_ago"}, "'55_years_ago' lies before 1970"),
        ({"backfill_end_date": "55_years_ago"}, "'55_years_ago' lies before 1970"),
        ({"backfill_end_date": "tomorrow"}, "--backfill_end_date"),
        (
            {"backfill_start_date": "skip", "backfill_end_date": "2024-01-01"},
            "--backfill_end_date needs a --backfill_start_date",
        ),
        (
            {"backfill_start_date": "2024-01-01", "backfill_end_date": "2024-01-01"},
            "--backfill_end_date=2024-01-01 is not after the start",
        ),
        (
            {"backfill_start_date": "2024-01-02", "backfill_end_date": "2024-01-01"},
            "is not after the start",
        ),
        ({"symbols": "BTC/USD", "symbols_file": "x.json"}, "--symbols and --symbols_file"),
        ({"quote_aliases": ["USD"]}, "--quote_aliases: 'USD' is no pair"),
        ({"quote_aliases": ["USD:USD"]}, "is no pair"),
        ({"quote_aliases": [":USDT"]}, "is no pair"),
        ({"quote_aliases": ["USD:"]}, "is no pair"),
        ({"quote_aliases": ["USD:USDT:X"]}, "is no pair"),
        ({"max_price_deviation_pct": float("nan")}, "max_price_deviation_pct"),
        ({"max_price_deviation_pct": float("inf")}, "max_price_deviation_pct"),
        ({"max_run_seconds": float("nan")}, "--max_run_seconds=nan"),
        ({"max_run_seconds": float("inf")}, "--max_run_seconds=inf"),
        ({"settle_seconds": float("nan")}, "--settle_seconds=nan"),
        ({"catch_up_initial_days": float("inf")}, "--catch_up_initial_days=inf"),
        ({"request_timeout_seconds": float("inf")}, "--request_timeout_seconds=inf"),
        ({"api_call_delay_seconds": float("nan")}, "--api_call_delay_seconds=nan"),
        ({"markets_cache_hours": float("nan")}, "--markets_cache_hours=nan"),
        ({"sqlite_path": ""}, "--sqlite_path is empty"),
        ({"data_root": " "}, "--data_root is empty"),
        ({"exchange_settings_file": "/nowhere/x.toml"}, "cannot read /nowhere/x.toml"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_flag(
    flags: dict[str, Any], words: str
) -> None:
    message = complaint(**flags)

    assert words in message
    assert any(name in message for name in flags)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "63.5", "9" * 50])
def test_a_port_in_the_environment_that_is_none_is_refused(port: str) -> None:
    assert "$REDIS_PORT" in complaint({"REDIS_PORT": port})


def test_a_redis_port_of_the_flag_needs_no_sane_environment() -> None:
    assert config({"REDIS_PORT": "nonsense"}, redis_port=5).redis.port == 5


def test_a_redis_port_that_kubernetes_sets_for_a_service_is_understood() -> None:
    assert config({"REDIS_PORT": "tcp://10.0.0.7:7000"}).redis.port == 7000
    assert "$REDIS_PORT" in complaint({"REDIS_PORT": "tcp://10.0.0.7"})


URL = "rediss://jobs:hush@cache:6380/2"


def test_a_redis_url_says_all_at_once() -> None:
    environment = {"REDIS_HOST": "elsewhere", "REDIS_PORT": "1", "REDIS_PASSWORD": "other"}
    for found in (
        config(environment, redis_url=URL),
        config(environment | {"REDIS_URL": URL}),
        config({"REDIS_URL": "redis://elsewhere"}, redis_url=URL),
    ):
        redis = found.redis
        assert (redis.host, redis.port, redis.username) == ("cache", 6380, "jobs")
        assert (redis.password, redis.database, redis.is_tls) == ("hush", 2, True)
        assert found.uses_redis
        assert found.secrets == ("hush",)
        assert "hush" not in f"{found!r} {shown(found)}"
        assert shown(found)["redis_password"][0] == "set"


def test_a_redis_url_is_shown_without_its_password() -> None:
    address = "cache:6380 (TLS, user jobs, database 2)"
    assert shown(config(redis_url=URL))["redis_url"][0] == address
    assert shown(config({"REDIS_URL": URL}))["redis_url"] == (address, "$REDIS_URL")


def test_single_flags_win_over_a_redis_url_of_the_environment() -> None:
    found = config({"REDIS_URL": URL}, redis_host="cache2").redis
    assert (found.host, found.port, found.password, found.is_tls) == ("cache2", 6379, None, False)


def test_a_redis_url_without_a_password_takes_the_one_given_apart() -> None:
    url = "rediss://jobs@cache"
    assert config({"REDIS_PASSWORD": "hush"}, redis_url=url).redis.password == "hush"
    assert config({"REDIS_URL": url}, redis_password="hush").redis.password == "hush"
    assert config({"REDIS_URL": URL}, redis_password="other").redis.password == "other"


@pytest.mark.parametrize("flags", [{"redis_host": "h"}, {"redis_port": 1}])
def test_a_redis_url_and_single_flags_contradict_each_other(flags: dict[str, Any]) -> None:
    message = complaint(redis_url=URL, **flags)
    assert "--redis_url" in message
    assert f"--{next(iter(flags))}" in message
    assert "hush" not in message


def test_two_redis_passwords_contradict_each_other() -> None:
    message = complaint(redis_url=URL, redis_password="another")
    assert "--redis_password" in message
    assert "hush" not in message
    assert "another" not in message


def test_a_ca_file_must_hold_certificates_and_belong_to_a_connection_with_tls(
    tmp_path: Path, certificates: Certificates
) -> None:
    no_pem = tmp_path / "no.pem"
    no_pem.write_text("no certificate")
    influxdb = {"INFLUXDB_TOKEN": "t", "INFLUXDB_ORG": "o", "INFLUXDB_BUCKET": "b"}
    for name, plain, tls in (
        ("redis", {"redis_url": "redis://cache"}, {"redis_url": "rediss://cache"}),
        ("influxdb", {"influxdb_url": "http://db"}, {"influxdb_url": "https://db"}),
    ):
        flag, variable = f"{name}_ca_file", f"{name}_ca_file".upper()
        good = str(certificates.ca_file)
        assert "with TLS" in complaint(influxdb, **plain, **{flag: good})
        assert f"--{flag}: " in complaint(influxdb, **tls, **{flag: str(no_pem)})
        missing = complaint(influxdb | {variable: str(tmp_path / "missing")}, **tls)
        assert f"${variable}: cannot read" in missing
        assert "No such file" in missing
        for found in (
            config(influxdb, **tls, **{flag: good}),
            config(influxdb | {variable: good}, **tls),
        ):
            connection = found.redis if name == "redis" else found.store.influxdb
            assert connection is not None
            assert connection.ca_file == certificates.ca_file


def test_proxies_come_from_the_environment_and_their_login_is_a_secret() -> None:
    found = config({"HTTPS_PROXY": "http://me:hush@proxy:3128"})
    assert found.exchanges.proxies.proxy_for("https://api.kraken.com")
    assert found.secrets == ("hush",)
    assert shown(found)["proxy"] == ("proxy:3128 for https", "environment")
    assert shown(config())["proxy"] == ("-", "default")


def secretive(tmp_path: Path) -> Config:
    path = tmp_path / "exchanges.toml"
    path.write_text('[kraken]\nbase_url = "http://me:hush-url@proxy:1/kraken"\n')
    environment = {"REDIS_PASSWORD": "hush-redis", "KRAKEN__SECRET": "hush-key"}
    environment |= {"INFLUXDB_TOKEN": "hush-token", "INFLUXDB_ORG": "o", "INFLUXDB_BUCKET": "b"}
    return config(
        environment,
        exchanges=["kraken"],
        exchange_settings_file=str(path),
        tiingo_api_key="hush-tiingo",
    )


def test_no_secret_is_shown(tmp_path: Path) -> None:
    found = secretive(tmp_path)

    table = shown(found)
    assert "hush" not in str(table)
    assert set(found.secrets) == {"hush-redis", "hush-key", "hush-token", "hush-tiingo"}
    assert table["redis_password"] == ("set", "$REDIS_PASSWORD")
    assert table["influxdb_token"] == ("set", "$INFLUXDB_TOKEN")
    assert shown(config())["redis_password"] == ("-", "default")
    for secret in found.secrets:
        assert secret not in repr(found)


def test_the_configuration_is_shown_in_texts_with_where_they_come_from(tmp_path: Path) -> None:
    table = shown(secretive(tmp_path))

    names = {name for group in GROUPS.values() for name in group}
    assert names - {"tiingo_api_key"} <= table.keys()
    assert table["exchanges"] == ("kraken", "flag")
    assert table["candle_granularity_minutes"] == ("1 (1m)", "default")
    assert table["min_exchanges_required"] == ("1", "default")
    assert table["backfill_start_date"] == ("1_year_ago (2023-03-05T00:00:00Z)", "default")
    assert table["backfill_end_date"] == ("-", "default")
    assert table["catch_up_initial_days"] == ("7", "default")
    assert table["influxdb_org"] == ("o", "$INFLUXDB_ORG")
    assert table["now"][0] == "2024-03-05T12:34:56Z"
    assert "proxy:1/kraken" in table["exchange kraken"][0]
    assert shown(config(backfill_start_date="skip"))["backfill_start_date"] == ("skip", "flag")


INFLUXDB = {
    "INFLUXDB_TOKEN": "s3cret-token",
    "INFLUXDB_ORG": "desk",
    "INFLUXDB_BUCKET": "market",
}


def test_a_token_makes_influxdb_the_store_and_is_shown_nowhere() -> None:
    found = config(INFLUXDB)
    assert found.store.influxdb is not None
    assert (found.store.influxdb.url, found.store.influxdb.bucket) == (
        "http://localhost:8086",
        "market",
    )
    assert "s3cret-token" in found.secrets
    assert "s3cret-token" not in repr(found) + str(shown(found))
    assert shown(found)["store"] == ("influxdb", "default")
    assert shown(found)["influxdb_bucket"] == ("market", "$INFLUXDB_BUCKET")


def test_without_a_token_or_by_choice_the_store_is_sqlite() -> None:
    assert config().store.influxdb is None
    assert config(INFLUXDB, store="sqlite").store.influxdb is None


def test_influxdb_without_what_it_needs_is_refused_by_the_name_of_the_flag() -> None:
    assert "--influxdb_token" in complaint(store="influxdb")
    lacking = {k: v for k, v in INFLUXDB.items() if k != "INFLUXDB_ORG"}
    assert complaint(lacking) == "--influxdb_org is not given; set it, or INFLUXDB_ORG"


def test_without_a_name_the_bucket_is_called_candles() -> None:
    lacking = {k: v for k, v in INFLUXDB.items() if k != "INFLUXDB_BUCKET"}
    for found in (config(lacking), config(influxdb_token="t", influxdb_org="desk")):
        assert found.store.influxdb is not None
        assert found.store.influxdb.bucket == "candles"


@pytest.mark.parametrize(
    ("environment", "flags", "words"),
    [
        (INFLUXDB, {"sqlite_path": "c.sqlite"}, "--sqlite_path is given, but INFLUXDB_TOKEN is"),
        ({}, {"sqlite_path": "c.sqlite", "influxdb_token": "t"}, "--influxdb_token is given"),
        ({}, {"influxdb_org": "desk"}, "--influxdb_org is given, and no token"),
        ({}, {"influxdb_token": "", "influxdb_org": "desk"}, "--influxdb_token is given, and no"),
    ],
)
def test_flags_of_one_store_are_refused_where_the_other_one_would_be_taken(
    environment: dict[str, str], flags: dict[str, Any], words: str
) -> None:
    message = complaint(environment, **flags)

    assert words in message
    assert "--store=sqlite" in message


def test_a_store_that_is_chosen_needs_no_flag_to_be_left_out() -> None:
    chosen = config(INFLUXDB, store="sqlite", sqlite_path="c.sqlite")
    assert (chosen.store.influxdb, chosen.warnings) == (None, ())

    both = config(INFLUXDB, store="influxdb", sqlite_path="c.sqlite")
    assert "--sqlite_path keeps no candles" in both.warnings[0]
    both = config(store="sqlite", influxdb_bucket="market")
    assert "--influxdb_bucket: without effect" in both.warnings[0]
    # Where variables of a shell say where InfluxDB is, that is no wish for it.
    assert config({"INFLUXDB_ORG": "desk"}).store.influxdb is None


def test_a_key_of_the_older_service_is_passed_over_with_what_to_do() -> None:
    found = config(tiingo_api_key="hush-hush")

    assert "hush" not in str(found.warnings) + repr(found)
    assert "--tiingo_api_key is ignored" in found.warnings[0]
    assert "--exchanges" in found.warnings[0]


def test_redis_is_used_where_symbols_come_from_it_or_its_host_is_named() -> None:
    assert config().uses_redis
    assert not config(symbols="BTC/USD").uses_redis
    assert config(symbols="BTC/USD", redis_host="cache").uses_redis
    assert config({"REDIS_HOST": "cache"}, symbols="BTC/USD").uses_redis


def test_a_home_folder_may_be_written_as_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A shell leaves it alone behind the `=` of a flag.
    monkeypatch.setenv("HOME", str(tmp_path))

    found = config(sqlite_path="~/candles.sqlite", data_root="~/csv", archive_dir="~/history")
    nobody = config(data_root="~nobody-of-that-name/x")

    assert found.store.sqlite_path == tmp_path / "candles.sqlite"
    assert found.export.data_root == tmp_path / "csv"
    assert found.archives.folder == tmp_path / "history"
    assert nobody.export.data_root == Path("~nobody-of-that-name/x")


def test_an_empty_archive_dir_is_no_folder() -> None:
    assert "--archive_dir is empty" in complaint(archive_dir="")
