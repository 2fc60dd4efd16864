"""The configuration as a person reads it: every flag as it is typed, its value and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from candle_ingestor.config.groups import Config
from candle_ingestor.config.origins import VARIABLES, Origin
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.secrets import Redactor
from candle_ingestor.symbols.start_date import Skip


class ShownSetting(NamedTuple):
    """One row: a flag's name, its value as text without secrets, and where that comes from."""

    name: str
    value: str
    origin: str


def shown_settings(config: Config, now_ms: int) -> list[ShownSetting]:
    """Every flag that the configuration knows of, then a row an exchange.

    Dates are told with the time that they name for a run that starts at `now_ms`.
    """
    redactor = Redactor(config.secrets)
    values = {**config.raw, **_by_flag(config, now_ms)}
    # In the order of the help, as far as that is told.
    names = dict.fromkeys([*(name for name in config.origins if name in values), *values])
    rows = [
        ShownSetting(name, redactor.redact(_shown(values[name])), _origin(config, name))
        for name in names
    ]
    proxies = config.exchanges.proxies.shown()
    origin = Origin.DEFAULT if proxies is None else Origin.ENVIRONMENT
    rows.append(ShownSetting("proxy", redactor.redact(_shown(proxies)), origin.value))
    return rows + [
        ShownSetting(f"exchange {name}", redactor.redact(settings.shown()), "")
        for name, settings in config.exchanges.settings.items()
    ]


def _origin(config: Config, name: str) -> str:
    origin = config.origins.get(name, Origin.DEFAULT)
    return f"${VARIABLES[name]}" if origin is Origin.ENVIRONMENT else origin.value


def _by_flag(config: Config, now_ms: int) -> Mapping[str, object]:
    run, exchanges, candles, export = config.run, config.exchanges, config.candles, config.export
    influxdb, redis = config.store.influxdb, config.redis
    start_ms, end_ms = candles.resolved(now_ms)
    place: dict[str, object] = {}
    if influxdb is not None:
        place = {
            "influxdb_url": influxdb.url,
            "influxdb_org": influxdb.org,
            "influxdb_bucket": influxdb.bucket,
            "influxdb_ca_file": influxdb.ca_file,
        }
    return place | {
        "influxdb_token": "set" if influxdb or config.is_given("influxdb_token") else None,
        "max_run_seconds": run.max_run_seconds,
        "fail_fast": run.fail_fast,
        "fail_when_degraded": run.fail_when_degraded,
        "dry_run_limit": run.dry_run_limit,
        "run_report_path": run.run_report_path,
        "download_list_path": run.download_list_path,
        "progress": run.progress,
        "now": iso_text(now_ms),
        "symbols": config.symbols.symbols,
        "symbols_file": config.symbols.symbols_file,
        "tier": config.symbols.tiers,
        "redis_url": redis.address if config.is_given("redis_url") else None,
        "redis_ca_file": redis.ca_file,
        "redis_host": redis.host,
        "redis_port": redis.port,
        "redis_password": "set" if redis.password else None,
        "redis_key_crypto_symbols": config.symbols.redis_key,
        "exchanges": exchanges.names,
        "api_call_delay_seconds": exchanges.api_call_delay_seconds,
        "request_timeout_seconds": exchanges.request_timeout_seconds,
        "markets_cache_hours": exchanges.markets_cache_hours,
        "candle_granularity_minutes": f"{candles.timeframe.minutes} ({candles.timeframe})",
        "backfill_start_date": _date(candles.backfill_start, start_ms),
        "backfill_end_date": _date(candles.backfill_end, end_ms),
        "catch_up_initial_days": f"{candles.catch_up_initial_ms / DAY_MS:g}",
        "settle_seconds": candles.settle_seconds,
        "refetch_last_candles": candles.refetch_last_candles,
        "min_exchanges_required": config.rules.min_exchanges,
        "max_price_deviation_pct": config.rules.max_price_deviation_pct,
        "high_low": config.rules.high_low.value,
        "quote_aliases": tuple(":".join(pair) for pair in config.rules.quote_aliases),
        "store": "influxdb" if influxdb else "sqlite",
        "create_bucket": config.store.create_bucket,
        "sqlite_path": config.store.sqlite_path,
        "service_identifier": config.store.service_identifier,
        "export_csv": export.csv,
        "export_format": tuple(each.value for each in export.formats),
        "data_root": export.data_root,
        "export_exchange_candles": export.exchange_candles,
        "price_decimal_digits": export.price_decimal_digits,
        "volume_decimal_digits": export.volume_decimal_digits,
        "fill": None if export.fill is None else export.fill.value,
        "restate": export.restate,
        "restate_reason": export.restate_reason,
    }


def _date(day: object, time_ms: int | None) -> str | None:
    if day is None:
        return None
    if isinstance(day, Skip) or time_ms is None:
        return "skip"
    return f"{day} ({iso_text(time_ms)})"


def _shown(value: object) -> str:
    if value is None or value == () or value == []:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
