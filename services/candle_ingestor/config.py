"""What a run is configured to do: frozen, validated, with nothing left to look up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import ccxt

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.availability import resolve_minimum
from candle_ingestor.exchanges.names import resolve_names
from candle_ingestor.exchanges.settings import (
    ExchangeSettings,
    keys_from_environment,
    read_settings_file,
)
from candle_ingestor.merge.rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.redis_client import RedisConnection
from candle_ingestor.operations.secrets import Redactor
from candle_ingestor.stores.influxdb_connection import InfluxDbConnection
from candle_ingestor.symbols.start_date import SKIP, parse_end_date, parse_start_date

DAY_MS = 86_400_000
INFLUXDB_TIMEOUT_SECONDS = 12.0
"""Short enough that a run told to end leaves within 20 s, whatever request is in hand."""

_REAL_NUMBERS = (
    "max_run_seconds",
    "api_call_delay_seconds",
    "request_timeout_seconds",
    "markets_cache_hours",
    "catch_up_initial_days",
    "settle_seconds",
)


class FlagValues(Protocol):
    """Parsed flags, as attributes of their names."""

    def __getattr__(self, name: str) -> Any: ...


@dataclass(frozen=True)
class Config:
    """One run's configuration, in the words of the flags that it comes from.

    Attributes:
        backfill_start_ms: None where only catch-up is asked for.
        backfill_end_ms: excluded; None where there is none.
        warnings: what the user should know of how the flags were read.
    """

    run_mode: str
    max_run_seconds: float
    fail_fast: bool
    dry_run_limit: int
    run_report_path: Path | None
    symbols: str | None
    symbols_file: Path | None
    redis: RedisConnection
    redis_key_crypto_symbols: str
    exchanges: tuple[str, ...]
    exchange_settings: Mapping[str, ExchangeSettings]
    api_call_delay_seconds: float
    request_timeout_seconds: float
    markets_cache_hours: float
    timeframe: Timeframe
    backfill_start_ms: int | None
    backfill_end_ms: int | None
    catch_up_initial_ms: int
    settle_seconds: float
    refetch_last_candles: int
    rules: MergeRules
    is_minimum_detected: bool
    uses_redis: bool
    influxdb: InfluxDbConnection | None
    create_bucket: bool
    sqlite_path: Path
    service_identifier: str
    export_csv: bool
    data_root: Path
    export_exchange_candles: bool
    price_decimal_digits: int | None
    volume_decimal_digits: int | None
    restate: bool
    warnings: tuple[str, ...] = field(default=())

    @property
    def refetch_ms(self) -> int:
        return self.refetch_last_candles * self.timeframe.duration_ms

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must appear nowhere (rule F5)."""
        keys = [v for s in self.exchange_settings.values() for v in s.keys.values()]
        token = self.influxdb.token if self.influxdb else None
        return tuple(filter(None, [self.redis.password, token, *keys]))

    def shown(self) -> dict[str, str]:
        """The configuration as a person reads it, in the words of the flags, secrets hidden."""
        skipped = {"redis", "uses_redis", "influxdb", "sqlite_path", "create_bucket", "warnings"}
        skipped |= {"exchange_settings", "rules", "is_minimum_detected"}
        shown = {
            f.name: _shown(getattr(self, f.name)) for f in fields(self) if f.name not in skipped
        }
        for name in ("backfill_start_ms", "backfill_end_ms"):
            value = getattr(self, name)
            if value is not None:
                shown[name] = iso_text(value)
        has_password = "password set" if self.redis.password else "no password"
        shown["store"] = str(self.influxdb) if self.influxdb else f"SQLite at {self.sqlite_path}"
        shown["redis"] = f"{self.redis.host}:{self.redis.port}, {has_password}"
        shown["min_exchanges_required"] = str(self.rules.min_exchanges)
        shown["max_price_deviation_pct"] = str(self.rules.max_price_deviation_pct)
        shown["high_low"] = self.rules.high_low.value
        shown["quote_aliases"] = _shown(tuple(":".join(p) for p in self.rules.quote_aliases))
        for exchange, settings in self.exchange_settings.items():
            shown[exchange] = settings.shown()
        redactor = Redactor(self.secrets)
        return {name: redactor.redact(text) for name, text in shown.items()}


