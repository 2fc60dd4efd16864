"""The report as one HTML page, made of the same figures, with charts of the candles."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from candle_ingestor.commands.reading import read_runs
from candle_ingestor.commands.watching import findings_by_head, tuning_of
from candle_ingestor.completeness.report import CompletenessReport
from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.series import Series
from candle_ingestor.operations.progress import Progress
from candle_ingestor.page.content import Page, PageFinding, PageHead
from candle_ingestor.page.document import page_html
from candle_ingestor.page.filling import page_finding, page_gaps, page_runs, page_series
from candle_ingestor.page.reading import ChartReading, MarketReading, MarketsReading
from candle_ingestor.quality.watching import MarketWatch, markets_of

_RUNS_SHOWN = 20
_MOST_PLACES = 20
_MONTHS = "months of candles"


def report_page(
    config: Config, ledger: Ledger, report: CompletenessReport, progress: Progress
) -> str:
    """The page of the series that the report counts, and of what they are made from.

    Every candle is read once, about a month at a time, for the charts and for the quality watch.

    Raises:
        StoreError: if the store cannot be read.
    """
    runs = read_runs(config, ledger.store, _RUNS_SHOWN)
    reading = MarketsReading(ledger, _markets(config, ledger, report))
    progress.begin("Reading candles", {_MONTHS: reading.months})
    heads: dict[Series, PageHead] = {}
    for market in reading.read(lambda: progress.advance(_MONTHS, 1)):
        findings = None
        if (watch := market.watch) is not None:
            findings = findings_by_head(watch.market, watch.watched().findings)
        for chart in market.charts:
            found = None
            if findings is not None:
                found = tuple(map(page_finding, findings.get(chart.head, ())))
            heads[chart.head] = _page_head(config, ledger, report, chart, found)
    progress.begin("Writing the page")
    in_order = tuple(heads[each.series] for each in report.counted)
    return page_html(Page(report.store, report.now_ms, in_order, page_runs(runs)))


def _markets(config: Config, ledger: Ledger, report: CompletenessReport) -> Sequence[MarketReading]:
    """The charts of all that is counted, by what the watch compares."""
    heads = [each.series for each in report.counted]
    lines = sum(1 + len(ledger.record(head).sources) for head in heads)
    charts = {
        head: ChartReading(
            ledger,
            head,
            lines,
            head.timeframe.closed_end_ms(report.now_ms, config.candles.settle_seconds),
        )
        for head in heads
    }
    tuning = tuning_of(config)
    markets = [
        MarketReading(
            [charts.pop(head) for head in market.heads],
            MarketWatch(ledger, market, tuning=tuning),
        )
        for market in markets_of(ledger, heads)
    ]
    return [*markets, *(MarketReading([chart], None) for chart in charts.values())]


def _page_head(
    config: Config,
    ledger: Ledger,
    report: CompletenessReport,
    chart: ChartReading,
    findings: tuple[PageFinding, ...] | None,
) -> PageHead:
    reports = [each for each in report.series if each.series in chart.series]
    reports.sort(key=lambda each: chart.series.index(each.series))
    gaps = page_gaps(ledger, reports, filling=report.filling)
    mine = [gap.interval for gap in gaps if gap.series == chart.head]
    places = [one.interval for one in findings or ()][:_MOST_PLACES] + mine[:_MOST_PLACES]
    status, *sources = (page_series(ledger, each, chart.closed_end_ms) for each in reports)
    return PageHead(status, tuple(sources), chart.chart(places), gaps, findings)


def open_page(path: Path) -> bool:
    """Opens the page in the browser of this machine; false where there is none."""
    return webbrowser.open(path.absolute().as_uri())
