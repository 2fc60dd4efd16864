"""Keeps closing prices and real candles apart within one merged series. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.price_only import ALLOW, is_mixture
from candle_ingestor.ingest.preparing import Records, RunTicker
from candle_ingestor.model.series_record import NOTHING_KNOWN


def refuse_mixed_history(config: Config, tickers: Iterable[RunTicker], records: Records) -> None:
    """Makes sure that no merged series goes on with closing prices after candles, or the reverse.

    Raises:
        ConfigurationError: if one would, and that is not allowed.
    """
    if config.exchanges.may_mix_price_only:
        return
    for each in tickers:
        merged = each.ticker.merged
        record = records.get(merged, NOTHING_KNOWN)
        before = dict.fromkeys(source.exchange for source in record.sources)
        now = dict.fromkeys(source.exchange for source in each.ticker.sources)
        if record.covered and is_mixture({**before, **now}):
            raise ConfigurationError(
                f"{merged.symbol}: its merged {merged.timeframe} candles are made from "
                f"{', '.join(before)}, and would go on with {', '.join(now)}: one of them has "
                "closing prices only. Give this run a --sqlite_path and --data_root of its own, "
                f"or allow it with {ALLOW}"
            )
