"""The command gaps: what is wanted and not known, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from candle_ingestor.commands.gaps_table import is_any_missing, print_gaps
from candle_ingestor.commands.reading import (
    filling_series,
    nothing_stored,
    print_json,
    print_plain,
    reading,
    shown_series,
)
from candle_ingestor.commands.remedy_place import remedy_place
from candle_ingestor.commands.saying import say
from candle_ingestor.completeness.gap_list import SeriesGaps, series_gaps
from candle_ingestor.completeness.gaps_json import gaps_csv, gaps_json
from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.operations.clock import Clock


def gaps(config: Config, clock: Clock, console: Console) -> int:
    """Lists every gap, the worst first, and shows how much of each month is known.

    Returns:
        0, whatever is missing.

    Raises:
        ConfigurationError: if a symbol is named that the store knows nothing of.
        StoreError: if the store cannot be read.
    """
    now_ms = clock.now_ms()
    with reading(config, clock) as store:
        ledger = Ledger(store)
        shown = shown_series(config, ledger, with_derived=False)
        list_gaps = partial(
            series_gaps,
            ledger,
            now_ms=now_ms,
            settle_seconds=config.candles.settle_seconds,
            filling=filling_series(config, ledger),
            place=remedy_place(config, ledger),
        )
        found = list_gaps(shown)
        unshown: Sequence[SeriesGaps] = ()
        if config.run.format == "text" and not is_any_missing(found):
            every = shown_series(config, ledger, with_exchanges=True, with_derived=False)
            unshown = list_gaps([each for each in every if each not in shown])
    if config.run.format == "json":
        print_json(console, gaps_json(found, store.description, now_ms))
    elif config.run.format == "csv":
        print_plain(console, gaps_csv(found))
    elif found:
        print_gaps(found, unshown, now_ms, console)
    else:
        say(console, nothing_stored(store))
    return 0
