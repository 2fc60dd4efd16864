"""The command status: a line a series, told from records and counts."""

from __future__ import annotations

from rich.console import Console

from candle_ingestor.commands.reading import (
    RUNS_LOOKED_AT,
    nothing_stored,
    print_json,
    print_plain,
    read_runs,
    reading,
    shown_series,
)
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.status_table import print_statuses
from candle_ingestor.completeness.status import StatusParts, statuses_of
from candle_ingestor.completeness.status_json import status_csv, status_json
from candle_ingestor.completeness.wanted_candles import known_candles
from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.operations.clock import Clock


def status(config: Config, clock: Clock, console: Console) -> int:
    """Tells how each stored series stands, whether a job runs or not.

    Returns:
        0, also of an empty store.

    Raises:
        ConfigurationError: if a symbol is named that the store knows nothing of.
        StoreError: if the store cannot be read.
    """
    now_ms = clock.now_ms()
    with reading(config, clock) as store:
        ledger = Ledger(store)
        shown = shown_series(config, ledger)
        # A share of the store's size is told by all that it has.
        counted = list(ledger.records) if store.size_bytes() is not None else shown
        parts = StatusParts(
            ledger,
            known_candles(ledger, counted),
            store.size_bytes(),
            read_runs(config, store, RUNS_LOOKED_AT),
            now_ms,
            config.candles.settle_seconds,
        )
        statuses = statuses_of(parts, shown)
    if config.run.format == "json":
        print_json(console, status_json(statuses, store.description, now_ms))
    elif config.run.format == "csv":
        print_plain(console, status_csv(statuses))
    elif statuses:
        print_statuses(statuses, console, parts.runs, now_ms)
    else:
        say(console, nothing_stored(store))
    return 0
