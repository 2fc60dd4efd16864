"""What a run says of its trades before it reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from minutes import MINUTE, ms, span

from candle_ingestor.exchanges.errors import ExchangeRefusedError, RunEndedError
from candle_ingestor.ingest.plan import SeriesPlan
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.sources.base import SourceCounts
from candle_ingestor.ingest.sources.trades_source import TradeCandles, TradesEstimate
from candle_ingestor.ingest.trades_estimate import (
    MOST_MEASURED,
    estimate_words,
    measured_trades,
    reads_trades,
)
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol


@dataclass
class Measuring(TradeCandles):
    """Measures a request a minute and a second a request, or fails."""

    failure: Exception | None = None
    measured: list[Series] = field(default_factory=list)

    async def estimate(
        self, series: Series, intervals: IntervalSet, counts: SourceCounts
    ) -> TradesEstimate:
        if self.failure is not None:
            raise self.failure
        self.measured.append(series)
        requests = intervals.duration_ms // 60_000
        return TradesEstimate(requests, requests * 1.0, 1000, 60_000)

    def guess(self, intervals: IntervalSet) -> TradesEstimate:
        requests = intervals.duration_ms // 60_000
        return TradesEstimate(requests, requests * 1.0, 0, 0)


def works_of(source: Measuring, minutes: Sequence[int]) -> list[SeriesWork]:
    works = []
    for number, count in enumerate(minutes):
        series = Series("kraken", Symbol(f"A{number}", "USD"), MINUTE)
        elsewhere = {Origin.TRADES: span(0, count)} if count else {}
        plan = SeriesPlan(Interval(ms(0), ms(9000)), EMPTY, EMPTY, {}, elsewhere)
        report = SourceReport(series)
        works.append(SeriesWork(series, source, plan, report, {Origin.TRADES: source}))
    return works


async def test_the_longest_are_measured_and_the_others_guessed_by_them() -> None:
    source = Measuring()
    works = works_of(source, [10, 50, 0, 40, 30, 20])
    assert reads_trades(works)
    found = await measured_trades(works)

    assert [str(series.symbol) for series in source.measured] == ["A1/USD", "A3/USD", "A4/USD"]
    assert len(source.measured) == MOST_MEASURED
    assert {str(s.symbol): each.requests for s, each in found.items()} == {
        "A1/USD": 50, "A3/USD": 40, "A4/USD": 30, "A0/USD": 10, "A5/USD": 20,
    }  # fmt: skip
    said = estimate_words(found)
    assert said[0] == (
        "kraken A1/USD 1m: its trades take about 50 requests, 50 s at the exchange's pace "
        "(1,000 trades in 1 min 0 s)"
    )
    assert said[3:] == [
        "kraken: the trades of 5 symbols take about 150 requests, 2 min 30 s at the exchange's pace"
    ]


async def test_of_one_symbol_there_is_one_sentence() -> None:
    assert len(estimate_words(await measured_trades(works_of(Measuring(), [10])))) == 1


@pytest.mark.parametrize("failure", [ExchangeRefusedError("kraken: no"), RunEndedError("over")])
async def test_what_cannot_be_measured_is_left_out(failure: Exception) -> None:
    assert await measured_trades(works_of(Measuring(failure=failure), [10, 20])) == {}


async def test_where_no_trades_are_wanted_nothing_is_measured() -> None:
    works = works_of(Measuring(), [0])
    assert not reads_trades(works)
    assert await measured_trades(works) == {}
