"""Settings of single exchanges: the settings file and API keys from the environment."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.names import COINGECKO, RENAMED, unknown_name

_KEY_FIELDS = {
    "APIKEY": "apiKey",
    "SECRET": "secret",
    "PASSWORD": "password",
    "UID": "uid",
    "TOKEN": "token",
}

_ID = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class ExchangeSettings:
    """How to talk to one exchange, where it differs from what ccxt does by itself.

    Attributes:
        base_url: replaces scheme and host of all the exchange's addresses; their paths stay.
        requests_per_minute: an even pace in place of ccxt's; 0 switches pacing off.
        request_delay_ms: the least time between two requests.
        options: ccxt's options for the exchange.
        keys: ccxt's credential fields; never shown.
        ids: of CoinGecko, the id of the coin that a ticker means, by ticker in capitals.
    """

    base_url: str | None = None
    requests_per_minute: float | None = None
    request_delay_ms: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    ids: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> str:
        """What is set, as a person reads it; of keys only that there are some."""
        parts = {
            "base_url": self.base_url,
            "requests_per_minute": self.requests_per_minute,
            "request_delay_ms": self.request_delay_ms,
            "options": dict(self.options) or None,
            "ids": dict(self.ids) or None,
            "API key": "set" if self.keys else None,
        }
        said = [f"{name} {value}" for name, value in parts.items() if value is not None]
        return ", ".join(said) or "defaults"


def read_settings_file(path: Path, known: Collection[str]) -> dict[str, ExchangeSettings]:
    """The settings by exchange id, from a TOML file with a table an exchange.

    `known` are the ids that there are. Tables of exchanges that a run does not use are welcome.

    Raises:
        ConfigurationError: if the file cannot be read or says something it cannot.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"--exchange_settings_file: cannot read {path}: {error.strerror}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--exchange_settings_file: {path} is no TOML: {error}") from error
    settings: dict[str, ExchangeSettings] = {}
    for exchange, table in tables.items():
        name = RENAMED.get(exchange.lower(), exchange.lower())
        where = f"--exchange_settings_file: {path}, table {exchange}"
        if name not in known:
            raise ConfigurationError(f"{where}: {unknown_name(name, known)}")
        if name in settings:
            raise ConfigurationError(f"{where}: another table is for {name} too; keep one")
        settings[name] = _from_table(table, where, has_ids=name == COINGECKO)
    return settings


def keys_from_environment(
    environment: Mapping[str, str], exchanges: Collection[str]
) -> dict[str, dict[str, str]]:
    """ccxt's credential fields by exchange, from variables such as `BINANCE__APIKEY`."""
    keys: dict[str, dict[str, str]] = {}
    for name, value in environment.items():
        exchange, separator, key = name.partition("__")
        exchange = RENAMED.get(exchange.lower(), exchange.lower())
        if separator and value and exchange in exchanges and key.upper() in _KEY_FIELDS:
            keys.setdefault(exchange, {})[_KEY_FIELDS[key.upper()]] = value
    return keys


def _from_table(table: Any, where: str, *, has_ids: bool) -> ExchangeSettings:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: expected a table such as [kraken]")
    known = ["base_url", "requests_per_minute", "request_delay_ms", "options"]
    known += ["ids"] if has_ids else []
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ConfigurationError(
            f"{where}: unknown key '{unknown[0]}'; known are {', '.join(known)}"
        )
    base_url = table.get("base_url")
    if base_url is not None and not _is_http_url(base_url):
        raise ConfigurationError(f"{where}: base_url must be an http or https address")
    for key in ("requests_per_minute", "request_delay_ms"):
        value = table.get(key)
        if value is not None and not (_is_number(value) and value >= 0):
            raise ConfigurationError(f"{where}: {key} must be a number of 0 or more")
    if not isinstance(table.get("options", {}), dict):
        raise ConfigurationError(f"{where}: options must be a table")
    return ExchangeSettings(
        base_url=base_url.rstrip("/") if base_url else None,
        requests_per_minute=table.get("requests_per_minute"),
        request_delay_ms=table.get("request_delay_ms"),
        options=table.get("options", {}),
        ids=_ids(table.get("ids", {}), where),
    )


def _ids(table: Any, where: str) -> dict[str, str]:
    is_table = isinstance(table, dict)
    if not is_table or not all(isinstance(v, str) and _ID.fullmatch(v) for v in table.values()):
        raise ConfigurationError(
            f"{where}: ids must be a table of tickers with the ids of their coins, such as "
            'BTC = "bitcoin"'
        )
    return {ticker.upper(): coin_id for ticker, coin_id in table.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_http_url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
