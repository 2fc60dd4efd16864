"""What must hold after a prune or a verification."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from content import StoreContent, folder_of, read_manifest
from sequence import Step
from world import Outcome, World

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol


def maintained_violations(
    world: World, content: StoreContent, step: Step, outcome: Outcome
) -> Iterator[str]:
    """What is wrong after a prune or a verification that was carried through."""
    if step.command not in ("prune", "verify"):
        return
    if outcome.failure is not None and step.is_clean:
        words = str(outcome.failure)
        if "knows nothing of" not in words and "has no candles of" not in words:
            yield f"failed though nothing was made to go wrong: {outcome.failure!r}"
    if not outcome.is_carried_through:
        return
    if step.command == "verify":
        yield from _verified(world, step, outcome)
    else:
        yield from _pruned(world, content, step)


def _verified(world: World, step: Step, outcome: Outcome) -> Iterator[str]:
    if not outcome.told.startswith("{"):
        return
    told = json.loads(outcome.told)
    if step.is_clean and told["status"] == "differs":
        yield f"verify: {told['counts']} {told['differences'][:5]} {told['errors']}"
    again = world.perform(replace(step, repairs=False), 1_000)
    told = json.loads(again.told) if again.told.startswith("{") else {"counts": again.failure}
    # A candle that becomes another one late may do so in between.
    is_steady = not any(market.late for market in world.sequence.markets.values())
    if step.is_clean and is_steady and told["counts"]:
        yield f"verify again: {told['counts']} {told['differences'][:3]}"


def _pruned(world: World, content: StoreContent, step: Step) -> Iterator[str]:
    symbols = {Symbol.parse(symbol) for symbol in step.symbols}
    root = world.root(step)
    for series in content.series:
        is_named = series.symbol in symbols and (
            series.exchange in step.exchanges if step.names_exchanges else series.is_merged
        )
        if is_named and step.before is None:
            yield f"{series}: is still there after it was removed"
        elif is_named:
            yield from _cut_wrongly(content, series, _before_ms(world, step), root)
    if step.before is None and not step.names_exchanges:
        folders = [folder_of(root, Series.merged(each, world.timeframe)) for each in symbols]
        yield from (f"{folder}: is left" for folder in folders if folder.exists())
    for manifest in root.rglob("manifest.json"):
        for entry in json.loads(manifest.read_bytes())["months"].values():
            if not (manifest.parent / entry["file"]).exists():
                yield f"{manifest}: {entry['file']} is not there"


def _before_ms(world: World, step: Step) -> int:
    before = datetime.fromisoformat(step.before or "").replace(tzinfo=UTC)
    return world.timeframe.ceil_ms(int(before.timestamp() * 1000))


def _cut_wrongly(content: StoreContent, series: Series, until_ms: int, root: Path) -> Iterator[str]:
    record = content.record(series)
    rows = [open_ms for open_ms in content.candles.get(series, {}) if open_ms < until_ms]
    if rows:
        yield f"{series}: {len(rows)} candles are left"
    if record.covered & IntervalSet.of(0, until_ms):
        yield f"{series}: what was removed is known"
    is_marked = (record.pruned_until_ms or 0) >= until_ms
    if is_marked and record.wanted is not None and record.wanted.from_ms < until_ms:
        yield f"{series}: what was removed is wanted"
    folder = folder_of(root, series)
    for month in (read_manifest(folder) or {"months": {}})["months"]:
        if Month.parse(month).interval.end_ms <= until_ms:
            yield f"{folder}: {month} is left"
