"""Which store candles are kept in, as flags and environment say."""

from __future__ import annotations

from collections.abc import Mapping

from candle_ingestor.config.given import FlagValues, ca_file_of, needed_path, text_of
from candle_ingestor.config.groups import StoreConfig
from candle_ingestor.config.origins import Origin, Origins
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

INFLUXDB_TIMEOUT_SECONDS = 12.0
"""Short enough that a run told to end leaves within 20 s, whatever request is in hand."""

DEFAULT_BUCKET = "candles"

_INFLUXDB_PLACE = ("influxdb_token", "influxdb_url", "influxdb_org", "influxdb_bucket")


def store_from_flags(
    values: FlagValues, environment: Mapping[str, str], origins: Origins
) -> StoreConfig:
    """The store that is named; with --store=auto InfluxDB where there is a token for it.

    Raises:
        ConfigurationError: if flags contradict each other or say what cannot be.
    """
    return StoreConfig(
        influxdb=_influxdb(values, environment, origins),
        create_bucket=values.create_bucket,
        sqlite_path=needed_path("sqlite_path", values.sqlite_path),
        service_identifier=values.service_identifier,
    )


def store_flags_passed_over(values: FlagValues, origins: Origins) -> list[str]:
    """Warnings about flags of the store that --store says is not used."""
    if values.store == "influxdb" and origins.get("sqlite_path") in (Origin.FLAG, Origin.FILE):
        return ["--sqlite_path keeps no candles, since --store=influxdb is given"]
    named = [f"--{name}" for name in _INFLUXDB_PLACE if origins.get(name) is Origin.FLAG]
    if values.store == "sqlite" and named:
        return [f"{', '.join(named)}: without effect, since --store=sqlite is given"]
    return []


def _influxdb(
    values: FlagValues, environment: Mapping[str, str], origins: Origins
) -> InfluxDbConnection | None:
    token = text_of("influxdb_token", values, environment) or ""
    if values.store == "auto":
        _require_one_store(token, origins)
    if values.store == "sqlite" or (values.store == "auto" and not token):
        return None
    return InfluxDbConnection(
        url=text_of("influxdb_url", values, environment) or "http://localhost:8086",
        token=token,
        org=text_of("influxdb_org", values, environment) or "",
        bucket=text_of("influxdb_bucket", values, environment) or DEFAULT_BUCKET,
        timeout_seconds=INFLUXDB_TIMEOUT_SECONDS,
        ca_file=ca_file_of("influxdb_ca_file", values, environment),
    )


def _require_one_store(token: str, origins: Origins) -> None:
    """Refuses flags of one store where --store=auto makes it the other."""
    given = {Origin.FLAG, Origin.FILE}
    named = [name for name in _INFLUXDB_PLACE if origins.get(name) in given]
    if named and not token:
        raise ConfigurationError(
            f"--{named[0]} is given, and no token: set --influxdb_token or INFLUXDB_TOKEN, or "
            "choose SQLite with --store=sqlite"
        )
    if token and origins.get("sqlite_path") in given:
        where = "INFLUXDB_TOKEN is set"
        if origins.get("influxdb_token") in given:
            where = "--influxdb_token is given"
        raise ConfigurationError(
            f"--sqlite_path is given, but {where}, which makes InfluxDB the store; add "
            "--store=sqlite to keep candles in the file, or leave --sqlite_path out"
        )
