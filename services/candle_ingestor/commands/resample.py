"""The command resample: coarser series again, from what is stored."""

from __future__ import annotations

from rich.console import Console

from candle_ingestor.commands.saying import say
from candle_ingestor.commands.stored import last_words, settle_stored
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.clock import Clock


def resample(config: Config, clock: Clock, console: Console) -> int:
    """Makes all coarser candles of the configured symbols, and writes those that differ.

    These are the timeframes of --derived_timeframes and those that were made before. Minutes that
    wait to be merged are merged first, by the rules that their series remembers.

    Returns:
        0, or 1 if a symbol could not be resampled.

    Raises:
        ConfigurationError: if the store holds nothing of the symbols, or has a series of a
            timeframe that is to be derived, and that was fetched or merged.
    """
    settled = settle_stored("resample", config, clock, derives=True)
    for outcome in settled.outcomes.values():
        say(console, f"{outcome.symbol}: {counted(outcome.derived_candles, 'candle')} changed")
        for error in outcome.errors:
            say(console, f"{outcome.symbol}: {error}", "red")
    failed = [outcome for outcome in settled.outcomes.values() if outcome.errors]
    changed = sum(outcome.derived_candles for outcome in settled.outcomes.values())
    resampled = f"Resampled {counted(len(settled.outcomes) - len(failed), 'symbol')}"
    say(console, last_words(settled, resampled, f"{counted(changed, 'coarser candle')} changed"))
    if settled.stop_reason is None and config.export.csv:
        say(console, "The CSV partitions follow with the next run, or the command export.")
    return SOME_TICKERS_FAILED if failed else 0
