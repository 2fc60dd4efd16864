"""When a symbol has failed (rule F3). Pure but for reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from candle_ingestor.ingest.preparing import RunTicker
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


def fail_what_is_missing(
    ledger: Ledger,
    tickers: Iterable[RunTicker],
    outcomes: Mapping[Ticker, TickerOutcome],
    works: Mapping[Series, SeriesWork],
    troubled_exchanges: Collection[str],
) -> None:
    """Fails every ticker that lacks minutes since an exchange left something unanswered."""
    for each in tickers:
        outcome = outcomes[each.ticker]
        unavailable = [e for e in each.choice.unknown if e in troubled_exchanges]
        failed = failed_minutes(ledger, each.ticker, outcome, works, unavailable)
        if failed:
            # Why they did not answer is told once for each, whatever the number of its symbols.
            silent = [s.exchange for s in each.asked if works[s].failed] + unavailable
            candles = failed.duration_ms // each.ticker.merged.timeframe.duration_ms
            outcome.fail(
                f"{candles:,} candles could not be merged: {', '.join(silent)} left them unanswered"
            )


def can_do_without(
    series: Series, tickers: Iterable[RunTicker], troubled_exchanges: Collection[str]
) -> bool:
    """Whether every ticker that is made from the series has its minimum without the troubled."""
    for each in tickers:
        if series in each.ticker.sources:
            rest = [s for s in each.ticker.sources if s.exchange not in troubled_exchanges]
            if len(rest) < each.ticker.basis.rules.min_exchanges:
                return False
    return True
