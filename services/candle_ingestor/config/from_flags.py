"""The configuration that flags and environment say, validated."""

from __future__ import annotations

import importlib.util
import math
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from candle_ingestor.config.archive_flags import archives_from_flags
from candle_ingestor.config.derived_flags import derived_from_flags
from candle_ingestor.config.given import FlagValues, ca_file_of, needed_path, path_of, text_of
from candle_ingestor.config.groups import (
    CandlesConfig,
    Config,
    ExchangesConfig,
    ExportConfig,
    PruneConfig,
    RunConfig,
    StoreConfig,
    SymbolsConfig,
    VerifyConfig,
)
from candle_ingestor.config.origins import SECRETS, Origin, Origins
from candle_ingestor.config.quality_flags import quality_from_flags
from candle_ingestor.config.redis_flags import names_redis, redis_from_flags
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.minimum import resolve_minimum
from candle_ingestor.exchanges.names import WITHOUT_CCXT, resolve_names
from candle_ingestor.exchanges.price_only import refuse_mixture
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import (
    ExchangeSettings,
    keys_from_environment,
    read_settings_file,
)
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.exchanges.unusable import refuse_unusable
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.symbols.start_date import (
    Day,
    DayError,
    RelativeDay,
    Skip,
    parse_day,
    parse_end_date,
    parse_start_date,
)

INFLUXDB_TIMEOUT_SECONDS = 12.0
"""Short enough that a run told to end leaves within 20 s, whatever request is in hand."""

DEFAULT_BUCKET = "candles"

_EVERYTHING_MS = 1 << 62

_INFLUXDB_PLACE = ("influxdb_token", "influxdb_url", "influxdb_org", "influxdb_bucket")

_REAL_NUMBERS = (
    "max_run_seconds",
    "api_call_delay_seconds",
    "request_timeout_seconds",
    "markets_cache_hours",
    "catch_up_initial_days",
    "settle_seconds",
    "quality_sensitivity",
    "fail_below",
    "derived_min_coverage_pct",
)


def config_from_flags(
    values: FlagValues,
    environment: Mapping[str, str],
    origins: Origins | None = None,
    paths: Sequence[str] = (),
) -> Config:
    """The configuration that flags and environment say; no clock is asked.

    Args:
        origins: where the values come from, by flag; without it nothing counts as given.
        paths: what is to be imported.

    Raises:
        ConfigurationError: at the first thing that cannot be, naming the flag.
    """
    for name in _REAL_NUMBERS:
        if not math.isfinite(getattr(values, name) or 0):
            raise ConfigurationError(f"--{name}={getattr(values, name)} is not a finite number")
    origins = origins or {}
    known = known_exchanges()
    exchanges, renamed = resolve_names(values.exchanges, known)
    refuse_unusable(exchanges)
    if not values.allow_price_only_sources:
        refuse_mixture(exchanges)
    symbols = _symbols(values, environment)
    return Config(
        run=RunConfig(
            max_run_seconds=values.max_run_seconds,
            fail_fast=values.fail_fast,
            fail_when_degraded=values.fail_when_degraded,
            dry_run_limit=values.dry_run_limit,
            run_report_path=_path(values.run_report_path),
            download_list_path=_path(values.download_list_path),
            progress=values.progress,
            report=values.report,
            format=values.format,
            by_exchange=values.by_exchange,
            newest=values.newest,
            output=_path(values.output),
            opens=values.open,
            has_findings=values.findings,
            fail_below=values.fail_below,
            words=tuple(paths),
        ),
        symbols=symbols,
        redis=redis_from_flags(values, environment),
        names_redis=names_redis(values, environment),
        uses_redis=symbols.are_in_redis or names_redis(values, environment),
        exchanges=ExchangesConfig(
            names=exchanges,
            settings=_exchange_settings(values, environment, exchanges, known),
            api_call_delay_seconds=values.api_call_delay_seconds,
            request_timeout_seconds=values.request_timeout_seconds,
            markets_cache_hours=values.markets_cache_hours,
            proxies=Proxies.from_environment(environment),
            may_mix_price_only=values.allow_price_only_sources,
            others=_other_settings(values, exchanges, known),
        ),
        candles=_candles(values),
        rules=_rules(values, exchanges),
        is_minimum_detected=values.min_exchanges_required == 0,
        store=StoreConfig(
            influxdb=_influxdb(values, environment, origins),
            create_bucket=values.create_bucket,
            sqlite_path=needed_path("sqlite_path", values.sqlite_path),
            service_identifier=values.service_identifier,
        ),
        export=ExportConfig(
            csv=values.export_csv,
            data_root=needed_path("data_root", values.data_root),
            exchange_candles=values.export_exchange_candles,
            price_decimal_digits=values.price_decimal_digits,
            volume_decimal_digits=values.volume_decimal_digits,
            restate=values.restate,
        ),
        archives=archives_from_flags(values, known, paths),
        derived=derived_from_flags(values, _granularity(values)),
        verify=_verify(values, origins),
        prune=PruneConfig(_before(values.before), values.yes),
        quality=quality_from_flags(values),
        origins=origins,
        raw={name: getattr(values, name) for name in origins if name not in SECRETS},
        warnings=(*renamed, *_passed_over(values, origins), *_without_trades(values, exchanges)),
        ignored_secrets=(values.tiingo_api_key,) if values.tiingo_api_key else (),
    )


