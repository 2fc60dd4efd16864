"""Which coarser timeframes are asked for."""

from __future__ import annotations

from candle_ingestor.config.given import FlagValues
from candle_ingestor.config.groups import DerivedConfig
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.timeframe import Timeframe


def derived_from_flags(values: FlagValues, finest: Timeframe) -> DerivedConfig:
    """What --derived_timeframes and --derived_min_coverage_pct say.

    Raises:
        ConfigurationError: if a name is no timeframe, or one that `finest` candles cannot be
            put together to, or the share is 0.
    """
    named = [text.strip() for text in values.derived_timeframes if text.strip()]
    timeframes = {_timeframe(text, finest) for text in named}
    if values.derived_min_coverage_pct <= 0:
        raise ConfigurationError("--derived_min_coverage_pct must be above 0 and at most 100")
    return DerivedConfig(
        tuple(sorted(timeframes)), values.derived_min_coverage_pct, values.export_exchange_candles
    )


def _timeframe(text: str, finest: Timeframe) -> Timeframe:
    try:
        timeframe = Timeframe.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"--derived_timeframes: {error}") from error
    if not finest.divides(timeframe):
        raise ConfigurationError(
            f"--derived_timeframes: {quoted(text)} cannot be put together from {finest} candles; "
            "name longer ones that these divide"
        )
    return timeframe
