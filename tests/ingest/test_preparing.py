"""What a run notes of its markets before it plans. Times are minutes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from minutes import BINANCEUS, BITCOIN, BITSTAMP, KRAKEN, MERGED, MINUTE, TETHER, ms, span
from scripted_source import ScriptedSource
from settling import ticker_of

from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Market
from candle_ingestor.ingest.plan import Window
from candle_ingestor.ingest.preparing import RunTicker, learnt_records, plan_works, with_wanted
from candle_ingestor.ingest.sources.factory import Sources
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    Precision,
    SeriesRecord,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

WINDOW = Window(None, ms(500), False, 100 * MINUTE.duration_ms)
OLDER_STATE = {"BTC/USD-catch_up": ms(40) + 17, "BTC/USD-backfill": ms(3)}


def run_ticker(
    *sources: Series, window: Window = WINDOW, asked: tuple[Series, ...] | None = None
) -> RunTicker:
    listed = sources if asked is None else asked
    markets = {source.exchange: Market(source.exchange, source.symbol) for source in listed}
    return RunTicker(ticker_of(*sources), window, MarketChoice(BITCOIN, markets))


def listing(*listed: Market, silent: tuple[str, ...] = ()) -> dict[str, dict[Symbol, Market]]:
    """The markets of all three exchanges, but for those that could not be learnt."""
    markets: dict[str, dict[Symbol, Market]] = {
        source.exchange: {}
        for source in (KRAKEN, BITSTAMP, BINANCEUS)
        if source.exchange not in silent
    }
    for market in listed:
        markets[market.exchange][market.symbol] = market
    return markets


def covering(covered: IntervalSet) -> SeriesRecord:
    return SeriesRecord(Coverage(covered))


KRAKENS, BITSTAMPS = (Market(source.exchange, BITCOIN) for source in (KRAKEN, BITSTAMP))


def test_catch_up_of_what_is_new_begins_where_the_older_services_state_stands() -> None:
    learnt = learnt_records(
        [run_ticker(KRAKEN, BITSTAMP)], {}, listing(KRAKENS, BITSTAMPS), OLDER_STATE
    )

    assert {series: record.catch_up_from_ms for series, record in learnt.items()} == {
        KRAKEN: ms(40),
        BITSTAMP: ms(40),
    }


@pytest.mark.parametrize(
    "known",
    [
        {BITSTAMP: covering(span(0, 1))},
        {Series("kraken", BITCOIN, Timeframe(60)): covering(span(0, 60))},
    ],
    ids=["of another exchange", "of another timeframe"],
)
def test_an_older_state_does_not_count_once_something_is_covered(
    known: Mapping[Series, SeriesRecord],
) -> None:
    learnt = learnt_records(
        [run_ticker(KRAKEN, BITSTAMP)], known, listing(KRAKENS, BITSTAMPS), OLDER_STATE
    )

    assert learnt[KRAKEN].catch_up_from_ms == ms(400)


def test_where_catch_up_began_is_noted_once() -> None:
    records = {KRAKEN: SeriesRecord(catch_up_from_ms=ms(7))}

    learnt = learnt_records([run_ticker(KRAKEN)], records, listing(KRAKENS), OLDER_STATE)

    assert learnt[KRAKEN].catch_up_from_ms == ms(7)


def test_a_download_of_a_fixed_span_and_a_market_that_is_not_asked_begin_no_catch_up() -> None:
    bounded = run_ticker(KRAKEN, window=replace(WINDOW, start_ms=ms(0), is_bounded=True))
    unasked = run_ticker(KRAKEN, BITSTAMP, asked=(KRAKEN,))

    assert learnt_records([bounded], {}, listing(KRAKENS), {})[KRAKEN].catch_up_from_ms is None
    learnt = learnt_records([unasked], {}, listing(KRAKENS), {})
    assert learnt[KRAKEN].catch_up_from_ms == ms(400)
    # Bitstamp does not list it, and nothing was ever known of it there.
    assert BITSTAMP not in learnt


def test_a_market_that_went_is_delisted_until_it_is_back() -> None:
    first_day = Listing(ms(0), None)
    records = {BITSTAMP: SeriesRecord(Coverage(span(0, 9)), first_day)}
    ticker = run_ticker(KRAKEN, BITSTAMP, asked=(KRAKEN,))

    gone = learnt_records([ticker], records, listing(KRAKENS), {})
    assert gone[BITSTAMP].listing == replace(first_day, is_delisted=True)
    assert gone[BITSTAMP].coverage == records[BITSTAMP].coverage
    back = learnt_records([ticker], gone, listing(KRAKENS, BITSTAMPS), {})
    assert back[BITSTAMP].listing == first_day


def test_of_an_exchange_that_could_not_tell_nothing_is_learnt() -> None:
    records = {BITSTAMP: SeriesRecord(Coverage(span(0, 9)))}

    learnt = learnt_records(
        [run_ticker(KRAKEN, BITSTAMP, asked=(KRAKEN,))],
        records,
        listing(KRAKENS, silent=("bitstamp",)),
        {},
    )

    assert set(learnt) == {KRAKEN}


def test_a_market_that_only_former_rules_merged_is_told_of_too() -> None:
    stand_in = Series("bitstamp", TETHER, MINUTE)
    former = MergeBasis(MergeRules(("kraken", "bitstamp"), 1), (KRAKEN, stand_in))
    present = MergeBasis(MergeRules(("kraken",), 1), (KRAKEN,))
    records = {
        KRAKEN: covering(span(0, 9)),
        stand_in: covering(span(0, 5)),
        MERGED: SeriesRecord(
            Coverage(span(0, 9)), merging=Merging(present, ((former, span(0, 5)),))
        ),
    }

    learnt = learnt_records([run_ticker(KRAKEN)], records, listing(KRAKENS), {})

    assert set(learnt) == {KRAKEN, stand_in}
    assert learnt[stand_in].listing.is_delisted
    assert learnt[stand_in].catch_up_from_ms is None


def test_precision_is_learnt_once_and_what_a_market_did_not_state_later() -> None:
    def after(record: SeriesRecord, market: Market) -> SeriesRecord:
        return learnt_records([run_ticker(KRAKEN)], {KRAKEN: record}, listing(market), {})[KRAKEN]

    unstated = after(SeriesRecord(), KRAKENS)
    prices = after(unstated, replace(KRAKENS, price_step=0.01))
    both = after(prices, replace(KRAKENS, price_step=0.001, amount_step=1e-8))
    changed = after(both, replace(KRAKENS, price_step=1.0, amount_step=1.0))

    assert unstated.precision is None
    assert prices.precision == Precision(2, None)
    assert both.precision == changed.precision == Precision(2, 8)


def test_a_tier_is_remembered_of_the_symbols_own_series_and_never_taken_back() -> None:
    stand_in = Series("binanceus", TETHER, MINUTE)
    ticker = replace(run_ticker(KRAKEN, stand_in), tier="TIER1")
    asked = {each.exchange: Sources(ScriptedSource(each.exchange)) for each in (KRAKEN, stand_in)}
    works = plan_works([ticker], {}, asked)

    learnt = with_wanted([ticker], works, {})
    later = with_wanted([replace(ticker, tier=None)], works, learnt)

    assert {series: record.tier for series, record in learnt.items()} == {
        MERGED: "TIER1",
        KRAKEN: "TIER1",
        stand_in: None,
    }
    assert later == learnt
