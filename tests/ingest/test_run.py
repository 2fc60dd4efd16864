"""What a run makes of exchanges whose markets cannot be learnt. Real ccxt, HTTP and SQLite."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from crashing_store import CrashingStore
from heard_progress import HeardProgress
from rich.console import Console

from candle_ingestor.commands.gaps import gaps
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import RateLimitedError
from candle_ingestor.exchanges.markets import DiskMarketsCache
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.report import RunReport, RunStatus
from candle_ingestor.ingest.report_json import report_json
from candle_ingestor.ingest.run import run_once
from candle_ingestor.ingest.run_parts import RunParts
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.operations.stopping import TIME_LIMIT, StopSignal
from candle_ingestor.stores.base import StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore
from candle_ingestor.symbols.sources import from_flag
from exchange_simulator import ExchangeSimulator, Fault, SimulatorClock, SimulatorConfig

# 2024-03-05T00:30:20Z
NOW_MS = 1_709_598_620_000
MINUTE_MS = 60_000


class Setting:
    """One store and one simulator; an exchange that is `down` is asked where nobody listens."""

    def __init__(self, folder: Path, simulator: ExchangeSimulator, closed_port: int) -> None:
        self.folder = folder
        self.simulator = simulator
        self.closed_port = closed_port

    def config(
        self,
        exchanges: list[str],
        minimum: int,
        start: str = "2024-03-05",
        *,
        fail_fast: bool = False,
        **more: Any,
    ) -> Config:
        names = [name for group in GROUPS.values() for name in group]
        flags = {
            "exchanges": exchanges,
            "min_exchanges_required": minimum,
            "backfill_start_date": start,
            "export_csv": False,
            "fail_fast": fail_fast,
            "sqlite_path": str(self.folder / "candles.sqlite"),
            **more,
        }
        values = {name: FLAGS[name].default for name in names} | flags
        given: Any = SimpleNamespace(**values)
        return config_from_flags(given, {})

    async def run(
        self,
        symbols: str,
        exchanges: list[str],
        *,
        down: str = "",
        minimum: int = 1,
        fail_fast: bool = False,
        **more: Any,
    ) -> RunReport:
        """One run, as the job does it: with clients and a store of its own."""
        async with self.parts(exchanges, down=down) as parts:
            config = self.config(exchanges, minimum, fail_fast=fail_fast, **more)
            return await run_once(config, from_flag(symbols), parts)

    @asynccontextmanager
    async def parts(self, exchanges: list[str], *, down: str = "") -> AsyncIterator[RunParts]:
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
        try:
            yield parts
        finally:
            for client in clients:
                await client.close()
            store.close()

    def gaps(self) -> list[dict[str, Any]]:
        """What the command tells, of exchanges' own series too."""
        config = self.config(["kraken"], 1, format="json", by_exchange=True)
        told = io.StringIO()
        assert gaps(config, self.simulator.clock, Console(file=told)) == 0
        found: list[dict[str, Any]] = json.loads(told.getvalue())["gaps"]
        return found

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
    assert tether.errors[0].startswith("nobody knows whether it is listed on kraken: ")
    bitcoin = next(ticker for ticker in report.tickers if ticker.symbol == "BTC/USD")
    assert bitcoin.outcome.covered_candles == bitcoin.outcome.wanted_candles == 30
    assert len(report_json(report)["tickers"]) == 2


async def test_symbols_that_cannot_be_told_at_all_are_no_bad_configuration(
    setting: Setting,
) -> None:
    report = await setting.run("BTC/USDT", BOTH, down="kraken")

    assert isinstance(report.failure, DependencyError)
    assert "nobody knows whether it is listed on kraken" in str(report.failure)
    assert report.status is RunStatus.FAILED


async def test_what_is_stored_of_a_silent_exchange_goes_into_what_is_merged_without_it(
    setting: Setting,
) -> None:
    await setting.run("BTC/USD", BOTH, down="bitstamp")
    assert set(setting.merged("BTC/USD").values()) == {"kraken"}

    report = await setting.run("BTC/USD", BOTH, down="kraken")
    assert report.status is RunStatus.DEGRADED
    assert list(report.unavailable_exchanges) == ["kraken"]
    found = setting.merged("BTC/USD")
    await setting.run("BTC/USD", BOTH)
    assert setting.merged("BTC/USD") == found
    assert "kraken,bitstamp" in found.values()


