"""Which published files have what an exchange's endpoint no longer answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.archives.publications import publications_of
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

MINUTE = Timeframe(1)
KRAKEN = Series("kraken", Symbol.parse("BTC/USD"), MINUTE)
BINANCE = Series("binance", Symbol.parse("BTC/USDT"), MINUTE)


def months(first: str, last: str) -> IntervalSet:
    """From the start of the first month to the end of the last."""
    return IntervalSet.of(Month.parse(first).start_ms, Month.parse(last).interval.end_ms)


def test_kraken_publishes_a_zip_a_quarter() -> None:
    found = publications_of(KRAKEN, months("2022-12", "2023-04"))

    assert [each.words for each in found] == [
        "XBTUSD_1.csv of Kraken_OHLCVT_Q4_2022.zip",
        "XBTUSD_1.csv of Kraken_OHLCVT_Q1_2023.zip",
        "XBTUSD_1.csv of Kraken_OHLCVT_Q2_2023.zip",
    ]
    assert [each.candles for each in found] == [31 * 1440, 90 * 1440, 30 * 1440]
    assert found[1].published_from_ms == Month.parse("2023-04").start_ms


def test_binance_publishes_a_zip_a_month() -> None:
    found = publications_of(BINANCE, months("2023-03", "2023-03"))

    assert [each.words for each in found] == ["BTCUSDT-1m-2023-03.zip"]
    assert found[0].page.endswith("/BTCUSDT/1m/")


@pytest.mark.parametrize(
    "series",
    [
        Series("bitstamp", Symbol.parse("BTC/USD"), MINUTE),
        Series("kraken", Symbol.parse("BTC/USD"), Timeframe(7)),
    ],
)
def test_what_nobody_publishes_has_no_file(series: Series) -> None:
    assert publications_of(series, months("2023-03", "2023-03")) == []


def test_nothing_missing_needs_no_file() -> None:
    assert publications_of(KRAKEN, EMPTY) == []


MINUTES = st.integers(25_000_000, 28_000_000)


@given(
    st.sampled_from([KRAKEN, BINANCE]),
    st.sampled_from(["BTC", "DOGE", "ETH", "REP"]),
    st.lists(st.tuples(MINUTES, st.integers(1, 200_000)), max_size=5),
)
def test_the_files_have_everything_missing_once_and_the_importer_knows_their_names(
    one: Series, base: str, pairs: list[tuple[int, int]]
) -> None:
    series = Series(one.exchange, Symbol(base, one.symbol.quote), MINUTE)
    missing = IntervalSet((m * 60_000, (m + length) * 60_000) for m, length in pairs)

    found = publications_of(series, missing)

    filled = EMPTY
    for each in found:
        assert each.missing
        assert not filled & each.missing
        filled = filled | each.missing
        name = each.file.replace(".zip", ".csv")
        described = Naming().described([name, each.archive])
        assert described.series == series
        assert described.span is not None
        assert not each.missing - IntervalSet((described.span,))
        assert described.span.end_ms == each.published_from_ms
    assert filled == missing
