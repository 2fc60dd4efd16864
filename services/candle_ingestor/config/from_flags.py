"""The configuration that flags and environment say, validated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from candle_ingestor.config.archive_flags import archives_from_flags
from candle_ingestor.config.derived_flags import derived_from_flags
from candle_ingestor.config.exchange_flags import (
    exchanges_from_flags,
    known_exchanges,
    named_exchanges,
)
from candle_ingestor.config.given import FlagValues, needed_path, path_of, text_of
from candle_ingestor.config.groups import Config, ExportConfig, RunConfig, SymbolsConfig
from candle_ingestor.config.origins import SECRETS, Origins
from candle_ingestor.config.quality_flags import quality_from_flags
from candle_ingestor.config.redis_flags import names_redis, redis_from_flags
from candle_ingestor.config.span_flags import (
    candles_from_flags,
    granularity_of,
    prune_from_flags,
    verify_from_flags,
)
from candle_ingestor.config.store_flags import store_flags_passed_over, store_from_flags
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.minimum import resolve_minimum
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.texts import quoted

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
    exchanges, renamed = named_exchanges(values, known)
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
        exchanges=exchanges_from_flags(values, environment, exchanges, known),
        candles=candles_from_flags(values),
        rules=_rules(values, exchanges),
        is_minimum_detected=values.min_exchanges_required == 0,
        store=store_from_flags(values, environment, origins),
        export=ExportConfig(
            csv=values.export_csv,
            data_root=needed_path("data_root", values.data_root),
            exchange_candles=values.export_exchange_candles,
            price_decimal_digits=values.price_decimal_digits,
            volume_decimal_digits=values.volume_decimal_digits,
            restate=values.restate,
            restate_reason=values.restate_reason,
            formats=_formats(values.export_format),
            fill=None if values.fill is None else Fill(values.fill),
        ),
        archives=archives_from_flags(values, known, paths),
        derived=derived_from_flags(values, granularity_of(values)),
        verify=verify_from_flags(values, origins),
        prune=prune_from_flags(values),
        quality=quality_from_flags(values),
        origins=origins,
        raw={name: getattr(values, name) for name in origins if name not in SECRETS},
        warnings=(*renamed, *_passed_over(values, origins), *_without_trades(values, exchanges)),
        ignored_secrets=(values.tiingo_api_key,) if values.tiingo_api_key else (),
    )


def _formats(text: str) -> tuple[ExportFormat, ...]:
    return tuple(ExportFormat) if text == "both" else (ExportFormat(text),)


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


def _passed_over(values: FlagValues, origins: Origins) -> list[str]:
    said = []
    if values.tiingo_api_key is not None:
        said.append(
            "--tiingo_api_key is ignored: candles come from exchanges, which need no key for "
            "them; leave it out, and choose the exchanges with --exchanges"
        )
    return said + store_flags_passed_over(values, origins)


def _without_trades(values: FlagValues, exchanges: tuple[str, ...]) -> list[str]:
    if not values.build_from_trades or any(each in TRADE_HABITS for each in exchanges):
        return []
    said = (
        "--build_from_trades is without effect: candles can be built from the trades of "
        f"{', '.join(TRADE_HABITS)}, and --exchanges names none of them"
    )
    return [said]


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