def known_exchanges() -> tuple[str, ...]:
    """The ids that ccxt has, and those of exchanges with a client of their own, sorted.

    ccxt's are the names of its modules, so that it need not be loaded, which takes most of a
    second.
    """
    spec = importlib.util.find_spec("ccxt")
    if spec is None:
        raise ModuleNotFoundError("No module named 'ccxt'", name="ccxt")
    folders = [Path(path, "async_support") for path in spec.submodule_search_locations or ()]
    modules = pkgutil.iter_modules(map(str, folders))
    return tuple(sorted([*WITHOUT_CCXT, *(m.name for m in modules if not m.ispkg)]))


def _symbols(values: FlagValues, environment: Mapping[str, str]) -> SymbolsConfig:
    if values.symbols is not None and values.symbols_file is not None:
        raise ConfigurationError("--symbols and --symbols_file contradict each other; give one")
    return SymbolsConfig(
        symbols=values.symbols,
        symbols_file=_path(values.symbols_file),
        redis_key=text_of("redis_key_crypto_symbols", values, environment)
        or "top_cryptocurrencies",
        strict=values.strict_symbols,
        tiers=_tiers(values),
    )


def _tiers(values: FlagValues) -> tuple[str, ...]:
    named = tuple(filter(None, (tier.strip() for tier in values.tier)))
    if values.tier and not named:
        raise ConfigurationError("--tier names no tier; leave it out for all of them")
    return named


def _candles(values: FlagValues) -> CandlesConfig:
    start, days, end = values.backfill_start_date, values.days, values.backfill_end_date
    return CandlesConfig(
        timeframe=_granularity(values),
        backfill_start=parse_start_date(start) if days is None else RelativeDay(days, "day"),
        backfill_end=None if end is None else parse_end_date(end),
        catch_up_initial_ms=round(values.catch_up_initial_days * DAY_MS),
        settle_seconds=values.settle_seconds,
        refetch_last_candles=values.refetch_last_candles,
        builds_from_trades=values.build_from_trades,
        refetch_ms=_refetch_ms(values),
    )


def _granularity(values: FlagValues) -> Timeframe:
    try:
        return Timeframe(values.candle_granularity_minutes)
    except ValueError as error:
        raise ConfigurationError(f"--candle_granularity_minutes: {error}") from error


def _refetch_ms(values: FlagValues) -> int | None:
    if values.force:
        return _EVERYTHING_MS
    return None if values.refetch_days is None else values.refetch_days * DAY_MS


def _verify(values: FlagValues, origins: Origins) -> VerifyConfig:
    """A span counts where it is typed: a file of flags names that of the job."""
    is_start_typed = origins.get("backfill_start_date") is Origin.FLAG
    is_end_typed = origins.get("backfill_end_date") is Origin.FLAG
    candles = _candles(values)
    start = candles.backfill_start if is_start_typed else None
    is_sampled = not (is_start_typed or is_end_typed) or origins.get("sample") is Origin.FLAG
    return VerifyConfig(
        sample=values.sample if is_sampled else None,
        seed=values.seed,
        start=None if isinstance(start, Skip) else start,
        end=candles.backfill_end if is_end_typed else None,
        asks_exchanges=values.verify_exchanges,
        remakes_merged=values.verify_merged,
        reads_partitions=values.verify_partitions,
        repairs=values.repair,
    )


def _before(text: str | None) -> Day | None:
    if text is None:
        return None
    try:
        return parse_day(text)
    except DayError as error:
        raise ConfigurationError(f"--before: {error}") from error


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


def _passed_over(values: FlagValues, origins: Origins) -> list[str]:
    said = []
    if values.tiingo_api_key is not None:
        said.append(
            "--tiingo_api_key is ignored: candles come from exchanges, which need no key for "
            "them; leave it out, and choose the exchanges with --exchanges"
        )
    if values.store == "influxdb" and origins.get("sqlite_path") in (Origin.FLAG, Origin.FILE):
        said.append("--sqlite_path keeps no candles, since --store=influxdb is given")
    if values.store == "sqlite":
        named = [f"--{name}" for name in _INFLUXDB_PLACE if origins.get(name) is Origin.FLAG]
        if named:
            said.append(f"{', '.join(named)}: without effect, since --store=sqlite is given")
    return said


def _without_trades(values: FlagValues, exchanges: tuple[str, ...]) -> list[str]:
    if not values.build_from_trades or any(each in TRADE_HABITS for each in exchanges):
        return []
    said = (
        "--build_from_trades is without effect: candles can be built from the trades of "
        f"{', '.join(TRADE_HABITS)}, and --exchanges names none of them"
    )
    return [said]


def _exchange_settings(
    values: FlagValues,
    environment: Mapping[str, str],
    exchanges: tuple[str, ...],
    known: tuple[str, ...],
) -> dict[str, ExchangeSettings]:
    path = _path(values.exchange_settings_file)
    from_file = read_settings_file(path, known) if path is not None else {}
    keys = keys_from_environment(environment, exchanges)
    settings = {}
    for exchange in exchanges:
        said = from_file.get(exchange, ExchangeSettings())
        settings[exchange] = replace(said, keys=keys.get(exchange, {}))
    return settings


def _other_settings(
    values: FlagValues, exchanges: tuple[str, ...], known: tuple[str, ...]
) -> dict[str, ExchangeSettings]:
    path = _path(values.exchange_settings_file)
    from_file = read_settings_file(path, known) if path is not None else {}
    return {name: settings for name, settings in from_file.items() if name not in exchanges}


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
        raise ConfigurationError(f"--quote_aliases: {quoted(text)} is no pair such as USD:USDT")
    return quote, stand_in


def _path(text: str | None) -> Path | None:
    return path_of(text) if text else None
