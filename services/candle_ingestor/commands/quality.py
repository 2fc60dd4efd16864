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
from candle_ingestor.commands.watching import watch
from candle_ingestor.config import Config
from candle_ingestor.config.span_flags import typed_span
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.operations.clock import Clock
from candle_ingestor.quality.findings_json import quality_csv, quality_json
from candle_ingestor.settle.derived import merged_of


def quality(config: Config, clock: Clock, console: Console) -> int:
    """Looks for what is wrong with stored candles, and tells of it.

    Returns:
        0; 1 under --fail_on_findings where there is a finding.

    Raises:
        ConfigurationError: if a symbol is named that the store knows nothing of.
        StoreError: if the store cannot be read.
    """
    now_ms = clock.now_ms()
    with reading(config, clock) as store:
        ledger = Ledger(store)
        heads = {
            head: None
            for each in shown_series(config, ledger, with_derived=False)
            for head in _heads_of(ledger, each)
        }
        with make_progress(config.run.progress) as progress:
            watched = watch(config, ledger, heads, progress, typed_span(config, now_ms))
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


def _is_asked_for(config: Config, exchange: str) -> bool:
    if not config.is_typed("exchanges"):
        return True
    return exchange in config.exchanges.names
