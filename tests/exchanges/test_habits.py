from dataclasses import replace

import ccxt.async_support as ccxt_async
import pytest

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.habits import HABITS, ExchangeHabits, habits_of
from candle_ingestor.exchanges.names import WITHOUT_CCXT
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import DIALECTS


@pytest.mark.parametrize(
    "habits", [row for row in HABITS.values() if row.exchange not in WITHOUT_CCXT], ids=str
)
async def test_every_row_describes_an_exchange_that_ccxt_asks_for_spot_candles(
    habits: ExchangeHabits,
) -> None:
    client = getattr(ccxt_async, habits.exchange)()
    stated = ((client.features.get("spot") or {}).get("fetchOHLCV") or {}).get("limit")
    await client.close()

    assert client.has["fetchOHLCV"] is True
    assert client.has["spot"] is not False
    assert stated is None or 2 < habits.page_candles <= stated
    for reach in (habits.reach_candles, *habits.reach_by_timeframe.values()):
        assert reach is None or reach >= 2
    assert set(habits.reach_by_timeframe) <= set(client.timeframes)
    assert 2009 <= habits.opened_year <= 2020


def test_every_simulated_exchange_is_described() -> None:
    assert set(DIALECTS) <= set(HABITS)
    for exchange, dialect in DIALECTS.items():
        assert HABITS[exchange].page_candles <= dialect.page_limit


def test_an_exchange_opened_on_the_first_of_january_of_its_year() -> None:
    assert HABITS["binance"].opened_ms == 1_483_228_800_000  # 2017-01-01
    assert habits_of("nobody", None).opened_ms == 1_230_768_000_000  # 2009-01-01


def test_an_exchange_that_nobody_described_is_asked_cautiously() -> None:
    assert habits_of("nobody", 500) == ExchangeHabits("nobody", 500, is_reach_known=False)
    assert habits_of("nobody", None).page_candles == 100
    assert habits_of("kraken", 5) is HABITS["kraken"]


@pytest.mark.parametrize("exchange", ["bitvavo", "bitget", "upbit", "whitebit", "coinbase"])
async def test_a_client_of_an_undescribed_exchange_takes_the_page_size_ccxt_states(
    exchange: str,
) -> None:
    client = CcxtClient(exchange, ExchangeSettings())
    stated = getattr(ccxt_async, exchange)().features["spot"]["fetchOHLCV"]["limit"]
    try:
        assert client.habits == ExchangeHabits(exchange, stated, is_reach_known=False)
        assert "1m" in client.timeframes
    finally:
        await client.close()


def test_a_reach_may_differ_by_timeframe() -> None:
    kraken = HABITS["kraken"]
    other = replace(kraken, reach_by_timeframe={"5m": 2016, "1d": None})

    assert [kraken.reach_in(Timeframe(minutes)) for minutes in (1, 5, 1440)] == [720, 720, 720]
    assert [other.reach_in(Timeframe(minutes)) for minutes in (1, 5, 1440)] == [720, 2016, None]


def test_older_candles_may_be_asked_for_in_another_way() -> None:
    now_ms = 1_709_642_060_000
    okx, cryptocom = HABITS["okx"], HABITS["cryptocom"]
    for minutes in (1, 60):
        timeframe = Timeframe(minutes)
        border_ms = now_ms - 1380 * timeframe.duration_ms
        assert okx.parameters_of(timeframe, border_ms, now_ms) == {}
        assert okx.parameters_of(timeframe, border_ms - 1, now_ms) == {"type": "HistoryCandles"}
        assert cryptocom.parameters_of(timeframe, border_ms - 1, now_ms) == {"count": 300}
