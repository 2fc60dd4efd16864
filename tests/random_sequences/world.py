"""Plays the steps of a sequence with the job's own commands, over one store and its roots."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from breaking import Crash, Writes, breaking
from fake_exchange import NO_FAULTS, FakeExchange
from rich.console import Console
from sequence import ALIAS, SETTLE_MS, Sequence, Step

from candle_ingestor.commands import verify_exchanges
from candle_ingestor.commands.export import export
from candle_ingestor.commands.merge import merge
from candle_ingestor.commands.prune import prune
from candle_ingestor.commands.verify import verify
from candle_ingestor.config import Config, FlagValues, Origin, config_from_flags
from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.exchanges.markets import CachedMarkets
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.report import RunReport
from candle_ingestor.ingest.run import run_once
from candle_ingestor.ingest.run_parts import RunParts
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.stores.sqlite.store import SqliteStore
from candle_ingestor.symbols.sources import from_flag

_NO_WAITING = RetryPolicy(first_wait_seconds=1e-6, longest_wait_seconds=1e-6)


@dataclass
class StepClock:
    """Time that passes when told to."""

    time_ms: int = 0

    def now_ms(self) -> int:
        return self.time_ms


class NoMarketsCache:
    """Asks for the markets every time."""

    def read(self, _exchange: str, _address: str) -> CachedMarkets | None:
        return None

    def write(self, _exchange: str, _address: str, _cached: CachedMarkets) -> str | None:
        return None


@dataclass
class Outcome:
    """How a step ended.

    Attributes:
        failure: the error that ended it, None if it was carried through.
        is_crash: whether it ended as a process that is gone.
        report: of a run that could tell.
        exit_code: of a command that is no run.
        told: what it printed.
    """

    failure: CandleIngestorError | None = None
    is_crash: bool = False
    report: RunReport | None = None
    exit_code: int | None = None
    told: str = ""

    @property
    def dropped(self) -> set[str]:
        """The symbols that the run did not work on, or not all of."""
        if self.report is None:
            return set()
        failed = {ticker.symbol for ticker in self.report.tickers if ticker.errors}
        return failed | set(self.report.dropped)

    @property
    def is_carried_through(self) -> bool:
        return self.failure is None and not self.is_crash


@dataclass
class World:
    """The exchanges, the store and the roots of one sequence.

    Attributes:
        started_ms: when the last step began.
    """

    sequence: Sequence
    folder: Path
    clock: StepClock = field(default_factory=StepClock)
    started_ms: int = 0
    exchanges: dict[str, FakeExchange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in self.sequence.kinds.items():
            markets = {
                symbol: market
                for (exchange, symbol), market in self.sequence.markets.items()
                if exchange == name
            }
            exchange = FakeExchange(kind, markets, self.clock.now_ms)
            # Where no exchange is paced, pages are kept on the event loop, else beside it.
            exchange.seconds_per_request = self.sequence.seed % 2 / 1000
            self.exchanges[name] = exchange

    @property
    def timeframe(self) -> Timeframe:
        return Timeframe(self.sequence.minutes)

    @property
    def closed_end_ms(self) -> int:
        """The end of what the last step may have stored (rule T1)."""
        return self.timeframe.closed_end_ms(self.started_ms, SETTLE_MS / 1000)

    @property
    def sqlite_path(self) -> Path:
        return self.folder / "candles.sqlite"

    def root(self, step: Step) -> Path:
        """The `--data_root` of a step."""
        return self.folder / f"csv{step.root}"

    def perform(self, step: Step, number: int) -> Outcome:
        """Carries out one step, to its end or to its breakdown."""
        self.clock.time_ms = max(step.at_ms, self.clock.time_ms)
        self.started_ms = self.clock.time_ms
        config = self._config(step)
        for name, exchange in self.exchanges.items():
            listed = {s for s in exchange.markets if (name, s) not in step.unlisted}
            faults = step.faults.get(name, NO_FAULTS)
            exchange.begin_step(f"{self.sequence.seed} {number}", faults, listed)
        with breaking(step.breakdown, self.sequence.splits_writes) as writes:
            try:
                if step.command == "ingest":
                    return self._ingest(config, step)
                told = io.StringIO()
                code = self._command(step)(config, self.clock, Console(file=told))
                return Outcome(exit_code=code, told=told.getvalue())
            except CandleIngestorError as error:
                return Outcome(error)
            except BaseException as error:
                if not _is_crash(error, writes):
                    raise
                return Outcome(is_crash=True)

    def looking_config(self) -> Config:
        """The configuration of a command that looks at all that is stored."""
        flags = {
            "settle_seconds": SETTLE_MS / 1000,
            "store": "sqlite",
            "sqlite_path": str(self.sqlite_path),
            "format": "json",
            "by_exchange": True,
        }
        return _config_of(flags)

    def _command(self, step: Step) -> Callable[..., int]:
        if step.command != "verify":
            return {"merge": merge, "export": export, "prune": prune}[step.command]

        def with_fakes(config: Config, clock: StepClock, console: Console) -> int:
            def made(wanted: Any, *_: Any) -> list[FakeExchange]:
                return [self.exchanges[name] for name in wanted.names]

            with (
                patch.object(verify_exchanges, "make_clients", made),
                patch.object(verify_exchanges, "RetryPolicy", lambda: _NO_WAITING),
            ):
                return verify(config, clock, console)

        return with_fakes

    def _ingest(self, config: Config, step: Step) -> Outcome:
        store = SqliteStore(self.sqlite_path)
        try:
            report = asyncio.run(self._run(config, step, store))
        finally:
            store.close()
        return Outcome(report.failure, report=report)

    async def _run(self, config: Config, step: Step, store: SqliteStore) -> RunReport:
        stop = StopSignal()
        requests = 0

        def on_request() -> None:
            nonlocal requests
            requests += 1
            self.clock.time_ms += 0 if step.is_last else self.sequence.tick_ms
            if requests == step.stop_after:
                stop.request("told to stop", is_urgent=step.stop_is_urgent)

        clients = [self.exchanges[name] for name in step.exchanges]
        for client in clients:
            client.on_request = on_request
        parts = RunParts(
            store, clients, NoMarketsCache(), self.clock, NoProgress(), stop, _NO_WAITING
        )
        return await run_once(config, from_flag(",".join(step.symbols)), parts)

    def _config(self, step: Step) -> Config:
        flags = {
            "symbols": ",".join(step.symbols),
            "exchanges": list(step.exchanges),
            "min_exchanges_required": step.minimum,
            "quote_aliases": [ALIAS] if step.has_aliases else [],
            "max_price_deviation_pct": step.deviation_pct,
            "high_low": step.high_low,
            "candle_granularity_minutes": self.sequence.minutes,
            "backfill_start_date": step.start,
            "backfill_end_date": step.end,
            "catch_up_initial_days": Random(self.sequence.seed).choice((0.1, 1, 7)),
            "settle_seconds": SETTLE_MS / 1000,
            "refetch_last_candles": step.refetch,
            "store": "sqlite",
            "sqlite_path": str(self.sqlite_path),
            "export_csv": step.exports,
            "data_root": str(self.root(step)),
            "export_exchange_candles": step.exports_exchanges,
            "restate": step.restates,
            "markets_cache_hours": 0.0,
            "derived_timeframes": list(self.sequence.derived),
        }
        if step.command == "prune":
            flags |= {"before": step.before, "yes": True}
            # Of all lengths, since coarser candles would keep the others.
            del flags["candle_granularity_minutes"]
            if step.before is None:
                del flags["before"]
            if not step.names_exchanges:
                del flags["exchanges"], flags["min_exchanges_required"]
            else:
                flags["min_exchanges_required"] = 1
        if step.command == "export":
            # A span leaves out months, and other exchanges the merged series.
            for name in ("backfill_start_date", "backfill_end_date", "exchanges"):
                del flags[name]
            flags["min_exchanges_required"] = 1
        if step.command == "verify":
            flags |= {"repair": step.repairs, "restate": True, "format": "json", "export_csv": True}
            flags |= {"backfill_start_date": "2019-01-01", "backfill_end_date": None}
            del flags["exchanges"], flags["min_exchanges_required"], flags["symbols"]
        return _config_of(flags)


def _config_of(flags: dict[str, Any]) -> Config:
    names = [name for group in GROUPS.values() for name in group]
    values = {name: FLAGS[name].default for name in names} | flags
    origins = dict.fromkeys(flags, Origin.FLAG)
    return config_from_flags(cast(FlagValues, SimpleNamespace(**values)), {}, origins)


def _is_crash(error: BaseException, writes: Writes) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_crash(each, writes) for each in error.exceptions)
    return isinstance(error, Crash) and writes.is_over
