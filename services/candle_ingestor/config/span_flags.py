"""Which candles are fetched, verified or removed, as flags say."""

from __future__ import annotations

from candle_ingestor.config.given import FlagValues
from candle_ingestor.config.groups import CandlesConfig, Config, PruneConfig, VerifyConfig
from candle_ingestor.config.origins import Origin, Origins
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.intervals import END_OF_TIME_MS, Interval
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.symbols.start_date import (
    SKIP,
    Day,
    DayError,
    RelativeDay,
    Skip,
    parse_day,
    parse_end_date,
    parse_start_date,
    resolve_dates,
)

_EVERYTHING_MS = 1 << 62


def candles_from_flags(values: FlagValues) -> CandlesConfig:
    """Which candles are wanted.

    Raises:
        ConfigurationError: if a date says no day.
    """
    start, days, end = values.backfill_start_date, values.days, values.backfill_end_date
    return CandlesConfig(
        timeframe=granularity_of(values),
        backfill_start=parse_start_date(start) if days is None else RelativeDay(days, "day"),
        backfill_end=None if end is None else parse_end_date(end),
        catch_up_initial_ms=round(values.catch_up_initial_days * DAY_MS),
        settle_seconds=values.settle_seconds,
        refetch_last_candles=values.refetch_last_candles,
        builds_from_trades=values.build_from_trades,
        refetch_ms=_refetch_ms(values),
    )


def typed_span(config: Config, now_ms: int) -> Interval | None:
    """The span that the command line names, open where it names no start or end; None without one.

    A span counts where it is typed: a file of flags names that of the job.

    Raises:
        ConfigurationError: if it has no length, or a day of it does not exist.
    """
    candles = config.candles
    is_start_typed = config.is_typed("backfill_start_date") or config.is_typed("days")
    start = candles.backfill_start if is_start_typed else SKIP
    end = candles.backfill_end if config.is_typed("backfill_end_date") else None
    if start is SKIP and end is None:
        return None
    earliest = parse_day("1970-01-01") if start is SKIP else start
    start_ms, end_ms = resolve_dates(earliest, end, now_ms)
    return Interval(start_ms or 0, END_OF_TIME_MS if end_ms is None else end_ms)


def granularity_of(values: FlagValues) -> Timeframe:
    """The length of the candles.

    Raises:
        ConfigurationError: if there are none of that length.
    """
    try:
        return Timeframe(values.candle_granularity_minutes)
    except ValueError as error:
        raise ConfigurationError(f"--candle_granularity_minutes: {error}") from error


def verify_from_flags(values: FlagValues, origins: Origins) -> VerifyConfig:
    """What is verified. A span counts where it is typed: a file of flags names that of the job.

    Raises:
        ConfigurationError: if a date says no day.
    """
    is_start_typed = origins.get("backfill_start_date") is Origin.FLAG
    is_end_typed = origins.get("backfill_end_date") is Origin.FLAG
    candles = candles_from_flags(values)
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


def prune_from_flags(values: FlagValues) -> PruneConfig:
    """What is removed.

    Raises:
        ConfigurationError: if --before says no time.
    """
    return PruneConfig(_before(values.before), values.yes)


def _refetch_ms(values: FlagValues) -> int | None:
    if values.force:
        return _EVERYTHING_MS
    return None if values.refetch_days is None else values.refetch_days * DAY_MS


def _before(text: str | None) -> Day | None:
    if text is None:
        return None
    try:
        return parse_day(text)
    except DayError as error:
        raise ConfigurationError(f"--before: {error}") from error
