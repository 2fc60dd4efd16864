"""Sources are made by the name of their kind."""

from __future__ import annotations

import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.ingest.sources.factory import SourceParts, make_source, sources_of
from candle_ingestor.model.origins import Origin
from candle_ingestor.operations.stopping import StopSignal


async def parts_of(*exchanges: str) -> SourceParts:
    stop = StopSignal()
    clients = [CcxtClient(exchange, ExchangeSettings()) for exchange in exchanges]
    sessions = [ExchangeSession(client, RetryPolicy(), stop) for client in clients]
    return SourceParts(sessions, lambda: 0, 5, 2)


async def test_every_exchange_that_is_asked_has_a_source_in_flag_order() -> None:
    sources = sources_of(await parts_of("kraken", "bitstamp"))

    assert list(sources) == ["kraken", "bitstamp"]
    assert [each.endpoint.exchange for each in sources.values()] == ["kraken", "bitstamp"]
    assert sources["kraken"].endpoint.page_candles == 720


async def test_a_source_offers_the_timeframes_of_its_exchange() -> None:
    source = make_source(Origin.ENDPOINT, "kraken", await parts_of("bitstamp", "kraken"))

    assert "1m" in source.timeframes
    assert "7m" not in source.timeframes


async def test_a_kind_that_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="'tea_leaves' is no source of candles"):
        make_source("tea_leaves", "kraken", await parts_of("kraken"))
