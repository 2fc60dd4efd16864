"""The command merge: the merged series again, from the stored exchange candles (M9, M10)."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from candle_ingestor.commands.saying import say
from candle_ingestor.commands.stored import last_words, settle_stored
from candle_ingestor.config import Config
from candle_ingestor.errors import SOME_TICKERS_FAILED
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.clock import Clock


def merge(config: Config, clock: Clock, console: Console) -> int:
    """Recomputes the merged series of the configured symbols by the configured rules.

    Returns:
        0, or 1 if a symbol could not be merged.

    Raises:
        ConfigurationError: if the store holds no exchange candles of any of the symbols, or of
            fewer exchanges than the rules require.
    """
    settled = settle_stored("merge", config, clock, merges=True, exports=False)
    table = Table("symbol", "exchanges", "changed candles", title="Merged again")
    for ticker, outcome in settled.outcomes.items():
        names = ", ".join(source.exchange for source in ticker.sources)
        table.add_row(str(ticker.symbol), names, f"{outcome.merged.candles:,}")
    console.print(table)
    failed = [outcome for outcome in settled.outcomes.values() if outcome.errors]
    for outcome in failed:
        for error in outcome.errors:
            say(console, f"{outcome.symbol}: {error}", "red")
    changed = sum(outcome.merged.candles for outcome in settled.outcomes.values())
    merged = f"Merged {counted(len(settled.outcomes) - len(failed), 'symbol')} again"
    say(console, last_words(settled, merged, f"{counted(changed, 'merged candle')} changed"))
    if settled.stop_reason is None and config.export.csv:
        say(console, "The partitions follow with the next run, or the command export.")
    return SOME_TICKERS_FAILED if failed else 0
