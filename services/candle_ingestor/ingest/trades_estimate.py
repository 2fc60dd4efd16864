"""How long the trades of a run would take, measured before they are read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from candle_ingestor.exchanges.errors import ExchangeError, RunEndedError, words_without
from candle_ingestor.ingest.sources.trades_source import TradeCandles, TradesEstimate
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.intervals import EMPTY
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.operations.progress import duration_words

log = logging.getLogger(__name__)


def reads_trades(works: Collection[SeriesWork]) -> bool:
    """Whether any candles are to be built from trades."""
    return any(work.plan.elsewhere.get(Origin.TRADES, EMPTY) for work in works)


async def measured_trades(works: Collection[SeriesWork]) -> dict[Series, TradesEstimate]:
    """What the trades of each series would take; nothing of one that could not be measured."""
    found = {}
    for work in works:
        wanted = work.plan.elsewhere.get(Origin.TRADES, EMPTY)
        source = work.further.get(Origin.TRADES)
        if not wanted or not isinstance(source, TradeCandles):
            continue
        try:
            estimate = await source.estimate(work.series, wanted, work.report.counts)
        except RunEndedError:
            break
        except ExchangeError as error:
            log.warning(
                "%s: how many trades there are could not be measured: %s",
                work.series,
                words_without(work.series.exchange, error),
            )
            continue
        if estimate is not None:
            found[work.series] = estimate
    return found


def estimate_words(estimates: Mapping[Series, TradesEstimate]) -> list[str]:
    """A sentence a series, and one an exchange that reads the trades of several."""
    words = [
        f"{series}: its trades take about {each.requests:,} requests, "
        f"{duration_words(each.seconds)} at the exchange's pace ({each.page_trades:,} trades in "
        f"{duration_words(each.page_ms / 1000)})"
        for series, each in estimates.items()
    ]
    for exchange in dict.fromkeys(series.exchange for series in estimates):
        of_exchange = [each for series, each in estimates.items() if series.exchange == exchange]
        if len(of_exchange) > 1:
            seconds = sum(each.seconds for each in of_exchange)
            words.append(
                f"{exchange}: the trades of {len(of_exchange)} symbols take about "
                f"{duration_words(seconds)}"
            )
    return words
