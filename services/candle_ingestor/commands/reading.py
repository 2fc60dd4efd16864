"""What the commands share that only look at the store: no lock, no write, no exchange, no Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from rich.console import Console

from candle_ingestor.commands.parts import load_symbols
from candle_ingestor.commands.storage import is_run_there, make_reading_store
from candle_ingestor.completeness.runs import RUNNING, with_interrupted
from candle_ingestor.config import Config
from candle_ingestor.config.origins import Origin
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import did_you_mean, some_of
from candle_ingestor.operations.clock import Clock
from candle_ingestor.stores.base import Store

_MOST_NAMED = 20


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
    found = store.read_runs(newest)
    is_there = True
    if found and found[0]["status"] == RUNNING:
        is_there = is_run_there(config)
        if not is_there:
            # It may have ended in between.
            found = store.read_runs(newest)
    return with_interrupted(found, is_newest_there=is_there)


def shown_series(config: Config, ledger: Ledger, *, with_exchanges: bool = False) -> list[Series]:
    """The series that are asked for: merged ones, each followed by what it is made from if wanted.

    An exchange's series that nothing is merged from is always among them. --symbols and
    --candle_granularity_minutes choose some; --by_exchange or `with_exchanges` adds the exchanges'
    own, and --exchanges names those of them.

    Raises:
        ConfigurationError: if the store knows nothing of one of the symbols that are named.
    """
    records = ledger.records
    known = list(records)
    if config.is_given("candle_granularity_minutes"):
        known = [each for each in known if each.timeframe == config.candles.timeframe]
    sources = {source for record in records.values() for source in record.sources}
    heads = sorted(
        (each for each in known if each.is_merged or each not in sources),
        key=lambda each: (each.symbol, each.timeframe, not each.is_merged, each.exchange),
    )
    if not config.symbols.are_in_redis:
        heads = _of_symbols(config, ledger, heads)
    names_exchanges = config.origins.get("exchanges") is Origin.FLAG
    if not (config.run.by_exchange or with_exchanges or names_exchanges):
        return heads
    chosen: dict[Series, None] = {}
    for head in heads:
        chosen[head] = None
        for source in records[head].sources:
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
    said = store.description
    return f"{said[0].upper()}{said[1:]} holds nothing yet. The command ingest fetches candles."


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
    meant = did_you_mean(str(unknown), map(str, held))
    return f" ({meant})" if meant else ""