async def test_every_phase_of_a_run_is_told_and_the_search_for_a_markets_first_candle(
    tmp_path: Path, closed_port: int
) -> None:
    progress = HeardProgress()
    listed_ms = NOW_MS - 30 * MINUTE_MS
    simulated = SimulatorConfig(exchanges=("bitstamp",), listed_since_ms={"BTC": listed_ms})
    clock = SimulatorClock(NOW_MS, frozen=True)
    async with ExchangeSimulator(simulated, clock=clock) as simulator:
        setting = Setting(tmp_path, simulator, closed_port)
        async with setting.parts(["bitstamp"]) as parts:
            config = setting.config(["bitstamp"], 1, "2024-03-01")
            await run_once(config, from_flag("BTC/USD"), replace(parts, progress=progress))

    assert [phase.name for phase in progress.phases] == [
        "Asking the exchanges which markets they have",
        "Reading what is stored",
        "Fetching candles",
        "Merging",
        "Accounting for every minute",
    ]
    fetching = progress["Fetching candles"]
    assert fetching.done == fetching.expected == {"bitstamp": 4 * 1440 + 30}
    assert fetching.worked["bitstamp"] < 1440
    assert ("bitstamp", "looking for the first candle of BTC/USD") in fetching.notes


async def test_the_same_parts_serve_one_run_after_the_other(setting: Setting) -> None:
    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        first = await run_once(config, symbols, parts)
        setting.simulator.clock.advance(5 * MINUTE_MS)
        second = await run_once(config, symbols, parts)
        kept = parts.store.read_runs(5)

    assert (first.status, second.status) == (RunStatus.OK, RunStatus.OK)
    assert first.run_id != second.run_id
    assert {run["run_id"] for run in kept} == {first.run_id, second.run_id}
    outcome = second.tickers[0].outcome
    assert outcome.covered_candles == outcome.wanted_candles == 35
    # Two provisional minutes, read again, and five others, each at most.
    assert 0 < second.tickers[0].outcome.merged.candles <= 7


@pytest.mark.parametrize("fail_at", [1, 3])
async def test_a_store_that_fails_is_the_failure_of_the_report_and_the_next_run_mends_it(
    setting: Setting, fail_at: int
) -> None:
    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        assert isinstance(parts.store, SqliteStore)
        failing = replace(parts, store=CrashingStore(parts.store, fail_at))
        report = await run_once(config, symbols, failing)

        assert isinstance(report.failure, DependencyError)
        assert report.error == str(report.failure) == "the store went away"
        assert report.status is RunStatus.FAILED
        again = await run_once(config, symbols, parts)
        assert again.failure is None
        assert again.status is RunStatus.OK
        assert again.tickers[0].outcome.gaps == []


@pytest.mark.parametrize("part", ["fetching", "merging"])
async def test_a_run_that_its_store_ends_half_way_tells_what_it_did_and_what_is_left(
    setting: Setting, part: str
) -> None:
    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        assert isinstance(parts.store, SqliteStore)
        # The first three writes are of what is learnt of the series, four more of candles.
        failing = CrashingStore(parts.store, {"fetching": 4, "merging": 10}[part])
        report = await run_once(config, symbols, replace(parts, store=failing))

    assert isinstance(report.failure, DependencyError)
    [ticker] = report.tickers
    assert ticker.outcome.covered_candles == 0
    assert ticker.outcome.wanted_candles == 30
    assert report.missing(ticker) == {"not_fetched": 30}
    assert not report.is_complete(ticker)
    gaps = {source.exchange: source.gaps for source in ticker.sources}
    assert all(gaps.values()) if part == "fetching" else not any(gaps.values())
    assert report.totals_of("kraken").requests > 0


async def test_an_exchange_too_many_that_is_down_degrades_the_run_with_one_line(
    setting: Setting,
) -> None:
    await setting.run("BTC/USD,ETH/USD", BOTH, minimum=1)
    report = await setting.run("BTC/USD,ETH/USD", BOTH, down="bitstamp", minimum=1)

    assert report.status is RunStatus.DEGRADED
    assert list(report.troubles) == ["bitstamp"]
    assert report.failed_tickers == []


class BusyClient(CcxtClient):
    """Has its markets asked for again after the run's end."""

    async def fetch_markets(self) -> list[dict[str, Any]]:
        raise RateLimitedError(f"{self.exchange}: 429", retry_after_seconds=3_600)


@pytest.mark.parametrize("busy", [BOTH, ["kraken"]])
async def test_a_run_that_ends_before_it_knows_who_lists_its_symbol_is_stopped_and_no_failure(
    setting: Setting, busy: list[str]
) -> None:
    # Only kraken has it.
    config, symbols = setting.config(BOTH, 1), from_flag("BTC/USDT")
    async with setting.parts(BOTH) as parts:
        clients = [
            BusyClient(client.exchange, ExchangeSettings(client.address))
            if client.exchange in busy
            else client
            for client in parts.clients
        ]
        report = await run_once(
            config, symbols, replace(parts, clients=clients, stop=StopSignal(600))
        )

        assert report.status is RunStatus.STOPPED
        assert report.stop_reason == TIME_LIMIT
        assert report.tickers == []
        assert report.unavailable_exchanges == {}
        assert report.troubles == {}
        assert report.dropped == {}
        assert parts.store.read_records() == {}
        for client in clients:
            await client.close()


