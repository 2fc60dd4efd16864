"""The run mode dry: the job's path with nothing written."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from candle_ingestor.commands.parts import load_symbols, log_mode, make_clients
from candle_ingestor.commands.storage import make_store
from candle_ingestor.config import Config
from candle_ingestor.errors import CandleIngestorError, ConfigurationError, DependencyError
from candle_ingestor.exchanges.availability import Listing, check_availability
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.markets import Market, markets_by_symbol
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.ingest.pager import Pager
from candle_ingestor.ingest.plan import estimated_requests, plan_series
from candle_ingestor.ingest.sift import sift
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.ingest.window import window_of
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.secrets import Redactor
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.stores.base import CoverageRecord, Store
from candle_ingestor.symbols.redis_source import ping
from candle_ingestor.symbols.requests import SymbolList

CANDLES_IN_SAMPLE = 50


@dataclass
class Checks:
    """PASS and FAIL lines, and the exit code that they come to (rule F3)."""

    console: Console
    exit_code: int = field(default=0, init=False)

    def passed(self, what: str) -> None:
        self.console.print(f"[green]PASS[/green]  {escape(what)}", soft_wrap=True)

    def failed(self, what: str, error: CandleIngestorError) -> None:
        """Keeps the gravest exit code: 3, a dependency is down, over 2, bad configuration."""
        self.console.print(f"[red]FAIL[/red]  {escape(f'{what}: {error}')}", soft_wrap=True)
        code = DependencyError.exit_code if isinstance(error, ExchangeError) else error.exit_code
        self.exit_code = max(self.exit_code, code)


def dry_run(config: Config, clock: Clock, console: Console) -> int:
    """Checks everything that a run needs and prints what it would do. Nothing is written.

    Returns:
        0 if a run would work, 2 for a bad configuration, 3 if a dependency is down.
    """
    _print_configuration(config, console)
    log_mode(config)
    checks = Checks(console)
    symbols = _check_symbols(config, checks)
    with ExitStack() as stack:
        store = _check_store(config, checks)
        if store is not None:
            stack.callback(store.close)
        _check_folder(config, checks)
        asyncio.run(_check_exchanges(config, clock, symbols, store, checks))
    console.print("Nothing was written.")
    return checks.exit_code


def _print_configuration(config: Config, console: Console) -> None:
    table = Table("setting", "value", title="Configuration")
    redactor = Redactor(config.secrets)
    for name, value in config.shown().items():
        table.add_row(name, escape(redactor.redact(value)))
    console.print(table)


def _check_symbols(config: Config, checks: Checks) -> SymbolList | None:
    uses_redis = config.symbols is None and config.symbols_file is None
    if uses_redis:
        try:
            ping(config.redis)
        except CandleIngestorError as error:
            checks.failed(str(config.redis), error)
            return None
        checks.passed(f"{config.redis} answers")
    try:
        symbols = load_symbols(config)
    except CandleIngestorError as error:
        checks.failed("symbols", error)
        return None
    checks.passed(f"{symbols.source}: {len(symbols.requests)} symbols")
    return symbols


def _check_store(config: Config, checks: Checks) -> Store | None:
    name = str(config.influxdb) if config.influxdb else f"SQLite file {config.sqlite_path}"
    try:
        store = make_store(config, may_create=False)
        store.check()
    except CandleIngestorError as error:
        checks.failed(name, error)
        return None
    is_new = config.influxdb is None and not config.sqlite_path.exists()
    checks.passed(f"{name} {'would be made' if is_new else 'can be read and written'}")
    return store


def _check_folder(config: Config, checks: Checks) -> None:
    if not config.export_csv:
        return
    try:
        require_writable("--data_root", config.data_root)
    except ConfigurationError as error:
        checks.failed(f"folder {config.data_root}", error)
    else:
        checks.passed(f"folder {config.data_root} can be written")


async def _check_exchanges(
    config: Config,
    clock: Clock,
    symbols: SymbolList | None,
    store: Store | None,
    checks: Checks,
) -> None:
    stop = StopSignal()
    sessions = [ExchangeSession(c, RetryPolicy(), stop) for c in make_clients(config)]
    try:
        markets = await _check_markets(config, sessions, checks)
        if symbols is not None:
            tickers = _check_listings(config, symbols, markets, checks)
            pagers = {s.exchange: Pager(s, clock.now_ms) for s in sessions}
            for ticker in tickers[: config.dry_run_limit]:
                for source in ticker.sources:
                    pager = pagers[source.exchange]
                    if str(config.timeframe) in pager.session.client.timeframes:
                        await _check_candles(config, clock, pager, source, checks)
            _print_plan(config, clock, tickers, pagers, store, checks.console)
    finally:
        await close_all(sessions)


async def _check_markets(
    config: Config, sessions: list[ExchangeSession], checks: Checks
) -> dict[str, dict[Symbol, Market] | None]:
    markets: dict[str, dict[Symbol, Market] | None] = {}
    for session in sessions:
        markets[session.exchange] = None
        try:
            fetched = await session.fetch_markets(RequestCounts())
        except ExchangeError as error:
            checks.failed(f"exchange {session.exchange}", error)
            continue
        markets[session.exchange] = markets_by_symbol(session.exchange, fetched)
        if str(config.timeframe) in session.client.timeframes:
            checks.passed(f"exchange {session.exchange}: {len(fetched)} spot markets")
        else:
            offered = ", ".join(session.client.timeframes)
            checks.failed(
                f"exchange {session.exchange}",
                ConfigurationError(
                    f"it has no {config.timeframe} candles (--candle_granularity_minutes); "
                    f"it offers {offered}"
                ),
            )
    return markets


def _check_listings(
    config: Config,
    symbols: SymbolList,
    markets: dict[str, dict[Symbol, Market] | None],
    checks: Checks,
) -> list[Ticker]:
    requests = {request.symbol: request for request in symbols.requests}
    rules = config.rules
    found = check_availability(requests, markets, rules.min_exchanges, rules.quote_aliases)
    words = (
        f"{len(found.accepted)}/{len(requests)} symbols meet minimum {rules.min_exchanges} "
        "exchange requirement"
    )
    if found.accepted:
        checks.passed(words)
    else:
        checks.failed(words, ConfigurationError("lower --min_exchanges_required, or add exchanges"))
    for listing in found.undecided:
        exchanges = ", ".join(listing.unknown)
        checks.console.print(f"      {listing.symbol}: whether {exchanges} has it cannot be told")
    for listing in found.dropped:
        checks.console.print(f"      {listing.symbol} {_lacking_words(listing)}")
    return [
        Ticker.make(requests[listing.symbol], listing, config.timeframe)
        for listing in found.accepted
    ]


def _lacking_words(listing: Listing) -> str:
    return f"is not listed on {', '.join(listing.lacking) or 'an exchange that answers'}"


async def _check_candles(
    config: Config, clock: Clock, pager: Pager, series: Series, checks: Checks
) -> None:
    timeframe = config.timeframe
    since_ms = timeframe.floor_ms(clock.now_ms()) - CANDLES_IN_SAMPLE * timeframe.duration_ms
    try:
        rows = await pager.session.fetch_candles(
            str(series.symbol), timeframe, since_ms, CANDLES_IN_SAMPLE, RequestCounts()
        )
    except ExchangeError as error:
        checks.failed(f"candles of {series}", error)
        return
    sifted = sift(rows, timeframe)
    newest = sifted.candles["open_time_ms"].max() if sifted.candles.height else None
    newest_words = f", newest {iso_text(int(str(newest)))}" if newest is not None else ""
    checks.passed(
        f"candles of {series}: {sifted.candles.height} candles, "
        f"{len(sifted.rejected)} rejected rows{newest_words}"
    )


def _print_plan(
    config: Config,
    clock: Clock,
    tickers: list[Ticker],
    pagers: dict[str, Pager],
    store: Store | None,
    console: Console,
) -> None:
    table = Table("symbol", "exchange", "missing candles", "requests", "seconds", title="Plan")
    sources = {source for ticker in tickers for source in ticker.sources}
    known = (
        dict.fromkeys(sources, CoverageRecord()) if store is None else store.read_coverage(sources)
    )
    seconds_by_exchange: dict[str, float] = {}
    for number, ticker in enumerate(tickers):
        window = window_of(config, ticker.request, clock.now_ms())
        for source in ticker.sources:
            pager = pagers[source.exchange]
            reach = pager.reach(source).start_ms
            plan = plan_series(window, known[source], config.timeframe, reach)
            habits = pager.session.client.habits
            requests = estimated_requests(plan.to_fetch, config.timeframe, habits.page_candles)
            seconds = requests * pager.session.client.seconds_per_request
            total = seconds_by_exchange.get(source.exchange, 0.0) + seconds
            seconds_by_exchange[source.exchange] = total
            if number < config.dry_run_limit:
                missing = plan.to_fetch.duration_ms // config.timeframe.duration_ms
                table.add_row(
                    str(ticker.symbol),
                    source.exchange,
                    f"{missing:,}",
                    f"{requests:,}",
                    f"{seconds:,.1f}",
                )
    console.print(table)
    longest = max(seconds_by_exchange.values(), default=0.0)
    console.print(
        f"All {len(tickers)} symbols would take about {longest:,.0f} s at the exchanges' pace."
    )
