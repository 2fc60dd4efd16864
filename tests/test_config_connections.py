"""Redis, store and proxies as flags and environment name them, and what is shown of them."""

from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from flag_values import NOW_MS, complaint, config

from candle_ingestor.config import Config
from candle_ingestor.config.showing import shown_settings
from candle_ingestor.flags import GROUPS


def shown(found: Config) -> dict[str, tuple[str, str]]:
    return {name: (value, origin) for name, value, origin in shown_settings(found, NOW_MS)}


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


def test_redis_is_used_where_symbols_come_from_it_or_its_host_is_named() -> None:
    assert config().uses_redis
    assert not config(symbols="BTC/USD").uses_redis
    assert config(symbols="BTC/USD", redis_host="cache").uses_redis
    assert config({"REDIS_HOST": "cache"}, symbols="BTC/USD").uses_redis
