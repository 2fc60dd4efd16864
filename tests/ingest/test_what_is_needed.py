"""From when on a run reads the stored candles of all its series at once. Times are minutes."""

from collections.abc import Mapping

from minutes import BITSTAMP, KRAKEN, MINUTE, ms, span
from settling import ticker_of

from candle_ingestor.exchanges.availability import MarketChoice
from candle_ingestor.exchanges.markets import Market
from candle_ingestor.ingest.plan import Window
from candle_ingestor.ingest.preparing import RunTicker, newest_needed_ms
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, SeriesRecord
from candle_ingestor.model.symbol import Symbol

END = 10_000
OVERLAP = 16


def run_ticker(*sources: Series, delisted: tuple[Series, ...] = ()) -> RunTicker:
    symbol = sources[0].symbol
    markets = {s.exchange: Market(s.exchange, symbol) for s in sources if s not in delisted}
    ticker = ticker_of(*sources, merged=Series.merged(symbol, MINUTE))
    return RunTicker(ticker, Window(ms(0), ms(END), False, 0), MarketChoice(symbol, markets))


def known(last: int, provisional: IntervalSet = EMPTY) -> SeriesRecord:
    return SeriesRecord(Coverage(span(0, last), provisional))


def needed(*tickers: RunTicker, records: Mapping[Series, SeriesRecord]) -> int | None:
    since_ms = newest_needed_ms(tickers, records, ms(END))
    return None if since_ms is None else (since_ms - ms(0)) // MINUTE.duration_ms


def test_of_nothing_known_nothing_is_needed() -> None:
    assert needed(run_ticker(KRAKEN, BITSTAMP), records={}) is None


def test_the_last_known_candles_are_needed_and_what_is_asked_again() -> None:
    ticker = run_ticker(KRAKEN, BITSTAMP)

    assert needed(ticker, records={KRAKEN: known(END - 5)}) == END - 5 - OVERLAP
    again = known(END - 1, span(END - 9, END - 1))
    assert needed(ticker, records={KRAKEN: known(END - 5), BITSTAMP: again}) == END - 9 - OVERLAP


def test_a_series_that_was_not_read_for_long_is_read_by_itself() -> None:
    ticker = run_ticker(KRAKEN, BITSTAMP)
    long_ago = known(END - 1_500)

    assert needed(ticker, records={KRAKEN: known(END - 5), BITSTAMP: long_ago}) == (
        END - 5 - OVERLAP
    )
    assert needed(ticker, records={KRAKEN: long_ago}) is None


def test_a_source_that_is_not_asked_needs_nothing() -> None:
    ticker = run_ticker(KRAKEN, BITSTAMP, delisted=(BITSTAMP,))
    records = {KRAKEN: known(END - 5), BITSTAMP: known(END - 700)}

    assert needed(ticker, records=records) == END - 5 - OVERLAP


def test_of_many_series_no_more_is_needed_than_can_be_held() -> None:
    series = [Series("kraken", Symbol(f"A{number}", "USD"), MINUTE) for number in range(400)]
    tickers = [run_ticker(each) for each in series]
    records = dict.fromkeys(series, known(END - 5)) | {series[7]: known(END - 1_000)}

    assert needed(*tickers[:20], records=records) == END - 1_000 - OVERLAP
    assert needed(*tickers, records=records) == END - 5 - OVERLAP