async def test_a_run_goes_on_with_the_exchanges_that_told_in_time(setting: Setting) -> None:
    config, symbols = setting.config(BOTH, 1), from_flag("BTC/USD,BTC/USDT")
    async with setting.parts(BOTH) as parts:
        busy = BusyClient("kraken", ExchangeSettings("default"))
        report = await run_once(
            config,
            symbols,
            replace(parts, clients=[busy, parts.clients[1]], stop=StopSignal(600)),
        )
        await busy.close()

    assert report.status is RunStatus.STOPPED
    (ticker,) = report.tickers
    assert ticker.symbol == "BTC/USD"
    assert ticker.outcome.covered_candles == ticker.outcome.wanted_candles == 30


async def test_the_first_failure_that_costs_a_symbol_its_minimum_ends_a_run_that_is_to_fail_fast(
    setting: Setting,
) -> None:
    setting.simulator.set_faults([Fault("kraken", "403", 1)])
    spared = await setting.run("BTC/USD", BOTH, minimum=1, fail_fast=True)
    ended = await setting.run("ETH/USD", BOTH, minimum=2, fail_fast=True)
    not_fast = await setting.run("ETH/USD", BOTH, minimum=2)

    assert (spared.status, spared.stop_reason) == (RunStatus.DEGRADED, None)
    assert (ended.status, ended.stop_reason) == (RunStatus.FAILED, "--fail_fast")
    assert (not_fast.status, not_fast.stop_reason) == (RunStatus.FAILED, None)


async def test_the_first_write_of_a_run_holds_all_that_it_learns_before_it_fetches(
    setting: Setting,
) -> None:
    config, symbols = setting.config(BOTH, 2, start="2024-03-03"), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        assert isinstance(parts.store, SqliteStore)
        store = CrashingStore(parts.store)
        await run_once(config, symbols, replace(parts, store=store))

    first = {change.series.exchange: change.record for change in store.batches[0]}
    assert first.keys() == {"kraken", "bitstamp", "aggregated"}
    assert first["kraken"].precision is not None
    assert GapReason.BEYOND_REACH in first["kraken"].coverage.reasons
    assert first["aggregated"].merging is not None
    assert any(change.candles is not None for change in store.batches[1])


