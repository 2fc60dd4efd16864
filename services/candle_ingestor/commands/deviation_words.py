"""The minutes that deviate, in sentences (rule M5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from candle_ingestor.ingest.report import RunReport, TickerReport
from candle_ingestor.merge.deviations import Disagreement, Exclusion
from candle_ingestor.model.texts import counted, percent
from candle_ingestor.model.times import minute_text
from candle_ingestor.settle.outcome import Told

_Deviation = Exclusion | Disagreement


def deviations(report: RunReport, tickers: Sequence[TickerReport]) -> Iterator[str]:
    """What was left out of the merged prices of these tickers, and where they disagreed.

    A line for each exchange with exclusions, and one for all disagreements.
    """
    limit = f"more than {percent(report.max_price_deviation_pct)} from"
    for exchange in report.exchanges:
        count = sum(ticker.outcome.merged.excluded[exchange] for ticker in tickers)
        if count:
            told = (t.outcome.merged.exclusions_told.get(exchange, Told()) for t in tickers)
            yield (
                f"{counted(count, 'candle')} of {exchange} left out, {limit} the median: "
                f"{_examples(count, tickers, told)}"
            )
    count = sum(ticker.outcome.merged.disagreements for ticker in tickers)
    if count:
        disagreements = (ticker.outcome.merged.disagreements_told for ticker in tickers)
        yield (
            f"{counted(count, 'minute')} in which exchanges differ, {limit} their median, with "
            f"none left out: {_examples(count, tickers, disagreements)}"
        )


def _examples(
    count: int,
    tickers: Sequence[TickerReport],
    told: Iterable[Told[Exclusion] | Told[Disagreement]],
) -> str:
    firsts: list[tuple[str, _Deviation]] = []
    worsts: list[tuple[str, _Deviation]] = []
    for ticker, each in zip(tickers, told, strict=True):
        if each.worst is not None:
            # Of one symbol alone the line need not say which.
            name = f"{ticker.symbol} " if len(tickers) > 1 else ""
            firsts.append((name, each.first[0]))
            worsts.append((name, each.worst))
    first = min(firsts, key=lambda found: found[1].open_time_ms)
    worst = max(worsts, key=lambda found: found[1].size_pct)
    if count == 1:
        return _words(*first)
    # What looks the same in figures is no worse.
    is_worse = percent(worst[1].size_pct) != percent(first[1].size_pct)
    return f"first {_words(*first)}" + (f"; worst {_words(*worst)}" if is_worse else "")


def _words(name: str, deviation: _Deviation) -> str:
    where = f"{name}{minute_text(deviation.open_time_ms)}"
    if isinstance(deviation, Disagreement):
        above = f"{deviation.price} {percent(deviation.above_pct)} above"
        return f"{where}, {deviation.highest}'s {above} {deviation.lowest}'s"
    side = "above" if deviation.off_median_pct > 0 else "below"
    return f"{where}, its {deviation.price} {percent(deviation.size_pct)} {side}"
