"""Prunes that ended half-way, or that came after a change of exchanges, and were made again."""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from content import folder_of, read_manifest, read_store
from fake_exchange import Kind
from invariants import store_violations
from market import MarketPlan, common_prices, drawn
from sequence import Breakdown, Sequence, Step
from world import Outcome, World

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol

EXCHANGES = ("coinbaseexchange", "bitstamp", "binance")
SYMBOL = "BTC/USD"
HOUR_MS = 3_600_000
NOW = "2024-03-05T00:30"
PRUNES: dict[str, dict[str, Any]] = {
    "before a date": {"before": "2024-02-21T12:00"},
    "an exchange before a date": {
        "before": "2024-02-27T00:00",
        "exchanges": ("bitstamp",),
        "names_exchanges": True,
    },
    "an exchange": {"exchanges": ("bitstamp",), "names_exchanges": True},
    "a symbol": {},
}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture(autouse=True)
def _without_log() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def ingesting(**changes: Any) -> Step:
    step = Step("ingest", ms(NOW), (SYMBOL,), EXCHANGES, 2, "2024-02-19", exports_exchanges=True)
    return replace(step, **changes)


def pruning(**changes: Any) -> Step:
    return ingesting(command="prune", exports_exchanges=False, **changes)


def new_world(folder: Path) -> World:
    """Three exchanges, one with a later first candle, and a store without transactions."""
    random = Random(1)
    kinds = {name: Kind(name, 90) for name in EXCHANGES}
    start_ms, end_ms = ms("2024-02-19"), ms("2024-03-07")
    common = common_prices(start_ms, end_ms, HOUR_MS, random)
    markets = {}
    for name in EXCHANGES:
        first_ms = ms("2024-02-25") if name == "binance" else start_ms
        plan = MarketPlan(HOUR_MS, first_ms, end_ms, longest_idle=5)
        markets[name, SYMBOL] = drawn(plan, common, random)
    sequence = Sequence(1, 60, kinds, markets, (ingesting(),), splits_writes=True, tick_ms=0)
    folder.mkdir(exist_ok=True)
    return World(sequence, folder)


def contents(world: World) -> dict[str, Any]:
    """All that is kept; what a kill left uncounted is counted when it is asked for."""
    store = read_store(world.sqlite_path)
    files = [path for path in sorted(world.root(ingesting()).rglob("*")) if path.is_file()]
    return {
        "records": {
            str(series): replace(record, counts=CandleCounts())
            for series, record in store.records.items()
        },
        "candles": {str(series): rows for series, rows in store.candles.items() if rows},
        "files": {str(path.relative_to(world.folder)): path.read_bytes() for path in files},
    }


def keep(world: World) -> Callable[[], None]:
    """Brings the folder of the world back to what it is now."""
    kept = world.folder.with_name("kept")
    shutil.copytree(world.folder, kept)

    def restore() -> None:
        shutil.rmtree(world.folder)
        shutil.copytree(kept, world.folder)

    return restore


def carried_through(world: World, step: Step, number: int) -> Outcome:
    outcome = world.perform(step, number)
    assert outcome.is_carried_through, outcome
    return outcome


@pytest.mark.parametrize("name", PRUNES)
def test_the_same_command_makes_what_a_prune_without_the_kill_makes(
    name: str, tmp_path: Path
) -> None:
    world = new_world(tmp_path / "world")
    carried_through(world, ingesting(), 1)
    step = pruning(**PRUNES[name])
    restore = keep(world)
    carried_through(world, step, 2)
    right = contents(world)
    assert step.before is None or "nothing to remove" in world.perform(step, 3).told
    kills = 0
    for place in ("store", "file"):
        for at in range(1, 100):
            restore()
            killed = world.perform(replace(step, breakdown=Breakdown(place, at, False, True)), 2)
            if not killed.is_crash:
                break
            kills += 1
            stored = read_store(world.sqlite_path)
            assert not list(store_violations(world, stored))

            again = world.perform(step, 3)

            # Where no record of it is left, the command says so.
            assert again.is_carried_through or contents(world) == right, (place, at, again)
            assert contents(world) == right, (place, at, again)
    assert kills >= 10


def test_the_month_of_an_exchange_that_is_used_no_longer_is_written_anew(tmp_path: Path) -> None:
    world = new_world(tmp_path / "world")
    carried_through(world, ingesting(), 1)
    carried_through(world, ingesting(exchanges=EXCHANGES[:1], minimum=1), 2)

    carried_through(world, pruning(before="2024-02-21T12:00"), 3)

    for exchange in EXCHANGES:
        series = Series(exchange, Symbol.parse(SYMBOL), world.timeframe)
        manifest = read_manifest(folder_of(world.root(ingesting()), series))
        assert manifest is not None
        month = manifest["months"]["2024-02"]
        stored = read_store(world.sqlite_path).candles[series]
        assert month["rows"] == len([time for time in stored if time < ms("2024-03-01")])
        assert month["first_timestamp"] == f"{iso(min(stored))}Z"


def test_what_other_exchanges_would_merge_anew_is_not_removed_at_every_repetition(
    tmp_path: Path,
) -> None:
    world = new_world(tmp_path / "world")
    # One rule, then another by which what is left would do.
    carried_through(world, ingesting(exchanges=EXCHANGES[:2], minimum=2), 1)
    carried_through(world, ingesting(minimum=1), 2)
    prune = pruning(exchanges=EXCHANGES[:2], names_exchanges=True, before="2024-02-27T00:00")

    first = carried_through(world, prune, 3)
    left = contents(world)
    again = carried_through(world, prune, 4)

    assert "can no longer be merged" in first.told
    assert "There is nothing to remove." in again.told
    assert contents(world) == left
