"""The report as one HTML page, made of the same figures, with charts of the candles."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from candle_ingestor.commands.reading import place_flags, read_runs
from candle_ingestor.commands.watching import watch
from candle_ingestor.completeness.gap_list import series_gaps, worst_first
from candle_ingestor.completeness.report import CompletenessReport
from candle_ingestor.config import Config
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.page.content import Page, PageHead
from candle_ingestor.page.document import page_html
from candle_ingestor.page.filling import page_finding, page_gaps, page_runs, page_series
from candle_ingestor.page.reading import read_chart

_RUNS_SHOWN = 20
_MOST_PLACES = 20


def report_page(config: Config, ledger: Ledger, report: CompletenessReport) -> str:
    """The page of the series that the report counts, and of what they are made from.

    Candles are read about a month at a time, once for the charts and once for the quality watch.

    Raises:
        StoreError: if the store cannot be read.
    """
    runs = read_runs(config, ledger.store, _RUNS_SHOWN)
    settle_seconds = config.candles.settle_seconds
    reports = {each.series: each for each in report.series}
    heads = [each.series for each in report.counted]
    lines = sum(1 + len(ledger.record(head).sources) for head in heads)
    findings = watch(config, ledger, heads).by_head
    made = []
    for head in heads:
        series = [each for each in (head, *ledger.record(head).sources) if each in reports]
        gaps = page_gaps(
            worst_first(
                series_gaps(
                    ledger,
                    series,
                    report.now_ms,
                    settle_seconds,
                    is_running=report.is_running,
                    place=place_flags(config),
                )
            ),
            reports,
        )
        found = tuple(map(page_finding, findings.get(head, ())))
        mine = [gap.interval for gap in gaps if gap.series == head]
        places = [one.interval for one in found][:_MOST_PLACES] + mine[:_MOST_PLACES]
        closed_end_ms = head.timeframe.closed_end_ms(report.now_ms, settle_seconds)
        status, *sources = (page_series(ledger, reports[each], closed_end_ms) for each in series)
        chart = read_chart(ledger, head, places, lines, report.now_ms, settle_seconds)
        made.append(PageHead(status, tuple(sources), chart, gaps, found))
    return page_html(Page(report.store, report.now_ms, tuple(made), page_runs(runs)))


def open_page(path: Path) -> bool:
    """Opens the page in the browser of this machine; false where there is none."""
    return webbrowser.open(path.absolute().as_uri())
