"""What the names of exchanges' history files say."""

from datetime import UTC, datetime

import pytest

from candle_ingestor.archives.errors import NotACandleFileError
from candle_ingestor.archives.kraken import symbol_of
from candle_ingestor.archives.layout import BINANCE, KRAKEN, Layout
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe


def span(first: str, last: str) -> Interval:
    """From one day to another, half-open."""
    days = (datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) for day in (first, last))
    return Interval(*(int(day.timestamp()) * 1000 for day in days))


FIRST_QUARTER = span("2023-01-01", "2023-04-01")


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("XBTUSD", "BTC/USD"),
        ("XBTUSDT", "BTC/USDT"),
        ("XBTUSDC", "BTC/USDC"),
        ("ETHXBT", "ETH/BTC"),
        ("XDGUSD", "DOGE/USD"),
        ("XDGXBT", "DOGE/BTC"),
        ("XXBTZUSD", "BTC/USD"),
        ("XXDGXXBT", "DOGE/BTC"),
        ("XETHZEUR", "ETH/EUR"),
        ("USDTZUSD", "USDT/USD"),
        ("XTZUSD", "XTZ/USD"),
        ("DOTUSD", "DOT/USD"),
        ("EURTUSD", "EURT/USD"),
        ("LUNAUSD", "LUNC/USD"),
        ("1INCHUSD", "1INCH/USD"),
        ("AAVEXBT", "AAVE/BTC"),
        ("EURUSD", "EUR/USD"),
    ],
)
def test_krakens_names_of_pairs_become_symbols(pair: str, symbol: str) -> None:
    assert symbol_of(pair) == Symbol.parse(symbol)


@pytest.mark.parametrize("pair", ["USD", "ETH2.SETH", "XYZ", "XBTXBT"])
def test_what_is_no_pair_is_named(pair: str) -> None:
    with pytest.raises(NotACandleFileError, match=pair):
        symbol_of(pair)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("XBTUSD_1.csv",), None),
        (("XBTUSD_1.csv", "Kraken_OHLCVT.zip", "data"), None),
        (("XBTUSD_1.csv", "Kraken_OHLCVT_Q1_2023.zip"), FIRST_QUARTER),
        (("XBTUSD_1.csv", "Kraken_OHLCVT_2023Q1_sample.zip"), FIRST_QUARTER),
        (("XBTUSD_1.csv", "2023-Q1"), FIRST_QUARTER),
        (("XBTUSD_1.csv", "q1_2023", "Kraken_OHLCVT_Q4_2022.zip"), FIRST_QUARTER),
        (("XBTUSD_1.csv", "Kraken_OHLCVT_Q4_2022.zip"), span("2022-10-01", "2023-01-01")),
        (("XBTUSD_1.csv", "master_q4", "Kraken_OHLCVT.zip"), None),
        (("XBTUSD_1.csv", "FAQ1_2023"), None),
        (("XBTUSD_1.csv", "12023Q1"), None),
        (("XBTUSD_1.csv", "Q1_20231"), None),
    ],
)
def test_a_kraken_file_covers_the_quarter_that_its_zip_or_folder_names(
    names: tuple[str, ...], expected: Interval | None
) -> None:
    found = Naming().described(names)

    assert found.series == Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
    assert found.layout == KRAKEN
    assert found.span == expected


@pytest.mark.parametrize(
    ("name", "timeframe", "expected"),
    [
        ("BTCUSDT-1m-2023-03-10.csv", "1m", span("2023-03-10", "2023-03-11")),
        ("BTCUSDT-1m-2023-03.csv", "1m", span("2023-03-01", "2023-04-01")),
        ("BTCUSDT-1h-2023-12.csv", "1h", span("2023-12-01", "2024-01-01")),
        ("BTCUSDT-1d-2024-02.csv", "1d", span("2024-02-01", "2024-03-01")),
        ("btcusdt-12h-2024-02-29.csv", "12h", span("2024-02-29", "2024-03-01")),
    ],
)
def test_a_binance_file_covers_the_day_or_month_of_its_name(
    name: str, timeframe: str, expected: Interval
) -> None:
    found = Naming().described((name,))

    assert found.series == Series("binance", Symbol("BTC", "USDT"), Timeframe.parse(timeframe))
    assert found.layout == BINANCE
    assert found.span == expected


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("XBTUSD_10080.csv",), "longer than a day"),
        (("BTCUSDT-1s-2023-03-10.csv",), "1s"),
        (("BTCUSDT-1w-2023-03.csv",), "1w"),
        (("BTCUSDT-1mo-2023-03.csv",), "1mo"),
        (("BTCUSDT-3d-2023-03.csv",), "3d"),
        (("BTCUSDT-1m-2023-13.csv",), "2023-13"),
        (("BTCUSDT-1m-2023-02-29.csv",), "2023-02-29"),
        (("BTCUSDT-1m-2023-03.csv", "1m", "BTCUSDT", "klines", "um", "futures"), "futures"),
        (("BTCUSD_PERP-1m-2023-03.csv",), "no name of Kraken's or Binance's"),
        (("prices.csv",), "--archive_columns"),
        (("XBTUSD_1.txt",), "no name of Kraken's or Binance's"),
    ],
)
def test_a_file_that_cannot_be_kept_is_passed_over_with_the_reason(
    names: tuple[str, ...], why: str
) -> None:
    with pytest.raises(NotACandleFileError, match=why):
        Naming().described(names)


def test_a_compressed_file_is_named_by_what_is_in_it() -> None:
    assert Naming().described(("XBTUSD_5.csv.gz",)).series.timeframe == Timeframe(5)


def test_another_exchange_may_publish_in_the_form_of_a_known_one() -> None:
    found = Naming(exchange="binanceus").described(("BTCUSDT-1m-2023-03.csv",))

    assert found.series.exchange == "binanceus"


def test_a_file_in_the_form_of_kraken_is_krakens_whatever_exchange_is_named() -> None:
    found = Naming(exchange="binanceus").described(("XBTUSD_1.csv",))

    assert found.series.exchange == "kraken"


def test_a_file_in_the_form_of_binance_is_never_taken_for_krakens() -> None:
    with pytest.raises(NotACandleFileError, match="in the form of Binance, which kraken does not"):
        Naming(exchange="kraken").described(("BTCUSDT-1m-2023-03.csv",))


def test_of_a_form_of_its_own_the_user_says_everything() -> None:
    series = Series("gemini", Symbol("ETH", "USD"), Timeframe(60))
    layout = Layout((0, 1, 2, 3, 4, 5), "ms")

    found = Naming("gemini", layout, series).described(("XBTUSD_1.csv", "Q1_2023"))

    assert (found.series, found.layout, found.span) == (series, layout, None)
