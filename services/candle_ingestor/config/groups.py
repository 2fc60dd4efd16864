"""The shapes of a configuration: frozen, with nothing left to look up but what day it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from candle_ingestor.archives.recognising import Naming
from candle_ingestor.config.origins import Origin, Origins
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.derivation import WHOLE_PCT
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.symbols.start_date import Day, Skip, resolve_dates


@dataclass(frozen=True)
class RunConfig:
    """How a run goes, whatever it fetches.

    Attributes:
        max_run_seconds: 0 is no limit.
        fail_when_degraded: whether a degraded run ends with exit code 1 (rule F3).
        progress: auto, on or off.
        report: what is printed at the end: short, full or none.
        format: how a command that looks prints: text, json or csv.
        by_exchange: whether it tells of each exchange's own series, too.
        newest: how many runs it lists.
        output: the file that a report is written to; None for standard output.
        opens: whether a page that is written is opened in a browser.
        has_findings: whether a report also tells what the quality watch finds.
        fail_below: the least completeness in percent that a report ends well with; None for any.
        words: what was named after the command.
    """

    max_run_seconds: float
    fail_fast: bool
    fail_when_degraded: bool
    dry_run_limit: int
    run_report_path: Path | None
    download_list_path: Path | None
    progress: str
    report: str
    format: str = "text"
    by_exchange: bool = False
    newest: int = 20
    output: Path | None = None
    opens: bool = False
    has_findings: bool = False
    fail_below: float | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class SymbolsConfig:
    """Where the symbols are: in the flag, in a file, or else in Redis under the key.

    Attributes:
        strict: whether a symbol that is left out makes a run end with exit code 1.
        tiers: which tiers' symbols are meant; empty for all, with and without a tier.
    """

    symbols: str | None
    symbols_file: Path | None
    redis_key: str
    strict: bool
    tiers: tuple[str, ...] = ()

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
        others: settings of the file for exchanges that are not named.
        may_mix_price_only: whether a source of closing prices may be merged with real candles.
    """

    names: tuple[str, ...]
    settings: Mapping[str, ExchangeSettings]
    api_call_delay_seconds: float
    request_timeout_seconds: float
    markets_cache_hours: float
    proxies: Proxies = field(default_factory=Proxies)
    may_mix_price_only: bool = False
    others: Mapping[str, ExchangeSettings] = field(default_factory=dict)

    def of(self, names: Sequence[str]) -> ExchangesConfig:
        """The same with these exchanges, whatever was named."""
        known = {**self.others, **self.settings}
        settings = {name: known.get(name, ExchangeSettings()) for name in names}
        return replace(self, names=tuple(names), settings=settings)


@dataclass(frozen=True)
class CandlesConfig:
    """Which candles are wanted.

    Attributes:
        backfill_start: the first day of the history as it was named; SKIP is no backfill.
        backfill_end: the first day left out; None where catch-up follows.
        catch_up_initial_ms: how far back catch-up goes.
        settle_seconds: how long after its close a candle is believed.
        refetch_last_candles: for how many of its lengths after its close a candle is provisional.
        builds_from_trades: whether candles that an endpoint does not reach are built from trades.
        refetch_ms: how much of the newest that is wanted is read again though it is known; None
            for nothing.
    """

    timeframe: Timeframe
    backfill_start: Day | Skip
    backfill_end: Day | None
    catch_up_initial_ms: int
    settle_seconds: float
    refetch_last_candles: int
    builds_from_trades: bool
    refetch_ms: int | None = None

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
class DerivedConfig:
    """Which coarser timeframes are made of the candles.

    Attributes:
        timeframes: those to be made, beside those that a series has already; ascending.
        min_coverage_pct: how much of a candle's time must be known, in percent, above 0.
        of_exchanges: whether each exchange's own series have them, too.
    """

    timeframes: tuple[Timeframe, ...] = ()
    min_coverage_pct: float = WHOLE_PCT
    of_exchanges: bool = False


