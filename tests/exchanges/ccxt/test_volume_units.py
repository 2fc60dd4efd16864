"""Where ccxt hands on another volume than the base volume, the row layout picks that."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.habits import HABITS, ExchangeHabits, RowLayout, VolumeUnit
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import Timeframe

START = 1_709_640_000
# ccxt reads "v"; as if that were the quote volume here, and "a" the base volume.
LAYOUT = RowLayout(("i", "o", "h", "l", "c", "a"), 1000)


def row(seconds: int, base: Any, **changed: Any) -> dict[str, Any]:
    prices = {"o": "10.5", "h": "12", "l": "9", "c": "11"}
    return {"i": str(seconds), **prices, "v": "110.5", "a": base, **changed}


@pytest.fixture
def volumes_read(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Awaitable[str]]
) -> Callable[[list[Any]], Awaitable[list[Any]]]:
    """`await volumes_read(rows)`: of candles of bitrue, as if it were described so."""
    habits = ExchangeHabits(
        "bitrue", 1440, volume_unit=VolumeUnit.QUOTE, row_layout=LAYOUT, is_reach_known=False
    )
    monkeypatch.setitem(HABITS, "bitrue", habits)

    async def read(rows: list[Any]) -> list[Any]:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=json.dumps({"data": rows}), content_type="application/json")

        client = CcxtClient("bitrue", ExchangeSettings(await serve(answer)))
        client.use_markets(
            [
                {
                    "id": "BTCUSDT",
                    "symbol": "BTC/USDT",
                    "base": "BTC",
                    "quote": "USDT",
                    "type": "spot",
                    "spot": True,
                    "swap": False,
                    "active": True,
                    "info": {},
                    "precision": {},
                    "limits": {},
                }
            ]
        )
        try:
            found = await client.fetch_candles("BTC/USDT", Timeframe(1), START * 1000, 10)
        finally:
            await client.close()
        assert found.frame["close"].drop_nulls().to_list() == [11.0] * len(rows)
        return found.frame["volume"].to_list()

    return read


async def test_whole_columns_carry_the_base_volume(volumes_read: Any) -> None:
    assert await volumes_read([row(START, "10.25"), row(START + 60, "1e-7")]) == [10.25, 1e-7]


async def test_rows_that_must_be_read_one_by_one_carry_it_too(volumes_read: Any) -> None:
    rows = [row(START, "10.25"), row(START + 60, "2", h=None), row(START + 120, 3)]

    assert await volumes_read(rows) == [10.25, 2.0, 3.0]


@pytest.mark.parametrize("base", [None, "", "much", [], {}])
async def test_a_row_without_it_has_no_volume_rather_than_another_one(
    base: Any, volumes_read: Any
) -> None:
    assert await volumes_read([row(START, base), row(START + 60, "4")]) == [None, 4.0]


async def test_a_row_that_lacks_the_field_has_no_volume(volumes_read: Any) -> None:
    lacking = row(START, "1")
    del lacking["a"]

    assert await volumes_read([lacking]) == [None]