def config_from_flags(values: FlagValues, environment: Mapping[str, str], now_ms: int) -> Config:
    """The configuration that flags and environment say.

    Raises:
        ConfigurationError: at the first thing that cannot be, naming the flag.
    """
    for name in _REAL_NUMBERS:
        if not math.isfinite(getattr(values, name)):
            raise ConfigurationError(f"--{name}={getattr(values, name)} is no number to work with")
    exchanges, renamed = resolve_names(values.exchanges, ccxt.exchanges)
    timeframe = Timeframe(values.candle_granularity_minutes)
    start = parse_start_date(values.backfill_start_date, now_ms)
    start_ms = None if start is SKIP else start
    end_ms = _end_ms(values.backfill_end_date, start_ms, now_ms)
    if values.symbols is not None and values.symbols_file is not None:
        raise ConfigurationError("--symbols and --symbols_file contradict each other; give one")
    return Config(
        run_mode=values.run_mode,
        max_run_seconds=values.max_run_seconds,
        fail_fast=values.fail_fast,
        dry_run_limit=values.dry_run_limit,
        run_report_path=_path(values.run_report_path),
        symbols=values.symbols,
        symbols_file=_path(values.symbols_file),
        redis=_redis(values, environment),
        redis_key_crypto_symbols=values.redis_key_crypto_symbols
        or environment.get("REDIS_KEY_CRYPTO_SYMBOLS")
        or "top_cryptocurrencies",
        exchanges=exchanges,
        exchange_settings=_exchange_settings(values, environment, exchanges),
        api_call_delay_seconds=values.api_call_delay_seconds,
        request_timeout_seconds=values.request_timeout_seconds,
        markets_cache_hours=values.markets_cache_hours,
        timeframe=timeframe,
        backfill_start_ms=start_ms,
        backfill_end_ms=end_ms,
        catch_up_initial_ms=round(values.catch_up_initial_days * DAY_MS),
        settle_seconds=values.settle_seconds,
        refetch_last_candles=values.refetch_last_candles,
        rules=_rules(values, exchanges),
        is_minimum_detected=values.min_exchanges_required == 0,
        uses_redis=_uses_redis(values, environment),
        influxdb=_influxdb(values, environment),
        create_bucket=values.create_bucket,
        sqlite_path=_needed_path("sqlite_path", values.sqlite_path),
        service_identifier=values.service_identifier,
        export_csv=values.export_csv,
        data_root=_needed_path("data_root", values.data_root),
        export_exchange_candles=values.export_exchange_candles,
        price_decimal_digits=values.price_decimal_digits,
        volume_decimal_digits=values.volume_decimal_digits,
        restate=values.restate,
        warnings=renamed,
    )


def _end_ms(text: str | None, start_ms: int | None, now_ms: int) -> int | None:
    if text is None:
        return None
    end_ms = parse_end_date(text, now_ms)
    if start_ms is None:
        raise ConfigurationError(
            "--backfill_end_date needs a --backfill_start_date that is a day, not skip"
        )
    if end_ms <= start_ms:
        raise ConfigurationError(
            f"--backfill_end_date={text} is not after the start; the end day itself is left out"
        )
    return end_ms


def _redis(values: FlagValues, environment: Mapping[str, str]) -> RedisConnection:
    port = values.redis_port
    if port is None:
        text = environment.get("REDIS_PORT") or "6379"
        if not text.isdecimal() or not 1 <= int(text) <= 65535:
            raise ConfigurationError(f"$REDIS_PORT is '{text[:20]}', which is no port number")
        port = int(text)
    return RedisConnection(
        host=values.redis_host or environment.get("REDIS_HOST") or "localhost",
        port=port,
        password=values.redis_password or environment.get("REDIS_PASSWORD") or None,
    )


def _uses_redis(values: FlagValues, environment: Mapping[str, str]) -> bool:
    has_symbols = values.symbols is not None or values.symbols_file is not None
    return bool(not has_symbols or values.redis_host or environment.get("REDIS_HOST"))


def _influxdb(values: FlagValues, environment: Mapping[str, str]) -> InfluxDbConnection | None:
    token = values.influxdb_token or environment.get("INFLUXDB_TOKEN") or ""
    if values.store == "sqlite" or (values.store == "auto" and not token):
        return None
    return InfluxDbConnection(
        url=values.influxdb_url or environment.get("INFLUXDB_URL") or "http://localhost:8086",
        token=token,
        org=values.influxdb_org or environment.get("INFLUXDB_ORG") or "",
        bucket=values.influxdb_bucket or environment.get("INFLUXDB_BUCKET") or "",
        timeout_seconds=INFLUXDB_TIMEOUT_SECONDS,
    )


def _exchange_settings(
    values: FlagValues, environment: Mapping[str, str], exchanges: tuple[str, ...]
) -> dict[str, ExchangeSettings]:
    path = _path(values.exchange_settings_file)
    from_file = read_settings_file(path, ccxt.exchanges) if path is not None else {}
    keys = keys_from_environment(environment, exchanges)
    settings = {}
    for exchange in exchanges:
        said = from_file.get(exchange, ExchangeSettings())
        settings[exchange] = ExchangeSettings(
            said.base_url,
            said.requests_per_minute,
            said.request_delay_ms,
            said.options,
            keys.get(exchange, {}),
        )
    return settings


def _rules(values: FlagValues, exchanges: tuple[str, ...]) -> MergeRules:
    try:
        return MergeRules(
            exchanges,
            resolve_minimum(exchanges, values.min_exchanges_required),
            values.max_price_deviation_pct,
            HighLow(values.high_low),
            tuple(_alias(text) for text in values.quote_aliases),
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _alias(text: str) -> tuple[str, str]:
    quote, separator, stand_in = text.strip().upper().partition(":")
    if not separator or not quote.isalnum() or not stand_in.isalnum() or quote == stand_in:
        raise ConfigurationError(f"--quote_aliases: '{text[:40]}' is no pair such as USD:USDT")
    return quote, stand_in


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _needed_path(name: str, text: str) -> Path:
    if not text.strip():
        raise ConfigurationError(f"--{name} is empty; give a path, or leave the flag out")
    return Path(text)


def _shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)