@dataclass(frozen=True)
class ExportConfig:
    """What is written for backtests.

    Attributes:
        csv: whether a run exports at its end, in whatever format.
        exchange_candles: whether each exchange's own candles are exported, too.
        price_decimal_digits: None is the markets' own.
        volume_decimal_digits: None is the markets' own.
        restate: whether complete months may be written again (rule E3).
        formats: each in which the months are written.
        fill: what stands for covered minutes without trade; None is as the folder was written.
        restate_reason: why, for the history in the manifest; None for what differs.
        mends: whether files that are not as their manifest says are written anew.
        exchanges: whose own candles are exported in place of a merged series that is made from
            others; None for no choice.
        span: only months that touch it are exported; None for all.
    """

    csv: bool
    data_root: Path
    exchange_candles: bool
    price_decimal_digits: int | None
    volume_decimal_digits: int | None
    restate: bool
    formats: tuple[ExportFormat, ...] = (ExportFormat.CSV,)
    fill: Fill | None = None
    restate_reason: str | None = None
    mends: bool = False
    exchanges: tuple[str, ...] | None = None
    span: Interval | None = None


@dataclass(frozen=True)
class ArchivesConfig:
    """How exchanges' history files are read.

    Attributes:
        paths: the files and folders to import.
        naming: what the user says of files.
        skips_bad_rows: whether a file with bad rows is used for the rest.
        prefers_archive: whether a file's candle replaces one of the exchange's endpoint.
        folder: where a run looks for files of what an endpoint does not reach.
    """

    naming: Naming
    skips_bad_rows: bool
    prefers_archive: bool
    paths: tuple[Path, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True)
class VerifyConfig:
    """What is compared with what is stored.

    Attributes:
        sample: how many candle lengths are drawn; None where a span is compared whole.
        seed: which sample is drawn; None for any.
        start, end: the span that was asked for; None where it is open.
        asks_exchanges, remakes_merged, reads_partitions: what is compared.
        repairs: whether what differs is replaced.
    """

    sample: int | None = 200
    seed: int | None = None
    start: Day | None = None
    end: Day | None = None
    asks_exchanges: bool = True
    remakes_merged: bool = True
    reads_partitions: bool = True
    repairs: bool = False


@dataclass(frozen=True)
class PruneConfig:
    """What is removed.

    Attributes:
        before: candles before it go; None for whole series.
        is_confirmed: whether nobody is asked.
    """

    before: Day | None = None
    is_confirmed: bool = False


@dataclass(frozen=True)
class QualityConfig:
    """How stored candles are looked at.

    Attributes:
        rules: which rules; empty for all.
        sensitivity: what learnt thresholds are divided by.
        thresholds: fixed ones, in the unit of the rule.
    """

    rules: frozenset[QualityRule] = frozenset()
    sensitivity: float = 1.0
    thresholds: Mapping[QualityRule, float] = field(default_factory=dict)
    fails_on_findings: bool = False


@dataclass(frozen=True)
class Config:
    """One run's configuration, grouped by the part that uses it.

    Attributes:
        names_redis: whether the host of Redis is named.
        uses_redis: the same, or symbols come from it.
        is_minimum_detected: whether the minimum of the rules is that of all exchanges given.
        origins: where the values come from, by flag.
        raw: the values as they were given, but for secrets, by flag.
        warnings: what the user should know of how the flags were read.
        ignored_secrets: secrets that were given and are not used.
    """

    run: RunConfig
    symbols: SymbolsConfig
    redis: RedisConnection
    names_redis: bool
    uses_redis: bool
    exchanges: ExchangesConfig
    candles: CandlesConfig
    rules: MergeRules
    is_minimum_detected: bool
    store: StoreConfig
    export: ExportConfig
    archives: ArchivesConfig
    derived: DerivedConfig = field(default_factory=DerivedConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    origins: Origins = field(default_factory=dict)
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()
    ignored_secrets: tuple[str, ...] = field(default=(), repr=False)

    def is_given(self, name: str) -> bool:
        """Whether the flag has more than its default."""
        return self.origins.get(name, Origin.DEFAULT) is not Origin.DEFAULT

    def is_typed(self, name: str) -> bool:
        """Whether the flag stands in the command line."""
        return self.origins.get(name) is Origin.FLAG

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must appear nowhere (rule F5)."""
        keys = [v for s in self.exchanges.settings.values() for v in s.keys.values()]
        token = self.store.influxdb.token if self.store.influxdb else None
        proxies = self.exchanges.proxies.secrets
        given = [self.redis.password, token, *proxies, *keys, *self.ignored_secrets]
        return tuple(filter(None, given))
