"""When a symbol has failed (rule F3). Pure but for reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import EMPTY, IntervalSet, covered_at_least
from candle_ingestor.model.series import Series
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker


def failed_minutes(
    ledger: Ledger,
    ticker: Ticker,
    outcome: TickerOutcome,
    works: Mapping[Series, SeriesWork],
    unknown_exchanges: Collection[str],
) -> IntervalSet:
    """The merged minutes that are missing and would be there, had every exchange answered.

    What was not asked for, as when the time was over, is no failure. `unknown_exchanges` are
    those that could not even say what they list.
    """
    missing = IntervalSet(gap.interval for gap in outcome.gaps)
    if not missing:
        return EMPTY
    known = []
    answered = []
    for source in ticker.sources:
        covered = ledger.record(source).covered
        known.append(covered)
        failed = works[source].failed if source in works else EMPTY
        answered.append(missing if source.exchange in unknown_exchanges else covered | failed)
    sources = {source.exchange for source in ticker.sources}
    answered += [missing for exchange in unknown_exchanges if exchange not in sources]
    minimum = ticker.basis.rules.min_exchanges
    # What enough exchanges cover is missing only since the run had no time to merge it.
    return missing & (covered_at_least(answered, minimum) - covered_at_least(known, minimum))
