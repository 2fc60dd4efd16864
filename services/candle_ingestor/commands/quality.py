"""The command quality: what in stored candles looks wrong. Nothing is corrected."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console

from candle_ingestor.commands.parts import make_progress
from candle_ingestor.commands.quality_table import print_findings
from candle_ingestor.commands.reading import (
    nothing_stored,
    print_json,
    print_plain,
    reading,
    shown_series,
)
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import require_store
from candle_ingestor.commands.watching import watch
from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.quality.findings_json import quality_csv, quality_json
from candle_ingestor.settle.derived import merged_of


def quality(config: Config, clock: Clock, console: Console) -> int:
    """Looks for what is wrong with stored candles, and tells of it.

    Returns:
        0; 1 under --fail_on_findings where there is a finding.

    Raises:
        ConfigurationError: if a symbol is named that the store knows nothing of, and where there
            is no store.
        StoreError: if the store cannot be read.
    """
    require_store(config, clock)
    now_ms = clock.now_ms()
    with reading(config, clock) as store:
        ledger = Ledger(store)
        heads = {
            head: None
            for each in shown_series(config, ledger, with_derived=False)
            for head in _heads_of(ledger, each)
        }
        with make_progress(config.run.progress) as progress:
            watched = watch(config, ledger, heads, progress, _asked(config, now_ms))
        empty = None if ledger.records else nothing_stored(store)
    findings = [one for one in watched.findings if _is_asked_for(config, one.exchange)]
    candles = {
        series: count
        for series, count in watched.candles.items()
        if _is_asked_for(config, series.exchange)
    }
    if config.run.format == "json":
        print_json(console, quality_json(findings, candles, store.description, now_ms))
    elif config.run.format == "csv":
        print_plain(console, quality_csv(findings))
    elif empty is not None:
        say(console, empty)
    else:
        print_findings(findings, candles, console)
    return 1 if findings and config.quality.fails_on_findings else 0


def _heads_of(ledger: Ledger, series: Series) -> Collection[Series]:
    """An exchange's own series is looked at with those that it is merged with."""
    return [series] if series.is_merged else merged_of(ledger, series) or [series]


def _asked(config: Config, now_ms: int) -> Interval | None:
    """The span that flags name; None for all that is stored."""
    named = ("backfill_start_date", "days", "backfill_end_date")
    if not any(config.is_given(name) for name in named):
        return None
    start_ms, end_ms = config.candles.resolved(now_ms)
    has_start = config.is_given("backfill_start_date") or config.is_given("days")
    return Interval(
        start_ms if has_start and start_ms is not None else 0, now_ms if end_ms is None else end_ms
    )


def _is_asked_for(config: Config, exchange: str) -> bool:
    if not config.is_typed("exchanges"):
        return True
    return exchange in config.exchanges.names
