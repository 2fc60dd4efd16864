"""What a run says of its plan before it asks for candles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from candle_ingestor.exchanges.markets import Markets
from candle_ingestor.ingest.outlook import WHAT_TO_DO, outlook_words, outlooks_of
from candle_ingestor.ingest.preparing import Records, RunTicker, pruned_words
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.series import Series
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker

log = logging.getLogger(__name__)

_MOST_TOLD = 5


def tell_outlook(
    tickers: Sequence[RunTicker],
    works: Mapping[Series, SeriesWork],
    records: Records,
    markets: Markets,
    reach_candles: Mapping[str, int | None],
) -> None:
    """Says in the log what is not wanted any more, and what cannot be merged whatever is answered.

    `reach_candles` is how many candles each exchange's endpoint reaches back, as `outlooks_of`
    takes it.
    """
    for words in pruned_words(tickers, records)[:_MOST_TOLD]:
        log.info("%s", words)
    told = outlook_words(outlooks_of(tickers, works, records, markets, reach_candles))
    for words, is_by_nature in told[:_MOST_TOLD]:
        log.log(logging.INFO if is_by_nature else logging.WARNING, "%s", words)
    if len(told) > _MOST_TOLD:
        log.info(
            "%d more symbols or groups of them are like that; --run_mode=dry names them all",
            len(told) - _MOST_TOLD,
        )
    if not all(is_by_nature for _, is_by_nature in told):
        log.warning("%s", WHAT_TO_DO)


def tell_rule_changes(outcomes: Mapping[Ticker, TickerOutcome]) -> None:
    """Says in the log what is merged by other rules from here on (rule M10)."""
    for ticker, outcome in outcomes.items():
        if outcome.rule_changes:
            log.warning(
                "%s is merged by other rules from here on (%s); run the command merge to "
                "bring the past in line",
                ticker.symbol,
                "; ".join(outcome.rule_changes),
            )
