"""What the demo's closing words point at."""

from types import SimpleNamespace
from typing import Any

import pytest

from candle_ingestor.commands.demo_events import events_of
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.model.intervals import Interval
from exchange_simulator import SimulatorConfig
from exchange_simulator.candles import DAY_MS, MINUTE_MS
from exchange_simulator.synthetic import day_events

MARKET = SimulatorConfig()
EXCHANGES = ["coinbaseexchange", "bitstamp", "binanceus"]
DAY = 20_000
WHOLE_DAY = Interval(DAY * DAY_MS, (DAY + 1) * DAY_MS)


def config(exchanges: list[str], symbols: str = "BTC/USD") -> Config:
    values = {name: FLAGS[name].default for group in GROUPS.values() for name in group}
    given: Any = SimpleNamespace(**values | {"exchanges": exchanges, "symbols": symbols})
    return config_from_flags(given, {})


def test_the_newest_outage_and_bad_print_are_those_that_the_market_has() -> None:
    outage, bad_print = events_of(MARKET, config(EXCHANGES), WHOLE_DAY)

    assert outage is not None
    assert bad_print is not None
    minutes = day_events(MARKET.seed, outage.exchange, "BTC/USD", DAY).outage
    start_ms, end_ms = outage.interval
    assert (start_ms, end_ms) == tuple(
        WHOLE_DAY.start_ms + minute * MINUTE_MS for minute in (minutes.start, minutes.stop)
    )
    events = day_events(MARKET.seed, bad_print.exchange, "BTC/USD", DAY)
    assert events.bad_print is not None
    assert bad_print.open_time_ms == WHOLE_DAY.start_ms + events.bad_print * MINUTE_MS


@pytest.mark.parametrize("exchanges", [EXCHANGES[:1], EXCHANGES[:2]])
def test_of_two_exchanges_none_is_left_out(exchanges: list[str]) -> None:
    days = Interval(WHOLE_DAY.start_ms, WHOLE_DAY.end_ms + 3 * DAY_MS)

    events = events_of(MARKET, config(exchanges), days)

    assert events.outage is not None
    assert events.outage.exchange in exchanges
    assert events.bad_print is None


def test_what_lies_outside_the_time_or_the_symbols_asked_for_is_not_told() -> None:
    an_hour = Interval(WHOLE_DAY.start_ms, WHOLE_DAY.start_ms + 60 * MINUTE_MS)

    assert events_of(MARKET, config(EXCHANGES), an_hour) == (None, None)
    assert events_of(MARKET, config(EXCHANGES, "DOGE/USD"), WHOLE_DAY) == (None, None)
