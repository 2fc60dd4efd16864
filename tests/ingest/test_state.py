"""Rule C3: the state that the outside world reads, derived from coverage. Times are minutes."""

from dataclasses import replace
from pathlib import Path

import pytest

from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.plan import Window
from candle_ingestor.ingest.state import honoured_catch_up_ms, state_of
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import CoverageRecord
from candle_ingestor.stores.sqlite import SqliteStore
from candle_ingestor.symbols.requests import SymbolRequest

MINUTE_MS = 60_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
TICKER = Ticker(SymbolRequest(BITCOIN), MERGED, (KRAKEN,), {})
WINDOW = Window(0, 100 * MINUTE_MS, False, 10 * MINUTE_MS, 0)


def spans(*pairs: tuple[int, int]) -> IntervalSet:
    return IntervalSet((a * MINUTE_MS, b * MINUTE_MS) for a, b in pairs)


def state(covered: IntervalSet, window: Window = WINDOW) -> dict[str, int]:
    return {key: ms // MINUTE_MS for key, ms in state_of(TICKER, covered, window).items()}


def test_backfill_stands_at_the_first_gap_and_catch_up_at_the_newest_candle() -> None:
    assert state(spans((0, 30), (40, 90))) == {"BTC/USD-backfill": 29, "BTC/USD-catch_up": 89}


def test_backfill_that_has_not_begun_at_its_start_has_no_state() -> None:
    assert state(spans((5, 90))) == {"BTC/USD-catch_up": 89}


def test_nothing_known_is_no_state() -> None:
    assert state(EMPTY) == {}


def test_coverage_before_the_start_is_no_progress_of_the_backfill() -> None:
    late = replace(WINDOW, start_ms=50 * MINUTE_MS)
    assert state(spans((0, 30)), late) == {"BTC/USD-catch_up": 29}
    assert state(spans((0, 60)), late) == {"BTC/USD-backfill": 59, "BTC/USD-catch_up": 59}


def test_a_bounded_download_is_no_catch_up() -> None:
    assert state(spans((0, 30)), replace(WINDOW, is_bounded=True)) == {"BTC/USD-backfill": 29}


def test_without_a_backfill_there_is_only_catch_up() -> None:
    assert state(spans((0, 30)), replace(WINDOW, start_ms=None)) == {"BTC/USD-catch_up": 29}


def test_a_start_in_the_middle_of_a_candle_counts_from_the_next() -> None:
    assert state(spans((1, 30)), replace(WINDOW, start_ms=1))["BTC/USD-backfill"] == 29


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(SqliteStore(tmp_path / "candles.sqlite"), {KRAKEN: (MERGED,)})


def test_the_state_of_an_older_service_counts_until_there_is_coverage(ledger: Ledger) -> None:
    old = {"BTC/USD-catch_up": 7, "BTC/USD-backfill": 3, "ETH/USD-catch_up": 9}

    assert honoured_catch_up_ms(ledger, TICKER, old) == 7
    assert honoured_catch_up_ms(ledger, TICKER, {}) is None
    ledger.update(KRAKEN, CoverageRecord(covered=spans((0, 1))))
    assert honoured_catch_up_ms(ledger, TICKER, old) is None
