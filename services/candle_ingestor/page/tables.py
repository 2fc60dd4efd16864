"""The tables of a page: what its charts show, for whoever cannot or does not look at them. Pure."""

from __future__ import annotations

from candle_ingestor.completeness.figures import Figures
from candle_ingestor.completeness.gap_list import rank
from candle_ingestor.model.times import minutes_words
from candle_ingestor.page.content import PageGap, PageHead, PageRun, PageSeries
from candle_ingestor.page.elements import (
    Cell,
    Html,
    columns_of,
    element,
    joined,
    link,
    minute,
    percent_of,
    table,
    text,
)

MOST_GAPS = 300
_MOST_FINDINGS = 300

_FIGURES = ("Complete", "Wanted", "Covered", "Candles", "No trade", "Missing")


def series_table(heads: tuple[PageHead, ...]) -> Html:
    """Every head and what it is made from: completeness and freshness."""
    columns = columns_of(
        "Series", *_FIGURES, "First", "Last", "Behind", numbers=(*_FIGURES, "Behind")
    )
    rows = [_series_row(head, series) for head in heads for series in (head.status, *head.sources)]
    return table(
        "Completeness and freshness of every series", columns, rows, empty="Nothing is stored yet."
    )


def months_table(head: PageHead) -> Html:
    """The months of a head and its sources."""
    columns = columns_of("Month", "Series", *_FIGURES, numbers=_FIGURES)
    rows: list[list[Cell]] = [
        [str(month.month), series.series.exchange, *_figures(month.figures)]
        for series in (head.status, *head.sources)
        for month in series.months
    ]
    return table(f"Months of {head.name}", columns, rows, empty="No month is wanted.")


def gaps_table(heads: tuple[PageHead, ...]) -> Html:
    """The gaps of all heads, each with what to do."""
    gaps = sorted(
        (gap for head in heads for gap in head.gaps),
        key=lambda gap: rank(gap.status, gap.candles),
    )
    columns = columns_of(
        "Series",
        "From",
        "Until",
        "Candles",
        "Reason",
        "Status",
        "Since",
        "What to do",
        numbers=["Candles"],
    )
    rows: list[list[Cell]] = [
        [
            f"{gap.series.symbol} {gap.series.exchange}",
            minute(gap.interval.start_ms),
            minute(gap.interval.end_ms),
            gap.candles,
            gap.reason,
            "since the last run" if gap.is_fresh else gap.status,
            minute(gap.since_ms),
            _remedy(gap),
        ]
        for gap in gaps[:MOST_GAPS]
    ]
    shown = table(
        "Gaps, the worst first", columns, rows, empty="Nothing that is wanted is missing."
    )
    if len(gaps) <= MOST_GAPS:
        return shown
    more = (
        f"And {len(gaps) - MOST_GAPS:,} more: candle-ingestor gaps --by_exchange lists all of them."
    )
    return joined([shown, element("p", more)])


def findings_table(heads: tuple[PageHead, ...]) -> Html:
    """The findings of the quality watch."""
    columns = columns_of(
        "Symbol",
        "Exchange",
        "From",
        "Until",
        "Rule",
        "What was found",
        "Figures",
        "Threshold",
        numbers=["Threshold"],
    )
    if heads and all(head.findings is None for head in heads):
        return element("p", "The quality watch has not looked at these series.", class_="empty")
    found = [(head, finding) for head in heads for finding in head.findings or ()]
    rows: list[list[Cell]] = [
        [
            head.name,
            one.exchange,
            minute(one.interval.start_ms),
            minute(one.interval.end_ms),
            one.rule,
            one.words,
            ", ".join(f"{name} {figure:g}" for name, figure in one.figures.items()),
            None if one.threshold is None else f"{one.threshold:g}",
        ]
        for head, one in found[:_MOST_FINDINGS]
    ]
    shown = table(
        "Findings of the quality watch", columns, rows, empty="Nothing suspicious was found."
    )
    if len(found) <= _MOST_FINDINGS:
        return shown
    more = f"And {len(found) - _MOST_FINDINGS:,} more: candle-ingestor quality lists all of them."
    return joined([shown, element("p", more)])


def marks_table(head: PageHead) -> Html:
    """The minutes at which exchanges differ too much."""
    columns = columns_of("Minute", "Kind", "Exchange", "Off", "What happened", numbers=["Off"])
    rows: list[list[Cell]] = [
        [minute(each.open_time_ms), each.kind, each.exchange, f"{each.size_pct:.2f} %", each.words]
        for each in head.chart.marks
    ]
    return table(
        f"Excluded and disagreeing minutes of {head.name}",
        columns,
        rows,
        empty="No exchange's price lay too far from the others'.",
    )


def runs_table(runs: tuple[PageRun, ...]) -> Html:
    """The last runs, newest first."""
    columns = columns_of(
        "Started",
        "Command",
        "Status",
        "Took",
        "Requests",
        "Candles",
        "Merged",
        "Left missing",
        "Run",
        "Error",
        numbers=("Took", "Requests", "Candles", "Merged", "Left missing"),
    )
    rows: list[list[Cell]] = [
        [
            minute(run.started_ms),
            run.command,
            run.status,
            None if run.seconds is None else f"{run.seconds:,.1f} s",
            run.requests,
            run.candles,
            run.merged_candles,
            run.gap_candles,
            element("code", run.run_id),
            run.error,
        ]
        for run in runs
    ]
    return table("The last runs, the newest first", columns, rows, empty="No run is recorded.")


def behind_words(minutes: int | None) -> str | None:
    """How far a series is behind: `up to date`, `3 min`, `2 h`, `5 d`; None stays None."""
    if minutes is None:
        return None
    return minutes_words(minutes) if minutes > 0 else "up to date"


def _figures(of: PageSeries | Figures) -> list[Cell]:
    """The cells of the columns `_FIGURES`."""
    missing = of.wanted - of.covered
    complete = percent_of(of.covered, of.wanted)
    return [complete, of.wanted, of.covered, of.candles, of.no_trade, missing]


def _series_row(head: PageHead, series: PageSeries) -> list[Cell]:
    is_head = series is head.status
    name: Cell = head.name if is_head else Html(f"&emsp;{text(series.series.exchange)}")
    if is_head and series.tier is not None:
        name = joined([text(head.name), Html(" "), element("small", series.tier)])
    return [
        name,
        *_figures(series),
        minute(series.first_ms),
        minute(series.last_ms),
        behind_words(series.minutes_behind),
    ]


def _command(line: str) -> Html:
    """A command that is broken between its words only, and copied as one line."""
    words = [element("span", word, class_="word") for word in line.split(" ")]
    return element("code", joined(words, " "))


def _remedy(gap: PageGap) -> Html:
    parts = [joined([text("Get "), link(file.name, file.page)]) for file in gap.files]
    if gap.command is not None:
        words = "then " if parts else ""
        parts.append(joined([text(words), _command(gap.command)]))
    if not parts:
        parts.append(text("Nothing fills it."))
    if gap.last_error is not None:
        parts.append(element("small", gap.last_error))
    return joined(parts, "<br>")
