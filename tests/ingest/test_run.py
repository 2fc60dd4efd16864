"""What a run makes of exchanges whose markets cannot be learnt. Real ccxt, HTTP and SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.client import CcxtClient
from candle_ingestor.exchanges.markets import DiskMarketsCache
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.report import RunReport, RunStatus
from candle_ingestor.ingest.run import RunParts, run_ingest
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.sqlite import SqliteStore
from candle_ingestor.symbols.sources import from_flag
from exchange_simulator import ExchangeSimulator, SimulatorClock, SimulatorConfig

# 2024-03-05T00:30:20Z
NOW_MS = 1_709_598_620_000
MINUTE_MS = 60_000


class Setting:
    """One store and one simulator; an exchange that is `down` is asked where nobody listens."""

    def __init__(self, folder: Path, simulator: ExchangeSimulator, closed_port: int) -> None:
        self.folder = folder
        self.simulator = simulator
        self.closed_port = closed_port

    def config(self, exchanges: list[str], minimum: int) -> Config:
        names = [name for group in GROUPS.values() for name in group]
        flags = {
            "exchanges": exchanges,
            "min_exchanges_required": minimum,
            "backfill_start_date": "2024-03-05",
            "export_csv": False,
            "sqlite_path": str(self.folder / "candles.sqlite"),
        }
        values = {name: FLAGS[name].default for name in names} | flags
        return config_from_flags(SimpleNamespace(**values), {}, NOW_MS)

    async def run(
        self, symbols: str, exchanges: list[str], *, down: str = "", minimum: int = 1
    ) -> RunReport:
        nobody = f"http://127.0.0.1:{self.closed_port}"
        clients = [
            CcxtClient(
                exchange,
                ExchangeSettings(
                    nobody if exchange == down else self.simulator.base_url(exchange),
                    requests_per_minute=0,
                ),
            )
            for exchange in exchanges
        ]
        store = SqliteStore(self.folder / "candles.sqlite")
        parts = RunParts(
            store,
            clients,
            DiskMarketsCache(self.folder / "markets_cache"),
            self.simulator.clock,
            NoProgress(),
            StopSignal(),
            RetryPolicy(0.001, 0.002),
        )
        reports: list[RunReport] = []
        try:
            await run_ingest(
                self.config(exchanges, minimum), from_flag(symbols), parts, reports.append
            )
        finally:
            store.close()
        return reports[0]

    def merged(self, symbol: str) -> dict[int, str]:
        """The source exchanges of each merged minute."""
        series = Series.merged(Symbol.parse(symbol), Timeframe(1))
        store = SqliteStore(self.folder / "candles.sqlite")
        try:
            frame = store.read_candles(series, Interval(0, 2**60))
        finally:
            store.close()
        return dict(zip(frame["open_time_ms"], frame["source_exchanges"], strict=True))


@pytest.fixture
async def setting(tmp_path: Path, closed_port: int) -> AsyncIterator[Setting]:
    clock = SimulatorClock(NOW_MS, frozen=True)
    config = SimulatorConfig(exchanges=("kraken", "bitstamp"))
    async with ExchangeSimulator(config, clock=clock) as simulator:
        yield Setting(tmp_path, simulator, closed_port)


BOTH = ["kraken", "bitstamp"]


async def test_a_symbol_that_only_a_silent_exchange_may_list_fails_and_is_not_dropped(
    setting: Setting,
) -> None:
    report = await setting.run("BTC/USD,BTC/USDT", BOTH, down="kraken")

    assert report.status is RunStatus.FAILED
    assert report.dropped == {}
    tether = next(ticker for ticker in report.tickers if ticker.symbol == "BTC/USDT")
    assert tether.errors[0].startswith("whether kraken has BTC/USDT cannot be told: ")
    bitcoin = next(ticker for ticker in report.tickers if ticker.symbol == "BTC/USD")
    assert bitcoin.covered_candles == bitcoin.wanted_candles == 30
    assert len(report.to_json()["tickers"]) == 2


async def test_symbols_that_cannot_be_told_at_all_are_no_bad_configuration(
    setting: Setting,
) -> None:
    with pytest.raises(DependencyError, match="whether kraken has BTC/USDT cannot be told"):
        await setting.run("BTC/USDT", BOTH, down="kraken")


async def test_what_is_stored_of_a_silent_exchange_goes_into_what_is_merged_without_it(
    setting: Setting,
) -> None:
    await setting.run("BTC/USD", BOTH, down="bitstamp")
    assert set(setting.merged("BTC/USD").values()) == {"kraken"}

    report = await setting.run("BTC/USD", BOTH, down="kraken")
    assert "kraken" in report.tickers[0].errors[0]
    found = setting.merged("BTC/USD")
    await setting.run("BTC/USD", BOTH)
    assert setting.merged("BTC/USD") == found
    assert "kraken,bitstamp" in found.values()
