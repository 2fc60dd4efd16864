"""The shapes of a configuration: frozen, with nothing left to look up but what day it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.operations.secrets import Redactor
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.symbols.start_date import Day, Skip, resolve_dates

DAY_MS = 86_400_000


@dataclass(frozen=True)
class RunConfig:
    """How a run goes, whatever it fetches.

    Attributes:
        max_run_seconds: 0 is no limit.
        fail_when_degraded: whether a degraded run ends with exit code 1 (rule F3).
        progress: auto, on or off.
    """

    max_run_seconds: float
    fail_fast: bool
    fail_when_degraded: bool
    dry_run_limit: int
    run_report_path: Path | None
    progress: str


@dataclass(frozen=True)
class SymbolsConfig:
    """Where the symbols are: in the flag, in a file, or else in Redis under the key."""

    symbols: str | None
    symbols_file: Path | None
    redis_key: str

    @property
    def are_in_redis(self) -> bool:
        return self.symbols is None and self.symbols_file is None


@dataclass(frozen=True)
class ExchangesConfig:
    """Which exchanges are asked, and how.

    Attributes:
        names: ccxt ids, the primary one first.
        settings: one for each of the names.
        markets_cache_hours: how long a list of markets is kept; 0 is not at all.
        proxies: what the exchanges are asked through.
    """

    names: tuple[str, ...]
    settings: Mapping[str, ExchangeSettings]
    api_call_delay_seconds: float
    request_timeout_seconds: float
    markets_cache_hours: float
    proxies: Proxies = field(default_factory=Proxies)


@dataclass(frozen=True)
class CandlesConfig:
    """Which candles are wanted.

    Attributes:
        backfill_start: the first day of the history as it was named; SKIP is no backfill.
        backfill_end: the first day left out; None where catch-up follows.
        catch_up_initial_ms: how far back catch-up goes.
        settle_seconds: how long after its close a candle is believed.
        refetch_last_candles: for how many of its lengths after its close a candle is provisional.
    """

    timeframe: Timeframe
    backfill_start: Day | Skip
    backfill_end: Day | None
    catch_up_initial_ms: int
    settle_seconds: float
    refetch_last_candles: int

    def resolved(self, now_ms: int) -> tuple[int | None, int | None]:
        """Start and excluded end of the backfill in UTC ms, for a run that starts at `now_ms`.

        The start is None where there is no backfill, the end where there is none.

        Raises:
            ConfigurationError: if the start lies in the future or before 1970, the end is not
                after the start, or there is an end without a start.
        """
        return resolve_dates(self.backfill_start, self.backfill_end, now_ms)


@dataclass(frozen=True)
class StoreConfig:
    """Where candles are kept: in InfluxDB if `influxdb` is there, else in the SQLite file."""

    influxdb: InfluxDbConnection | None
    create_bucket: bool
    sqlite_path: Path
    service_identifier: str


@dataclass(frozen=True)
class ExportConfig:
    """What is written for backtests.

    Attributes:
        csv: whether a run exports at its end.
        exchange_candles: whether each exchange's own candles are exported, too.
        price_decimal_digits: None is the markets' own.
        volume_decimal_digits: None is the markets' own.
        restate: whether complete months may be written again (rule E3).
    """

    csv: bool
    data_root: Path
    exchange_candles: bool
    price_decimal_digits: int | None
    volume_decimal_digits: int | None
    restate: bool


@dataclass(frozen=True)
class Config:
    """One run's configuration, grouped by the part that uses it.

    Attributes:
        uses_redis: whether symbols come from Redis or its host is named.
        is_minimum_detected: whether the minimum of the rules is that of all exchanges given.
        warnings: what the user should know of how the flags were read.
    """

    run: RunConfig
    symbols: SymbolsConfig
    redis: RedisConnection
    uses_redis: bool
    exchanges: ExchangesConfig
    candles: CandlesConfig
    rules: MergeRules
    is_minimum_detected: bool
    store: StoreConfig
    export: ExportConfig
    warnings: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must appear nowhere (rule F5)."""
        keys = [v for s in self.exchanges.settings.values() for v in s.keys.values()]
        token = self.store.influxdb.token if self.store.influxdb else None
        given = [self.redis.password, token, *self.exchanges.proxies.secrets, *keys]
        return tuple(filter(None, given))

    def shown(self) -> dict[str, str]:
        """The configuration as a person reads it, in the words of the flags, secrets hidden."""
        redactor = Redactor(self.secrets)
        return {name: redactor.redact(_shown(value)) for name, value in self._by_flag().items()}

    def _by_flag(self) -> Mapping[str, object]:
        run, exchanges, candles, export = self.run, self.exchanges, self.candles, self.export
        has_password = "password set" if self.redis.password else "no password"
        return {
            "max_run_seconds": run.max_run_seconds,
            "fail_fast": run.fail_fast,
            "fail_when_degraded": run.fail_when_degraded,
            "dry_run_limit": run.dry_run_limit,
            "run_report_path": run.run_report_path,
            "symbols": self.symbols.symbols,
            "symbols_file": self.symbols.symbols_file,
            "redis": f"{self.redis.address}, {has_password}",
            "redis_key_crypto_symbols": self.symbols.redis_key,
            "exchanges": exchanges.names,
            "api_call_delay_seconds": exchanges.api_call_delay_seconds,
            "request_timeout_seconds": exchanges.request_timeout_seconds,
            "markets_cache_hours": exchanges.markets_cache_hours,
            "proxy": exchanges.proxies.shown(),
            "timeframe": candles.timeframe,
            "backfill_start_date": candles.backfill_start,
            "backfill_end_date": candles.backfill_end,
            "catch_up_initial_days": f"{candles.catch_up_initial_ms / DAY_MS:g}",
            "settle_seconds": candles.settle_seconds,
            "refetch_last_candles": candles.refetch_last_candles,
            "min_exchanges_required": self.rules.min_exchanges,
            "max_price_deviation_pct": self.rules.max_price_deviation_pct,
            "high_low": self.rules.high_low.value,
            "quote_aliases": tuple(":".join(pair) for pair in self.rules.quote_aliases),
            "store": self.store.influxdb or f"SQLite at {self.store.sqlite_path}",
            "service_identifier": self.store.service_identifier,
            "export_csv": export.csv,
            "data_root": export.data_root,
            "export_exchange_candles": export.exchange_candles,
            "price_decimal_digits": export.price_decimal_digits,
            "volume_decimal_digits": export.volume_decimal_digits,
            "restate": export.restate,
        } | {name: settings.shown() for name, settings in exchanges.settings.items()}


def _shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, Skip):
        return value.value
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)
