"""Settling tells how far it is, and by rule F2 what nobody foresaw with one ticker stops no other.

On the real SQLite store.
"""

from pathlib import Path

import polars as pl
import pytest
from heard_progress import HeardProgress
from minutes import BITSTAMP, KRAKEN, MERGED, MINUTE, ms, span
from settling import break_replacing, keep_flat, settling_of, ticker_of

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.settle.settling import SettleRules, Settling, Wanted, settle
from candle_ingestor.stores.base import StoreUnavailableError

BITCOIN = ticker_of(KRAKEN)
ETHER_ON_KRAKEN = Series("kraken", Symbol("ETH", "USD"), MINUTE)
ETHER = ticker_of(ETHER_ON_KRAKEN, merged=Series.merged(ETHER_ON_KRAKEN.symbol, MINUTE))


@pytest.fixture
def settling(ledger: Ledger, tmp_path: Path) -> Settling:
    """A hundred minutes of two tickers, not yet merged; exports go to `tmp_path`/csv."""
    settling = settling_of(ledger, ETHER, BITCOIN)
    settling.rules = SettleRules(
        ms(100), "service", exports=ExportConfig(True, tmp_path / "csv", False, 2, 8, False)
    )
    for series in (ETHER_ON_KRAKEN, KRAKEN):
        keep_flat(ledger, series, 0, 100)
    settling.adopt({})
    return settling


def test_each_phase_tells_its_whole_amount_and_comes_to_it(settling: Settling) -> None:
    settling.progress = progress = HeardProgress()
    wanted = Wanted(Interval(ms(0), ms(100)), ms(0), is_bounded=False)

    settle(settling, {BITCOIN: wanted, ETHER: wanted})

    told = [(phase.name, phase.expected) for phase in progress.phases]
    assert told == [
        ("Merging", {"candles": 200}),
        ("Accounting for every minute", {"symbols": 2}),
        ("Exporting", {"months": 2}),
    ]
    assert all(phase.done == phase.expected for phase in progress.phases)


def test_what_nobody_foresaw_in_merging_fails_its_ticker_only(
    ledger: Ledger, settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_replacing(ledger, ETHER.merged, monkeypatch)

    settling.merge()

    assert ledger.record(MERGED).covered == span(0, 100)
    assert settling.outcomes[BITCOIN].errors == []
    (error,) = settling.outcomes[ETHER].errors
    assert "a bug" in error


def test_a_batch_that_is_merged_again_ticker_by_ticker_is_counted_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    differing = ticker_of(KRAKEN, BITSTAMP, minimum=2)
    keep_flat(ledger, KRAKEN, 0, 3)
    keep_flat(ledger, BITSTAMP, 0, 3, 20.0)
    keep_flat(ledger, ETHER_ON_KRAKEN, 0, 3)
    settling = settling_of(ledger, differing, ETHER)
    settling.adopt({})
    break_replacing(ledger, ETHER.merged, monkeypatch)

    settling.merge()

    assert settling.outcomes[differing].merged.disagreements == 3
    assert settling.outcomes[differing].merged.candles == 3


def test_what_nobody_foresaw_in_exporting_fails_its_ticker_only(
    ledger: Ledger, settling: Settling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settling.merge()
    read = ledger.candles

    def broken(series: Series, interval: Interval) -> pl.DataFrame:
        if series == ETHER.merged:
            raise ZeroDivisionError("a bug")
        return read(series, interval)

    monkeypatch.setattr(ledger, "candles", broken)
    settling.export()

    assert settling.outcomes[BITCOIN].errors == []
    (error,) = settling.outcomes[ETHER].errors
    assert "a bug" in error
    assert (tmp_path / "csv/aggregated/BTCUSD/2024/2024-03.csv").exists()
    assert not (tmp_path / "csv/aggregated/ETHUSD/2024/2024-03.csv").exists()


def test_a_store_that_fails_while_exporting_ends_it_and_is_not_asked_again(
    ledger: Ledger, settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    settling.merge()
    asked: list[str] = []

    def read(series: Series, interval: Interval) -> pl.DataFrame:
        asked.append("candles")
        raise StoreUnavailableError("the store went away")

    def update(records: object) -> None:
        asked.append("update")

    monkeypatch.setattr(ledger, "candles", read)
    monkeypatch.setattr(ledger, "update", update)
    with pytest.raises(StoreUnavailableError, match="went away"):
        settling.export()
    assert asked == ["candles"]
