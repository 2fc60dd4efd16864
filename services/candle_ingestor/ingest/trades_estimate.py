"""How long the trades of a run would take, measured before they are read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from candle_ingestor.exchanges.errors import ExchangeError, RunEndedError, words_without
from candle_ingestor.ingest.sources.trades_source import TradeCandles, TradesEstimate
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.texts import counted
from candle_ingestor.operations.progress import duration_words

log = logging.getLogger(__name__)

MOST_MEASURED = 3
"""Series an exchange, those with the most to read: the present is not to wait for an estimate."""


def reads_trades(works: Collection[SeriesWork]) -> bool:
    """Whether any candles are to be built from trades."""
    return any(_wanted(work) for work in works)


async def measured_trades(works: Collection[SeriesWork]) -> dict[Series, TradesEstimate]:
    """What the trades of each series would take.

    Those of which most is wanted are measured, and the others guessed by them. Where nothing of an
    exchange could be measured, nothing is said.
    """
    found: dict[Series, TradesEstimate] = {}
    for exchange in dict.fromkeys(work.series.exchange for work in works):
        of_exchange = [w for w in works if w.series.exchange == exchange and _wanted(w)]
        of_exchange.sort(key=lambda work: -_wanted(work).duration_ms)
        for work in of_exchange[:MOST_MEASURED]:
            found |= await _measured(work)
        if not any(series.exchange == exchange for series in found):
            continue
        for work in of_exchange:
            source = work.further[Origin.TRADES]
            if work.series not in found and isinstance(source, TradeCandles):
                found[work.series] = source.guess(_wanted(work))
    return found


def estimate_words(estimates: Mapping[Series, TradesEstimate]) -> list[str]:
    """A sentence for each series that was measured, and one an exchange that has several."""
    words = [
        f"{series}: its trades take about {counted(each.requests, 'request')}, "
        f"{duration_words(each.seconds)} at the exchange's pace ({each.page_trades:,} trades in "
        f"{duration_words(each.page_ms / 1000)})"
        for series, each in estimates.items()
        if each.page_trades
    ]
    for exchange in dict.fromkeys(series.exchange for series in estimates):
        of_exchange = [each for series, each in estimates.items() if series.exchange == exchange]
        if len(of_exchange) > 1:
            requests = sum(each.requests for each in of_exchange)
            seconds = sum(each.seconds for each in of_exchange)
            words.append(
                f"{exchange}: the trades of {len(of_exchange)} symbols take about "
                f"{counted(requests, 'request')}, {duration_words(seconds)} at the exchange's pace"
            )
    return words


def _wanted(work: SeriesWork) -> IntervalSet:
    return work.plan.elsewhere.get(Origin.TRADES, EMPTY)


async def _measured(work: SeriesWork) -> dict[Series, TradesEstimate]:
    source = work.further[Origin.TRADES]
    if not isinstance(source, TradeCandles):
        return {}
    try:
        estimate = await source.estimate(work.series, _wanted(work), work.report.counts)
    except RunEndedError:
        return {}
    except ExchangeError as error:
        log.warning(
            "%s: how many trades there are could not be measured: %s",
            work.series,
            words_without(work.series.exchange, error),
        )
        return {}
    return {} if estimate is None else {work.series: estimate}
