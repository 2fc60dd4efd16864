"""Which tickers a run works on: the symbols that enough exchanges list (rules M1 and M7)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError, DependencyError
from candle_ingestor.exchanges.availability import Listing, check_availability, learn_markets
from candle_ingestor.exchanges.markets import Market, MarketsCache
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.report import RunReport, TickerReport
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.symbols.requests import SymbolList

log = logging.getLogger(__name__)

Markets = Mapping[str, Mapping[Symbol, Market] | None]

_MOST_DROPPED_NAMED = 5


async def learn_all_markets(
    config: Config, sessions: Sequence[ExchangeSession], cache: MarketsCache, report: RunReport
) -> Markets:
    """The markets of every exchange in flag order; None, and a word in the report, where unknown.

    Raises:
        DependencyError: if no exchange at all can be reached.
    """
    markets, errors = await learn_markets(
        sessions, cache, report.started_ms, config.markets_cache_hours
    )
    report.unavailable_exchanges = {e: str(error) for e, error in errors.items()}
    if len(errors) == len(markets):
        raise DependencyError(
            f"no exchange can be reached: {next(iter(errors.values()))}; "
            "check the network, --exchanges and --exchange_settings_file"
        )
    return markets


def choose_tickers(
    config: Config, symbols: SymbolList, markets: Markets, report: RunReport
) -> list[Ticker]:
    """The tickers of the symbols that meet the minimum; the report tells of the others.

    Raises:
        ConfigurationError: if no symbol meets it.
        DependencyError: if that cannot be told of any symbol.
    """
    requests = {request.symbol: request for request in symbols.requests}
    minimum = config.rules.min_exchanges
    found = check_availability(requests, markets, minimum, config.rules.quote_aliases)
    log.info(
        "Symbol validation: %d/%d symbols meet minimum %d exchange requirement",
        len(found.accepted),
        len(requests),
        minimum,
    )
    for listing in found.dropped:
        log.warning("%s is left out: not listed on %s", listing.symbol, ", ".join(listing.lacking))
        report.dropped[str(listing.symbol)] = listing.lacking
    undecided = [_undecided(listing, report) for listing in found.undecided]
    if undecided and not found.accepted:
        raise DependencyError(undecided[0].errors[0])
    report.tickers.extend(undecided)
    if not found.accepted:
        raise ConfigurationError(
            f"No symbols meet the minimum exchange requirement of {minimum}: "
            f"{_dropped_words(report.dropped)}; "
            "lower --min_exchanges_required, or add exchanges or --quote_aliases"
        )
    tickers = [
        Ticker.make(requests[listing.symbol], listing, config.timeframe)
        for listing in found.accepted
    ]
    for ticker in tickers:
        for exchange, symbol in ticker.stand_ins.items():
            log.info("%s serves %s in place of %s", exchange, symbol, ticker.symbol)
    return tickers


def refuse_unoffered_timeframe(
    config: Config, sessions: Sequence[ExchangeSession], tickers: Sequence[Ticker]
) -> None:
    """Makes sure that every exchange in use has candles of the length asked for.

    Raises:
        ConfigurationError: if one has not, with what it offers.
    """
    used = {source.exchange for ticker in tickers for source in ticker.sources}
    for session in sessions:
        offered = session.client.timeframes
        if session.exchange in used and str(config.timeframe) not in offered:
            raise ConfigurationError(
                f"--candle_granularity_minutes={config.timeframe.minutes}: "
                f"{session.exchange} has no {config.timeframe} candles; "
                f"it offers {', '.join(offered)}"
            )


def _undecided(listing: Listing, report: RunReport) -> TickerReport:
    ticker = TickerReport(str(listing.symbol), [], {})
    ticker.fail(
        f"whether {', '.join(listing.unknown)} has {listing.symbol} cannot be told: "
        f"{report.unavailable_exchanges[listing.unknown[0]]}"
    )
    log.error("%s: %s", listing.symbol, ticker.errors[0])
    return ticker


def _dropped_words(dropped: Mapping[str, tuple[str, ...]]) -> str:
    words = [f"{symbol} is not on {', '.join(lacking)}" for symbol, lacking in dropped.items()]
    more = len(words) - _MOST_DROPPED_NAMED
    return "; ".join(words[:_MOST_DROPPED_NAMED]) + (f"; and {more} more" if more > 0 else "")
