"""What a prune would take along, and what it would leave."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minutes import (
    BINANCEUS,
    BITSTAMP,
    KRAKEN,
    MERGED,
    MERGED_TETHER,
    ms,
    span,
    stored,
)
from settling import keep_flat, settle_merge, settling_of, ticker_of

from candle_ingestor.config import DerivedConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.prune.plan import plan_prune
from candle_ingestor.prune.removing import Pruner
from candle_ingestor.stores.sqlite.store import SqliteStore


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = SqliteStore(tmp_path / "candles.sqlite")
    yield Ledger(store)
    store.close()


def test_a_series_that_another_symbol_is_merged_from_stays_unless_its_exchange_is_named(
    ledger: Ledger, tmp_path: Path
) -> None:
    keep_flat(ledger, KRAKEN, 0, 10)
    settle_merge(ledger, ticker_of(KRAKEN))
    settle_merge(ledger, ticker_of(KRAKEN, merged=MERGED_TETHER))

    asked = plan_prune(ledger, [KRAKEN, MERGED], None, tmp_path, keeps_serving=True)
    named = plan_prune(ledger, [KRAKEN], None, tmp_path, keeps_serving=False)

    assert [cut.series for cut in asked.cuts] == [MERGED]
    assert asked.serving == ((KRAKEN, MERGED_TETHER),)
    assert [cut.series for cut in named.cuts] == [KRAKEN]
    assert [(loss.merged, loss.lost, loss.remade) for loss in named.losses] == [
        (MERGED, 10, 0),
        (MERGED_TETHER, 10, 0),
    ]


def test_what_the_others_can_still_make_is_told_apart_from_what_is_lost(
    ledger: Ledger, tmp_path: Path
) -> None:
    for source, first, last in ((KRAKEN, 0, 10), (BITSTAMP, 0, 20), (BINANCEUS, 6, 20)):
        keep_flat(ledger, source, first, last)
    settle_merge(ledger, ticker_of(KRAKEN, BITSTAMP, BINANCEUS, minimum=2))

    plan = plan_prune(ledger, [KRAKEN], None, tmp_path, keeps_serving=False)
    before = plan_prune(ledger, [KRAKEN], ms(3), tmp_path, keeps_serving=False)

    (loss,) = plan.losses
    assert (loss.lost, loss.remade) == (6, 4)
    assert [cut.series for cut in before.cuts] == [KRAKEN, MERGED]
    assert [cut.candles for cut in before.cuts] == [3, 3]


def test_of_a_store_without_such_candles_nothing_goes(ledger: Ledger, tmp_path: Path) -> None:
    keep_flat(ledger, KRAKEN, 0, 10)

    assert plan_prune(ledger, [KRAKEN], ms(0), tmp_path, keeps_serving=True).is_empty
    assert not plan_prune(ledger, [KRAKEN], ms(1), tmp_path, keeps_serving=True).is_empty


def test_coarser_candles_go_with_the_minutes_that_they_are_put_together_from(
    ledger: Ledger, tmp_path: Path
) -> None:
    quarter, hour = (replace(MERGED, timeframe=Timeframe(minutes)) for minutes in (15, 60))
    keep_flat(ledger, KRAKEN, 0, 240)
    settling = settling_of(ledger, ticker_of(KRAKEN))
    derived = DerivedConfig((quarter.timeframe, hour.timeframe))
    settling.rules = replace(settling.rules, derived=derived)
    settling.adopt({})
    settling.merge()
    settling.derive()

    before = plan_prune(ledger, [KRAKEN], ms(70), tmp_path, keeps_serving=False)
    minutes_only = plan_prune(ledger, [KRAKEN, MERGED], None, tmp_path, keeps_serving=True)

    assert [(cut.series, cut.candles) for cut in before.cuts] == [
        (KRAKEN, 70),
        (MERGED, 70),
        (quarter, 5),
        (hour, 2),
    ]
    assert minutes_only.serving == ((MERGED, quarter),)

    Pruner(ledger, "service", NoProgress()).remove(before)
    settling.derive()

    assert ledger.record(quarter).covered == span(75, 240)
    assert ledger.record(hour).covered == span(120, 240)
    assert len(stored(ledger.store, hour)) == 2