class ReportingStore(CrashingStore):
    """Counts the reports it is given; `before_report` may block or raise."""

    def __init__(
        self,
        store: SqliteStore,
        fail_at: int | None = None,
        before_report: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(store, fail_at)
        self._before_report = before_report
        self.reports: list[Mapping[str, Any]] = []

    def write_run(self, report: Mapping[str, Any]) -> None:
        self.reports.append(report)
        self._before_report()


async def test_signals_are_heard_while_the_report_waits_for_the_store(setting: Setting) -> None:
    loop = asyncio.get_running_loop()
    heard = threading.Event()

    def wait() -> None:
        loop.call_soon_threadsafe(heard.set)
        assert heard.wait(10)

    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        assert isinstance(parts.store, SqliteStore)
        store = ReportingStore(parts.store, before_report=wait)
        report = await run_once(config, symbols, replace(parts, store=store))

    assert report.status is RunStatus.OK
    assert [kept["status"] for kept in store.reports] == ["running", "ok"]


async def test_a_store_that_went_away_is_not_waited_for_once_more(setting: Setting) -> None:
    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        assert isinstance(parts.store, SqliteStore)
        store = ReportingStore(parts.store, fail_at=3)
        report = await run_once(config, symbols, replace(parts, store=store))

    assert isinstance(report.failure, StoreUnavailableError)
    assert [kept["status"] for kept in store.reports] == ["running"]


async def test_a_run_that_is_stopped_before_its_symbols_are_known_leaves_its_record(
    setting: Setting,
) -> None:
    config, symbols = setting.config(BOTH, 2), from_flag("BTC/USD")
    async with setting.parts(BOTH) as parts:
        parts.stop.request("SIGTERM", is_urgent=True)
        report = await run_once(config, symbols, parts)
        (kept,) = parts.store.read_runs(5)

    assert report.status is RunStatus.STOPPED
    assert (kept["status"], kept["stop_reason"], kept["tickers"]) == ("stopped", "SIGTERM", [])


async def test_runs_that_can_ask_nobody_are_noted_as_attempts_on_all_that_is_stored(
    setting: Setting,
) -> None:
    await setting.run("BTC/USD", ["kraken"])
    starts = []
    for _ in range(2):
        setting.simulator.clock.advance(10 * MINUTE_MS)
        starts.append(iso_text(setting.simulator.clock.now_ms()))
        report = await setting.run("BTC/USD", ["kraken"], down="kraken")
        assert isinstance(report.failure, DependencyError)

    found = {gap["exchange"]: gap for gap in setting.gaps()}
    setting.simulator.clock.advance(MINUTE_MS)
    await setting.run("BTC/USD", ["kraken"])
    filled = {gap["exchange"]: gap for gap in setting.gaps()}

    assert found.keys() == filled.keys() == {"aggregated", "kraken"}
    for name, gap in found.items():
        assert (gap["candles"], gap["since"], gap["attempts"]) == (20, starts[0], 2)
        assert "127.0.0.1" in gap["last_error"]
        assert gap["last_error"].startswith("kraken: ") is (name == "aggregated")
        assert filled[name]["status"] == "filled"
        assert filled[name]["since"] in starts


async def test_an_attempt_is_noted_on_a_symbol_that_nobody_could_decide_beside_one_that_is_fetched(
    setting: Setting,
) -> None:
    symbols = "BTC/USD,BTC/USDT"
    await setting.run(symbols, BOTH)
    setting.simulator.clock.advance(10 * MINUTE_MS)
    now = iso_text(setting.simulator.clock.now_ms())

    await setting.run(symbols, BOTH, down="kraken")

    found = {(gap["exchange"], gap["symbol"]): gap for gap in setting.gaps()}
    unasked = {("kraken", "BTC/USD"), ("kraken", "BTC/USDT"), ("aggregated", "BTC/USDT")}
    assert {key for key, gap in found.items() if gap["status"] == "open"} == unasked
    for key in unasked:
        gap = found[key]
        assert (gap["candles"], gap["since"], gap["attempts"]) == (10, now, 1)
        assert "127.0.0.1" in gap["last_error"]


async def test_a_merged_gap_names_an_exchange_that_has_never_answered(setting: Setting) -> None:
    await setting.run("BTC/USD", BOTH, down="kraken", minimum=2)

    (gap,) = [gap for gap in setting.gaps() if gap["exchange"] == "aggregated"]

    assert (gap["candles"], gap["attempts"]) == (30, 1)
    assert gap["last_error"].startswith("kraken: ")


async def test_only_what_a_run_wanted_was_asked_for_in_vain(setting: Setting) -> None:
    await setting.run("BTC/USD", ["kraken"])
    setting.simulator.clock.advance(10 * MINUTE_MS)

    await setting.run(
        "BTC/USD",
        ["kraken"],
        down="kraken",
        start="2024-03-04",
        backfill_end_date="2024-03-05",
    )

    for gap in setting.gaps():
        assert (gap["candles"], gap["attempts"], gap["last_error"]) == (10, 0, None)
        assert gap["since"] == iso_text(setting.simulator.clock.now_ms())


async def test_an_exchange_that_is_no_longer_asked_is_no_longer_wanted(setting: Setting) -> None:
    await setting.run("BTC/USD", BOTH)
    setting.simulator.clock.advance(10 * MINUTE_MS)

    await setting.run("BTC/USD", BOTH[:1])
    assert {gap["exchange"] for gap in setting.gaps()} == set()

    await setting.run("BTC/USD", BOTH, down=BOTH[1])
    assert {gap["exchange"] for gap in setting.gaps()} == {BOTH[1]}


async def test_a_first_run_that_can_ask_nobody_leaves_no_series(setting: Setting) -> None:
    report = await setting.run("BTC/USD", ["kraken"], down="kraken")

    assert isinstance(report.failure, DependencyError)
    assert setting.gaps() == []


async def test_a_run_that_is_stopped_before_it_could_ask_is_no_attempt(setting: Setting) -> None:
    await setting.run("BTC/USD", ["kraken"])
    setting.simulator.clock.advance(10 * MINUTE_MS)
    async with setting.parts(["kraken"]) as parts:
        parts.stop.request("SIGTERM", is_urgent=True)
        config = setting.config(["kraken"], 1, markets_cache_hours=0.0)
        await run_once(config, from_flag("BTC/USD"), parts)

    assert {(gap["since"], gap["attempts"]) for gap in setting.gaps()} == {(None, 0)}


async def test_a_store_that_takes_no_notes_does_not_hide_that_no_exchange_can_be_reached(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    await setting.run("BTC/USD", ["kraken"])
    setting.simulator.clock.advance(10 * MINUTE_MS)
    async with setting.parts(["kraken"], down="kraken") as parts:
        assert isinstance(parts.store, SqliteStore)
        store = CrashingStore(parts.store, fail_at=1)
        config = setting.config(["kraken"], 1)
        report = await run_once(config, from_flag("BTC/USD"), replace(parts, store=store))

    assert "no exchange can be reached" in str(report.failure)
    assert "could not be noted in the store: the store went away" in caplog.text
