"""Short ways to fill a ledger and to settle it."""

from collections.abc import Iterable, Mapping

import pytest
from minutes import EVERYTHING, MERGED, MINUTE_MS, START_MS, candles, span

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Kept, Replacement
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis
from candle_ingestor.settle.outcome import MergeCounts, TickerOutcome
from candle_ingestor.settle.settling import SettleRules, Settling
from candle_ingestor.settle.ticker import Ticker


def ticker_of(*sources: Series, minimum: int = 1, merged: Series = MERGED) -> Ticker:
    """A ticker by default rules, of which the sources' exchanges are the exchanges."""
    rules = MergeRules(tuple(source.exchange for source in sources), minimum)
    return Ticker(merged, MergeBasis(rules, sources))


def keep(
    ledger: Ledger,
    series: Series,
    answered: IntervalSet,
    prices: Mapping[int, float],
    provisional: IntervalSet = EMPTY,
) -> None:
    ledger.replace([Replacement(series, answered, candles(prices), answered, provisional)])


def keep_flat(ledger: Ledger, series: Series, first: int, last: int, price: float = 10.0) -> None:
    """A candle of that price at each minute from `first` until before `last`."""
    keep(ledger, series, span(first, last), dict.fromkeys(range(first, last), price))


def settling_of(
    ledger: Ledger, *tickers: Ticker, merges_everything: bool = False, closed_end_ms: int = 2**50
) -> Settling:
    rules = SettleRules(closed_end_ms, "service", merges_everything=merges_everything)
    return Settling(ledger, rules, {each: TickerOutcome(str(each.symbol)) for each in tickers})


def settle_merge(ledger: Ledger, ticker: Ticker, *, everything: bool = False) -> MergeCounts:
    """Adopts the ticker's basis and merges, as a run does, or the command merge."""
    settling = settling_of(ledger, ticker, merges_everything=everything)
    settling.adopt({})
    settling.merge()
    return settling.outcomes[ticker].merged


def break_replacing(ledger: Ledger, series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the ledger has a bug that shows in every batch with this series."""
    replace = ledger.replace

    def broken(replacements: Iterable[Replacement]) -> list[Kept]:
        batch = list(replacements)
        if any(each.series == series for each in batch):
            raise ZeroDivisionError("a bug")
        return replace(batch)

    monkeypatch.setattr(ledger, "replace", broken)


def merged_rows(ledger: Ledger, series: Series = MERGED) -> dict[int, tuple[float, str]]:
    """Open and source exchanges of each merged minute."""
    frame = ledger.store.read_candles(series, EVERYTHING)
    return {
        (row["open_time_ms"] - START_MS) // MINUTE_MS: (row["open"], row["source_exchanges"])
        for row in frame.iter_rows(named=True)
    }
