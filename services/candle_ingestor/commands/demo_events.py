"""What goes wrong in the demo's market, so that its closing words can point at it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from candle_ingestor.config import Config
from candle_ingestor.model.intervals import Interval
from exchange_simulator.candles import DAY_MS, MINUTE_MS
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.synthetic import BAD_PRINT_FACTOR, day_events

_FEWEST_TO_LEAVE_ONE_OUT = 3


class Outage(NamedTuple):
    """A time in which an exchange shows no candle of any market."""

    exchange: str
    interval: Interval


class BadPrint(NamedTuple):
    """A candle whose high is far too high."""

    exchange: str
    symbol: str
    open_time_ms: int
    above_pct: float


class MarketEvents(NamedTuple):
    """The newest of each kind, if there is one."""

    outage: Outage | None
    bad_print: BadPrint | None


def events_of(market: SimulatorConfig, config: Config, span: Interval) -> MarketEvents:
    """What lies whole within the span, on the exchanges and of the symbols configured.

    Of two exchanges neither can be left out, so that no bad print is told of then.
    """
    exchanges = [name for name in config.exchanges.names if name in market.exchanges]
    symbols = [name for name in market.symbols if name in (config.symbols.symbols or "").split(",")]
    outages: list[Outage] = []
    prints: list[BadPrint] = []
    for day in range(span.start_ms // DAY_MS, span.end_ms // DAY_MS + 1):
        for exchange in exchanges:
            for symbol in symbols:
                events = day_events(market.seed, exchange, symbol, day)
                start_ms = day * DAY_MS
                minutes = events.outage
                interval = Interval(
                    start_ms + minutes.start * MINUTE_MS, start_ms + minutes.stop * MINUTE_MS
                )
                if minutes and _lies_in(interval, span):
                    outages.append(Outage(exchange, interval))
                if events.bad_print is not None:
                    open_time_ms = start_ms + events.bad_print * MINUTE_MS
                    if _lies_in(Interval(open_time_ms, open_time_ms + 2 * MINUTE_MS), span):
                        above_pct = 100 * (BAD_PRINT_FACTOR - 1)
                        prints.append(BadPrint(exchange, symbol, open_time_ms, above_pct))
    if len(exchanges) < _FEWEST_TO_LEAVE_ONE_OUT:
        prints = []
    return MarketEvents(
        max(outages, key=lambda outage: outage.interval, default=None),
        max(prints, key=lambda bad: bad.open_time_ms, default=None),
    )


def _lies_in(interval: Interval, span: Interval) -> bool:
    return span.start_ms <= interval.start_ms and interval.end_ms <= span.end_ms
