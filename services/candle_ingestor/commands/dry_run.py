"""The run mode dry: the job's path with nothing written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from candle_ingestor.commands.checks import Checks
from candle_ingestor.commands.clients import make_clients
from candle_ingestor.commands.parts import chosen_symbols, log_mode
from candle_ingestor.commands.plan_table import print_plan
from candle_ingestor.commands.saying import say
from candle_ingestor.commands.storage import make_store
from candle_ingestor.config import Config
from candle_ingestor.config.showing import shown_settings
from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.exchanges.availability import MarketChoice, check_availability
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.markets import Market, Markets, markets_by_symbol
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.ingest.choosing import (
    WHERE_TO_LOOK,
    lacking_words,
    refuse_unoffered_timeframe,
    strict_complaint,
    validation_words,
)
from candle_ingestor.ingest.mixing import refuse_mixed_history
from candle_ingestor.ingest.outlook import WHAT_TO_DO, Outlook, outlook_words, outlooks_of
from candle_ingestor.ingest.preparing import Records, RunTicker, make_tickers, plan_works
from candle_ingestor.ingest.sources.factory import Sources, source_parts, sources_of
from candle_ingestor.ingest.sources.sift import sift
from candle_ingestor.ingest.trades_estimate import estimate_words, measured_trades
from candle_ingestor.ingest.window import earliest_wanted_ms
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import counted
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.redis_client import ping
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.stores.base import Store
from candle_ingestor.symbols.requests import SymbolList

CANDLES_IN_SAMPLE = 50


def dry_run(config: Config, clock: Clock, console: Console) -> int:
    """Checks everything that a run needs and prints what it would do. Nothing is written.

    Returns:
        0 if a run would work, 2 for a bad configuration, 3 if a dependency is down.
    """
    _print_configuration(config, clock, console)
    log_mode(config)
    checks = Checks(console)
    symbols = _check_symbols(config, checks)
    with ExitStack() as stack:
        store = _check_store(config, clock, checks)
        if store is not None:
            stack.callback(store.close)
            _check_retention(config, clock, symbols, store, checks)
        _check_folder(config, checks)
        asyncio.run(_check_exchanges(config, clock, symbols, store, checks))
    say(console, "Nothing was written.")
    return checks.exit_code


def _print_configuration(config: Config, clock: Clock, console: Console) -> None:
    table = Table("flag", "value", "from", title="Configuration")
    for name, value, origin in shown_settings(config, clock.now_ms()):
        table.add_row(name, escape(value), origin)
    console.print(table)


def _check_symbols(config: Config, checks: Checks) -> SymbolList | None:
    if config.symbols.are_in_redis:
        try:
            ping(config.redis)
        except CandleIngestorError as error:
            checks.failed(str(config.redis), error)
            return None
        checks.passed(f"{config.redis} answers")
    try:
        symbols = chosen_symbols(config)
    except CandleIngestorError as error:
        checks.failed("symbols", error)
        return None
    checks.passed(f"{symbols.source}: {counted(len(symbols.requests), 'symbol')}")
    return symbols


def _check_store(config: Config, clock: Clock, checks: Checks) -> Store | None:
    name = (
        str(config.store.influxdb)
        if config.store.influxdb
        else f"SQLite file {config.store.sqlite_path}"
    )
    try:
        store = make_store(config, clock, may_create=False)
        store.check()
    except CandleIngestorError as error:
        checks.failed(name, error)
        return None
    is_new = config.store.influxdb is None and not config.store.sqlite_path.exists()
    checks.passed(f"{name} {'would be made' if is_new else 'can be read and written'}")
    return store


def _check_retention(
    config: Config, clock: Clock, symbols: SymbolList | None, store: Store, checks: Checks
) -> None:
    if symbols is None:
        return
    now_ms = clock.now_ms()
    try:
        earliest_ms = earliest_wanted_ms(config.candles, symbols.requests, now_ms)
        store.require_retention(earliest_ms, now_ms)
    except CandleIngestorError as error:
        checks.failed(f"{store.description} keeps what is wanted", error)


def _check_folder(config: Config, checks: Checks) -> None:
    if not config.export.csv:
        return
    try:
        require_writable("--data_root", config.export.data_root)
    except ConfigurationError as error:
        checks.failed(f"folder {config.export.data_root}", error)
    else:
        checks.passed(f"folder {config.export.data_root} can be written")


async def _check_exchanges(
    config: Config,
    clock: Clock,
    symbols: SymbolList | None,
    store: Store | None,
    checks: Checks,
) -> None:
    stop = StopSignal()
    bases = frozenset[str]() if symbols is None else symbols.bases
    clients = make_clients(config.exchanges, bases, clock.now_ms)
    sessions = [ExchangeSession(client, RetryPolicy(), stop) for client in clients]
    try:
        sources = sources_of(source_parts(config, sessions, clock.now_ms))
        markets = await _check_markets(config, sessions, sources, checks)
        if all(listed is None for listed in markets.values()):
            checks.skipped(
                "symbols and plan: no exchange told which markets it has",
                f"mend that first: {WHERE_TO_LOOK}",
            )
        elif symbols is not None:
            records = {} if store is None else store.read_records()
            choices = _check_choices(config, symbols, markets, checks)
            tickers = make_tickers(config, symbols, choices, records, clock.now_ms())
            if not tickers:
                checks.skipped("plan: there is no symbol to plan for", "mend what failed first")
                return
            _check_history(config, tickers, records, checks)
            await _check_samples(config, clock, sessions, sources, tickers, checks)
            works = plan_works(tickers, records, sources)
            estimates = await measured_trades(works.values())
            print_plan(tickers, works, estimates, config.run.dry_run_limit, checks.console)
            for words in estimate_words(estimates):
                checks.noted(words)
            timeframe = config.candles.timeframe
            reach_candles = {s.exchange: s.habits.reach_in(timeframe) for s in sessions}
            _print_outlook(outlooks_of(tickers, works, records, markets, reach_candles), checks)
    finally:
        await close_all([session.client for session in sessions])


async def _check_markets(
    config: Config,
    sessions: list[ExchangeSession],
    sources: Mapping[str, Sources],
    checks: Checks,
) -> dict[str, dict[Symbol, Market] | None]:
    markets: dict[str, dict[Symbol, Market] | None] = {}
    asked = [session.fetch_markets(RequestCounts()) for session in sessions]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for session, fetched in zip(sessions, answers, strict=True):
        markets[session.exchange] = None
        if isinstance(fetched, ExchangeError):
            checks.exchange_failed(f"exchange {session.exchange}", session.exchange, fetched)
            continue
        if isinstance(fetched, BaseException):
            raise fetched
        markets[session.exchange] = markets_by_symbol(session.exchange, fetched)
        try:
            refuse_unoffered_timeframe(sources[session.exchange].endpoint, config.candles.timeframe)
        except ConfigurationError as error:
            checks.failed(f"exchange {session.exchange}", error)
        else:
            checks.passed(f"exchange {session.exchange}: {counted(len(fetched), 'spot market')}")
    return markets


def _check_choices(
    config: Config,
    symbols: SymbolList,
    markets: Markets,
    checks: Checks,
) -> tuple[MarketChoice, ...]:
    requests = [request.symbol for request in symbols.requests]
    rules = config.rules
    found = check_availability(requests, markets, rules.min_exchanges, rules.quote_aliases)
    words = validation_words(found, len(requests), rules.min_exchanges)
    if found.accepted:
        checks.passed(words)
    elif found.undecided:
        checks.skipped(words, "the exchanges that did not answer may list the others")
    else:
        checks.failed(words, ConfigurationError("lower --min_exchanges_required, or add exchanges"))
    for choice in found.undecided:
        exchanges = ", ".join(choice.unknown)
        checks.noted(f"{choice.symbol}: nobody knows whether it is listed on {exchanges}")
    for choice in found.dropped:
        words = lacking_words(choice, markets, rules.quote_aliases)
        checks.noted(f"{choice.symbol} is left out: {words}")
    complaint = strict_complaint(symbols, len(found.dropped))
    if config.symbols.strict and complaint:
        checks.failed("symbols", CandleIngestorError(complaint))
    return found.accepted


def _check_history(
    config: Config, tickers: list[RunTicker], records: Records, checks: Checks
) -> None:
    try:
        refuse_mixed_history(config, tickers, records)
    except ConfigurationError as error:
        checks.failed("prices", error)


async def _check_samples(
    config: Config,
    clock: Clock,
    sessions: list[ExchangeSession],
    sources: Mapping[str, Sources],
    tickers: list[RunTicker],
    checks: Checks,
) -> None:
    by_exchange = {session.exchange: session for session in sessions}
    for each in tickers[: config.run.dry_run_limit]:
        for series in each.asked:
            if str(series.timeframe) in sources[series.exchange].endpoint.timeframes:
                session = by_exchange[series.exchange]
                await _check_candles(config, clock, session, series, checks)


async def _check_candles(
    config: Config, clock: Clock, session: ExchangeSession, series: Series, checks: Checks
) -> None:
    timeframe = config.candles.timeframe
    since_ms = timeframe.floor_ms(clock.now_ms()) - CANDLES_IN_SAMPLE * timeframe.duration_ms
    try:
        rows = await session.fetch_candles(
            str(series.symbol), timeframe, since_ms, CANDLES_IN_SAMPLE, RequestCounts()
        )
    except ExchangeError as error:
        checks.exchange_failed(f"candles of {series}", series.exchange, error)
        return
    sifted = sift(rows, timeframe)
    newest = sifted.candles["open_time_ms"].max() if sifted.candles.height else None
    newest_words = f", newest {iso_text(int(str(newest)))}" if newest is not None else ""
    checks.passed(
        f"candles of {series}: {counted(sifted.candles.height, 'candle')}, "
        f"{counted(len(sifted.rejected), 'rejected row')}{newest_words}"
    )


def _print_outlook(outlooks: list[Outlook], checks: Checks) -> None:
    told = outlook_words(outlooks)
    for words, _ in told:
        checks.warned(words)
    if not all(is_by_nature for _, is_by_nature in told):
        checks.noted(WHAT_TO_DO)
