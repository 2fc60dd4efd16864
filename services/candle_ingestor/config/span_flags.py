"""Which candles are fetched, verified or removed, as flags say."""

from __future__ import annotations

from candle_ingestor.config.given import FlagValues
from candle_ingestor.config.groups import CandlesConfig, PruneConfig, SpanConfig, VerifyConfig
from candle_ingestor.config.origins import Origin, Origins
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.symbols.start_date import (
    Day,
    DayError,
    RelativeDay,
    Skip,
    parse_day,
    parse_end_date,
    parse_start_date,
)

_EVERYTHING_MS = 1 << 62


def candles_from_flags(values: FlagValues) -> CandlesConfig:
    """Which candles are wanted.

    Raises:
        ConfigurationError: if a date says no day.
    """
    start, days, end = values.backfill_start_date, values.days, values.backfill_end_date
    return CandlesConfig(
        timeframe=Timeframe(values.candle_granularity_minutes),
        backfill_start=parse_start_date(start) if days is None else RelativeDay(days, "day"),
        backfill_end=None if end is None else parse_end_date(end),
        catch_up_initial_ms=round(values.catch_up_initial_days * DAY_MS),
        settle_seconds=values.settle_seconds,
        refetch_last_candles=values.refetch_last_candles,
        builds_from_trades=values.build_from_trades,
        refetch_ms=_refetch_ms(values),
    )


def span_from_flags(values: FlagValues, origins: Origins) -> SpanConfig:
    """What of the stored is looked at. Only what is typed counts: a file names the job's span.

    Raises:
        ConfigurationError: if a date says no day.
    """
    candles = candles_from_flags(values)
    start, end = None, None
    if origins.get("backfill_start_date") is Origin.FLAG:
        start = candles.backfill_start
    if origins.get("backfill_end_date") is Origin.FLAG:
        end = candles.backfill_end
    return SpanConfig(None if isinstance(start, Skip) else start, end)


def verify_from_flags(values: FlagValues, origins: Origins) -> VerifyConfig:
    """What is verified. Where a span is typed no sample is drawn, unless that is typed, too."""
    is_span_typed = any(
        origins.get(name) is Origin.FLAG for name in ("backfill_start_date", "backfill_end_date")
    )
    is_sampled = not is_span_typed or origins.get("sample") is Origin.FLAG
    return VerifyConfig(
        sample=values.sample if is_sampled else None,
        seed=values.seed,
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
