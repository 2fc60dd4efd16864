"""What a plan cannot reach is said before it begins. Times are minutes."""

from collections.abc import Iterable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from minutes import (
    BINANCEUS,
    BITCOIN,
    BITSTAMP,
    KRAKEN,
    MERGED,
    MINUTE,
    TETHER,
    minutes,
    ms,
    span,
)

from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Market
from candle_ingestor.ingest.outlook import Outlook, outlook_of, outlook_words
from candle_ingestor.ingest.plan import Window, plan_series
from candle_ingestor.ingest.preparing import RunTicker
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    Listing,
    MergeBasis,
    Merging,
    SeriesRecord,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.settle.ticker import Ticker

ALL = (KRAKEN, BITSTAMP, BINANCEUS)
END = 1000
REACH = {"kraken": 720, "bitstamp": None, "binanceus": None}
Records = Mapping[Series, SeriesRecord]


def run_ticker(
    *asked: Series, minimum: int = 2, stored: Iterable[Series] = (), unknown: tuple[str, ...] = ()
) -> RunTicker:
    """A ticker of all three exchanges since minute 0, listed by those asked."""
    rules = MergeRules(tuple(series.exchange for series in ALL), minimum)
    sources = tuple(each for each in ALL if each in (*asked, *stored) or each.exchange in unknown)
    lacking = tuple(
        each.exchange for each in ALL if each not in asked and each.exchange not in unknown
    )
    markets = {each.exchange: Market(each.exchange, each.symbol) for each in asked}
    window = Window(ms(0), ms(END), False, ms(100) - ms(0))
    choice = MarketChoice(BITCOIN, markets, lacking, unknown)
    return RunTicker(Ticker(MERGED, MergeBasis(rules, sources)), window, choice)


def outlook(
    each: RunTicker,
    records: Records | None = None,
    reach: Mapping[Series, int] | None = None,
    listed: Mapping[str, Mapping[Symbol, Market]] | None = None,
) -> Outlook | None:
    """The outlook where each exchange reaches back to the minute that `reach` says."""
    known = records or {}
    starts = {series: ms(minute) for series, minute in (reach or {}).items()}
    plans = {
        series: plan_series(
            each.window, known.get(series, NOTHING_KNOWN), MINUTE, starts.get(series)
        )
        for series in each.asked
    }
    return outlook_of(each, Interval(ms(0), ms(END)), plans, known, listed or {}, REACH)


def words(*outlooks: Outlook | None) -> list[str]:
    return [said for said, _ in outlook_words(each for each in outlooks if each is not None)]


def test_what_enough_exchanges_can_still_give_is_no_cause_for_a_word() -> None:
    assert outlook(run_ticker(*ALL)) is None
    assert outlook(run_ticker(*ALL), reach={KRAKEN: 281}) is None


def test_what_is_beyond_reach_and_not_listed_is_said_with_the_causes() -> None:
    found = outlook(run_ticker(KRAKEN, BITSTAMP), reach={KRAKEN: 281})

    assert words(found) == [
        (
            "BTC/USD: of 1,000 minutes wanted, 281 can have at most 1 of the 2 exchanges required: "
            "kraken reaches 720 candles back "
            "(--build_from_trades would help), binanceus does not list BTC/USD"
        )
    ]


def test_the_alias_that_would_help_is_offered() -> None:
    tethered = {"binanceus": {TETHER: Market("binanceus", TETHER)}}
    found = outlook(run_ticker(KRAKEN, BITSTAMP), reach={KRAKEN: 281}, listed=tethered)

    assert words(found)[0].endswith(
        "binanceus does not list BTC/USD (--quote_aliases=USD:USDT would help)"
    )


def test_with_one_exchange_required_what_is_beyond_its_reach_cannot_be_had() -> None:
    found = outlook(run_ticker(KRAKEN, minimum=1), reach={KRAKEN: 281})

    assert words(found)[0].startswith("BTC/USD: of 1,000 minutes wanted, 281 cannot be had: kraken")


def test_what_earlier_rules_made_and_will_make_again_is_no_cause_for_a_word() -> None:
    former = run_ticker(BITSTAMP, minimum=1).ticker.basis
    present = run_ticker(KRAKEN, BITSTAMP)
    made = SeriesRecord(merging=Merging(present.ticker.basis, ((former, span(0, 200)),)))
    known = SeriesRecord(Coverage(span(0, 1000)))

    found = outlook(present, {MERGED: made, BITSTAMP: known}, reach={KRAKEN: 281})

    assert found is not None
    assert found.hopeless_candles == 81


