"""The sources of each exchange."""

from __future__ import annotations

from dataclasses import replace

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.ingest.sources.archive_source import ArchiveIndex
from candle_ingestor.ingest.sources.factory import SourceParts, sources_of
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
    source = sources_of(await parts_of("bitstamp", "kraken"))["kraken"].endpoint

    assert "1m" in source.timeframes
    assert "7m" not in source.timeframes


async def test_an_exchange_has_the_further_sources_that_are_wanted_and_to_be_had() -> None:
    parts = replace(await parts_of("bitstamp", "kraken"), builds_from_trades=True)
    index = ArchiveIndex(lambda: 0, 5, skips_bad_rows=False, files={})

    without = sources_of(parts)
    both = sources_of(replace(parts, archives=index))

    assert {e: list(each.further) for e, each in without.items()} == {
        "bitstamp": [],
        "kraken": [Origin.TRADES],
    }
    assert list(both["kraken"].further) == [Origin.ARCHIVE, Origin.TRADES]
    assert all(source.origin is origin for origin, source in both["kraken"].further.items())
