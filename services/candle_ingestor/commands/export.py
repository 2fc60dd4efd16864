"""The command export: the partitions again, from the store."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from candle_ingestor.commands.saying import say
from candle_ingestor.commands.stored import last_words, settle_stored
from candle_ingestor.config import Config
from candle_ingestor.config.span_flags import typed_span
from candle_ingestor.errors import SOME_TICKERS_FAILED
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.writable import require_writable


def export(config: Config, clock: Clock, console: Console) -> int:
    """Writes every month that the store has of the configured symbols and that is not right.

    Minutes that wait to be merged are merged first, by the rules that their series remembers. A
    span that is typed leaves out the months that do not touch it. Exchanges that are typed, and are
    not those that a series is merged from, have their own candles exported in its place.

    Returns:
        0, or 1 if a series could not be exported, or the store has nothing of what is asked for.

    Raises:
        ConfigurationError: if the store holds nothing of the symbols, or the dates make no span.
    """
    exchanges = config.exchanges.names if config.is_typed("exchanges") else None
    span = typed_span(config, clock.now_ms())
    config = replace(config, export=replace(config.export, exchanges=exchanges, span=span))
    require_writable("--data_root", config.export.data_root)
    settled = settle_stored("export", config, clock, merges=False, exports=True)
    for outcome in settled.outcomes.values():
        files = counted(len(outcome.files_written), "file")
        say(console, f"{outcome.symbol}: {files} written below {config.export.data_root}")
        for error in outcome.errors:
            say(console, f"{outcome.symbol}: {error}", "red")
    written = sum(len(outcome.files_written) for outcome in settled.outcomes.values())
    exported = f"Exported {counted(len(settled.outcomes), 'symbol')}"
    say(console, last_words(settled, exported, f"{counted(written, 'file')} written"))
    has_failed = any(outcome.errors for outcome in settled.outcomes.values())
    return SOME_TICKERS_FAILED if has_failed else 0