def test_before_a_market_was_listed_is_so_by_nature() -> None:
    record = SeriesRecord(listing=Listing(first_day_ms=ms(400)))
    found = outlook(run_ticker(BITSTAMP, BINANCEUS), {BITSTAMP: record})

    assert found is not None
    assert found.hopeless_candles == 400
    assert [cause.words for cause in found.causes if cause.is_by_nature] == [
        "bitstamp lists {symbol} since 2024-03-01"
    ]
    # Kraken could help, if it listed the symbol.
    assert not found.is_by_nature
    assert outlook(run_ticker(*ALL), {BITSTAMP: record}) is None
    alone = outlook(run_ticker(*ALL, minimum=3), {BITSTAMP: record})
    assert alone is not None
    assert alone.is_by_nature


def test_an_exchange_whose_markets_are_unknown_gets_the_benefit_of_the_doubt() -> None:
    assert outlook(run_ticker(BITSTAMP, unknown=("kraken",))) is None


def test_what_is_stored_counts_also_where_the_market_is_gone() -> None:
    stored = {KRAKEN: SeriesRecord(Coverage(span(0, 600)))}
    found = outlook(run_ticker(BITSTAMP, stored=(KRAKEN,)), stored)

    assert found is not None
    assert (found.hopeless_candles, found.at_most) == (400, 1)


def test_what_was_merged_before_is_not_complained_of() -> None:
    merged = {MERGED: SeriesRecord(Coverage(span(0, 1000)))}

    assert outlook(run_ticker(KRAKEN), merged) is None


def test_tickers_that_look_alike_share_a_line() -> None:
    symbols = [Symbol(base, "USD") for base in ("BTC", "ETH", "SOL", "XRP", "ADA")]
    found = outlook(run_ticker(KRAKEN, BITSTAMP), reach={KRAKEN: 281})
    assert found is not None
    alike = [Outlook(symbol, MINUTE, 1000, 281, 1, 2, found.causes) for symbol in symbols]
    other = Outlook(Symbol("DOT", "USD"), MINUTE, 1000, 900, 0, 2, found.causes)

    assert words(other, *alike) == [
        (
            "BTC/USD, ETH/USD, SOL/USD and 2 more: of 1,000 minutes wanted of each, 281 can have "
            "at most 1 of the 2 exchanges required: kraken reaches 720 candles back "
            "(--build_from_trades would help), binanceus "
            "does not list them"
        ),
        (
            "DOT/USD: of 1,000 minutes wanted, 900 can have none of the 2 exchanges required: "
            "kraken reaches 720 candles back "
            "(--build_from_trades would help), binanceus does not list DOT/USD"
        ),
    ]


SOME = st.sets(st.integers(0, 29)).map(frozenset)
MINUTES = st.none() | st.integers(0, 30)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(SOME, MINUTES, MINUTES), min_size=3, max_size=3),
    st.sets(st.sampled_from(ALL)),
    st.integers(1, 3),
    SOME,
)
def test_no_answers_of_exchanges_could_merge_what_is_called_hopeless_and_all_else_they_could(
    known: list[tuple[frozenset[int], int | None, int | None]],
    listing: set[Series],
    minimum: int,
    merged: frozenset[int],
) -> None:
    wanted = set(range(30))
    records = {MERGED: SeriesRecord(Coverage(minutes(merged)))}
    plans = {}
    best: dict[Series, set[int]] = {}
    for series, (covered, reach, first) in zip(ALL, known, strict=True):
        first_ms = None if first is None else ms(first)
        records[series] = SeriesRecord(Coverage(minutes(covered)), Listing(first_ms))
        best[series] = set(covered)
        if series in listing:
            window = Window(ms(0), ms(30), True, 0)
            reach_ms = None if reach is None else ms(reach)
            plans[series] = plan_series(window, records[series], MINUTE, reach_ms)
            best[series] |= {
                minute for minute in wanted if minute >= (reach or 0) and minute >= (first or 0)
            }
    each = run_ticker(*(s for s in ALL if s in listing), minimum=minimum, stored=ALL)
    counts = {minute: sum(minute in best[series] for series in ALL) for minute in wanted}
    expected = {minute for minute in wanted - merged if counts[minute] < minimum}

    found = outlook_of(each, Interval(ms(0), ms(30)), plans, records, {}, REACH)

    if found is None:
        assert not expected
        return
    assert found.hopeless_candles == len(expected)
    assert found.at_most == max(counts[minute] for minute in expected)
    assert found.causes
    assert words(found)
