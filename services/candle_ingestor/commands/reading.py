"""What the commands share that only look at the store: no lock, no write, no exchange, no Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from difflib import get_close_matches
from typing import Any

from rich.console import Console

from candle_ingestor.commands.parts import load_symbols
from candle_ingestor.commands.storage import is_run_there, make_reading_store, run_lock_name
from candle_ingestor.completeness.runs import (
    Report,
    filled_by,
    running_by_lock,
    with_interrupted,
)
from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import did_you_mean, some_of
from candle_ingestor.operations.clock import Clock
from candle_ingestor.settle.derived import is_derived, made_of
from candle_ingestor.stores.base import Store

_MOST_NAMED = 20
RUNS_LOOKED_AT = 50
"""Of every service that shares the store."""


@contextmanager
def reading(config: Config, clock: Clock) -> Iterator[Store]:
    """The configured store, to be read only.

    Raises:
        StoreError: if the store cannot be used.
    """
    with closing(make_reading_store(config, clock)) as store:
        yield store


def read_runs(config: Config, store: Store, newest: int) -> list[dict[str, Any]]:
    """The newest run reports, newest first; a run that died is `interrupted`."""

    def service_of(run: Report) -> str:
        # A report of an earlier version does not name it.
        return str(run.get("service_identifier") or config.store.service_identifier)

    def lock_of(run: Report) -> str:
        return run_lock_name(config, service_of(run))

    found = store.read_runs(newest)
    dead = {
        run["run_id"]
        for run in running_by_lock(found, lock_of).values()
        if not is_run_there(config, service_of(run))
    }
    if dead:
        # They may have ended in between, and others have begun.
        found = store.read_runs(newest)
    alive = {run["run_id"] for run in running_by_lock(found, lock_of).values()} - dead
    return with_interrupted(found, alive)


def filling_series(config: Config, ledger: Ledger) -> frozenset[Series]:
    """The series of which a run that works on the store may fill gaps."""
    return filled_by(read_runs(config, ledger.store, RUNS_LOOKED_AT), ledger.records)


def shown_series(
    config: Config, ledger: Ledger, *, with_exchanges: bool = False, with_derived: bool = True
) -> list[Series]:
    """The series that are asked for: merged ones, each followed by what it is made from if wanted.

    An exchange's series that nothing is merged from is always among them. --symbols and
    --candle_granularity_minutes choose some; --by_exchange or `with_exchanges` adds the exchanges'
    own, and --exchanges names those of them. Without `with_derived` coarser series that are put
    together from others are there only if their timeframe is named.

    Raises:
        ConfigurationError: if the store has something, and knows nothing of a symbol, an exchange
            or the length of candles that is named.
    """
    records = ledger.records
    known = list(records)
    names_exchanges = config.is_typed("exchanges")
    if names_exchanges:
        _require_exchanges(config, ledger)
    if config.is_given("candle_granularity_minutes"):
        known = [each for each in known if each.timeframe == config.candles.timeframe]
        if records and not known:
            raise _no_such_timeframe(config, ledger)
    elif not with_derived:
        known = [each for each in known if not is_derived(ledger, each)]
    sources = {source for each in records for source in made_of(ledger, each)}
    heads = sorted(
        (each for each in known if each.is_merged or each not in sources),
        key=lambda each: (each.symbol, each.timeframe, not each.is_merged, each.exchange),
    )
    if not config.symbols.are_in_redis:
        heads = _of_symbols(config, ledger, heads)
    if not (config.run.by_exchange or with_exchanges or names_exchanges):
        return heads
    chosen: dict[Series, None] = {}
    for head in heads:
        chosen[head] = None
        for source in made_of(ledger, head):
            if source in records and (
                not names_exchanges or source.exchange in config.exchanges.names
            ):
                chosen[source] = None
    return list(chosen)


def print_json(console: Console, values: Mapping[str, Any]) -> None:
    """Prints the values as JSON, as it stands."""
    print_plain(console, json.dumps(values, indent=2, allow_nan=False) + "\n")


def print_plain(console: Console, text: str) -> None:
    """Prints text for other programs: nothing is wrapped or coloured."""
    console.file.write(text)


def nothing_stored(store: Store) -> str:
    """What is said of an empty store."""
    said = f"{store.description[0].upper()}{store.description[1:]} holds nothing yet"
    if store.size_bytes() == 0:
        said += ": there is no such file, or it is empty. --sqlite_path names another, or"
        return f"{said} the command ingest fetches candles into it."
    return f"{said}. The command ingest fetches candles."


def _require_exchanges(config: Config, ledger: Ledger) -> None:
    held = {series.exchange for series in ledger.records if not series.is_merged}
    unknown = [name for name in config.exchanges.names if name not in held]
    if held and unknown:
        raise ConfigurationError(
            f"--exchanges: {ledger.store.description} has no candles of "
            f"{some_of(unknown, _MOST_NAMED)}; it has those of {some_of(sorted(held), _MOST_NAMED)}"
        )


def _no_such_timeframe(config: Config, ledger: Ledger) -> ConfigurationError:
    held = [str(each) for each in sorted({series.timeframe for series in ledger.records})]
    return ConfigurationError(
        f"--candle_granularity_minutes: {ledger.store.description} has no "
        f"{config.candles.timeframe} candles; there are {some_of(held, _MOST_NAMED)}"
    )


def _of_symbols(config: Config, ledger: Ledger, heads: list[Series]) -> list[Series]:
    asked = [request.symbol for request in load_symbols(config).requests]
    held = {series.symbol for series in ledger.records}
    unknown = [symbol for symbol in asked if symbol not in held]
    if unknown:
        raise ConfigurationError(
            f"{ledger.store.description} knows nothing of {some_of(unknown, _MOST_NAMED)}"
            f"{_hint(unknown[0], held)}; it holds "
            f"{some_of(sorted(held), _MOST_NAMED) if held else 'nothing yet'}"
        )
    found = {each.symbol for each in heads}
    serving = [each for each in ledger.records if each.symbol in set(asked) - found]
    return [each for each in (*heads, *serving) if each.symbol in asked]


def _hint(unknown: Symbol, held: set[Symbol]) -> str:
    # Of symbols of one quote half the letters are the same; what was meant has a base like it.
    bases = get_close_matches(unknown.base, {symbol.base for symbol in held})
    meant = did_you_mean(str(unknown), [str(each) for each in held if each.base in bases])
    return f" ({meant})" if meant else ""
