"""Where the value of a flag comes from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol


class Origin(StrEnum):
    """In the order in which one wins over the next."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "config file"
    DEFAULT = "default"


Origins = Mapping[str, Origin]
"""By flag name; a name that is not there has its default."""

VARIABLES: Mapping[str, str] = {
    "redis_url": "REDIS_URL",
    "redis_host": "REDIS_HOST",
    "redis_port": "REDIS_PORT",
    "redis_password": "REDIS_PASSWORD",
    "redis_ca_file": "REDIS_CA_FILE",
    "redis_key_crypto_symbols": "REDIS_KEY_CRYPTO_SYMBOLS",
    "influxdb_url": "INFLUXDB_URL",
    "influxdb_token": "INFLUXDB_TOKEN",
    "influxdb_org": "INFLUXDB_ORG",
    "influxdb_bucket": "INFLUXDB_BUCKET",
    "influxdb_ca_file": "INFLUXDB_CA_FILE",
}
"""The variable of the environment that stands in for a flag, by the flag's name."""

ALTERNATIVES = (
    ("symbols", "symbols_file"),
    ("backfill_start_date", "days"),
    ("redis_url", "redis_host"),
    ("redis_url", "redis_port"),
)
"""Flags that say the same in two ways. On the command line only one may be given, and in a file."""

SECRETS = frozenset({"redis_url", "redis_password", "influxdb_token", "tiingo_api_key"})
"""Flags whose values appear nowhere (rule F5)."""


class Flag(Protocol):
    """A parsed flag; `present` is how often it was given on the command line."""

    @property
    def present(self) -> int: ...


def origins_of(
    flags: Mapping[str, Flag], environment: Mapping[str, str], in_file: Collection[str] = ()
) -> dict[str, Origin]:
    """The origin of every flag; `in_file` are the names that a file of flags gives.

    What the file says in another way than the command line or the environment is passed over.
    """

    def stronger(name: str) -> Origin | None:
        if name in flags and flags[name].present:
            return Origin.FLAG
        return Origin.ENVIRONMENT if environment.get(VARIABLES.get(name, "")) else None

    def origin(name: str) -> Origin:
        found = stronger(name)
        if found is not None:
            return found
        is_said_otherwise = any(stronger(other) is not None for other in alternatives_of(name))
        return Origin.FILE if name in in_file and not is_said_otherwise else Origin.DEFAULT

    return {name: origin(name) for name in flags}


def contradictions(origins: Origins) -> list[tuple[str, str]]:
    """The pairs of flags that say the same in two ways, and in the same place."""
    return [
        (first, second)
        for first, second in ALTERNATIVES
        if origins.get(first) == origins.get(second) in (Origin.FLAG, Origin.FILE)
    ]


def alternatives_of(name: str) -> list[str]:
    """The flags that say the same as this one in another way."""
    return [other for pair in ALTERNATIVES if name in pair for other in pair if other != name]
