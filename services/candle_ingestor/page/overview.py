"""The head of a page: its figures, and a line a symbol to choose from. Pure."""

from __future__ import annotations

from candle_ingestor.completeness.runs import INGEST
from candle_ingestor.page.content import Page, PageHead
from candle_ingestor.page.elements import (
    NOTHING,
    Cell,
    Html,
    columns_of,
    element,
    joined,
    percent_of,
    table,
)
from candle_ingestor.page.tables import behind_words

_SHADES = ((100.0, "full"), (99.0, "most"), (50.0, "some"), (0.000_001, "little"))
_OPEN = ("open", "filling")
_PERMANENT = "permanent"


def tiles(page: Page) -> Html:
    """The figures that stand at the top."""
    wanted = sum(head.status.wanted for head in page.heads)
    covered = sum(head.status.covered for head in page.heads)
    behind = [
        head.status.minutes_behind for head in page.heads if head.status.minutes_behind is not None
    ]
    gaps = [gap for head in page.heads for gap in head.gaps]
    fresh = sum(
        gap.candles
        for head in page.heads
        for gap in head.gaps
        if gap.is_fresh and gap.series == head.status.series
    )
    furthest = behind_words(max(behind, default=None))
    still_open = sum(gap.status in _OPEN and not gap.is_fresh for gap in gaps)
    permanent = sum(gap.status == _PERMANENT for gap in gaps)
    looked_at = [head.findings for head in page.heads if head.findings is not None]
    findings = f"{sum(map(len, looked_at)):,}" if looked_at else NOTHING
    marks = sum(head.chart.excluded + head.chart.disagreeing for head in page.heads)
    last = next((run for run in page.runs if run.command == INGEST), None)
    missing = f"{wanted - covered:,} of {wanted:,} missing"
    candles = last.candles if last else None
    run_words = "" if candles is None else f"{candles:,} candles"
    return joined(
        [
            _tile("Complete", percent_of(covered, wanted) or NOTHING, missing),
            _tile("Symbols", f"{len(page.heads):,}", f"{_series_count(page):,} series"),
            _tile(
                "Open gaps", f"{still_open:,}", f"of all series; {permanent:,} that nothing fills"
            ),
            _tile("Since the last run", f"{fresh:,}", "merged candles that the next one makes"),
            _tile("Furthest behind", furthest or NOTHING, "of a symbol"),
            _tile("Findings", findings, f"{marks:,} minutes off between exchanges"),
            _tile("Last run", last.status if last else "none", run_words),
        ]
    )


def overview(page: Page) -> Html:
    """A line a symbol: a button that shows it, its months, and what is missing."""
    columns = columns_of(
        "Symbol",
        "Complete",
        "Months",
        "Missing",
        "Gaps",
        "Behind",
        numbers=("Complete", "Missing", "Gaps", "Behind"),
    )
    rows: list[list[Cell]] = [
        [
            element("button", head.name, type="button", data_show=str(index)),
            percent_of(head.status.covered, head.status.wanted),
            _strip(head),
            head.status.wanted - head.status.covered,
            sum(gap.status in (*_OPEN, _PERMANENT) and not gap.is_fresh for gap in head.gaps),
            behind_words(head.status.minutes_behind),
        ]
        for index, head in enumerate(page.heads)
    ]
    empty = "The store holds nothing yet. The command ingest fetches candles."
    return table("Symbols; a button shows its charts", columns, rows, empty=empty)


def shade_of(covered: int, wanted: int) -> str:
    """The class of a cell by the share covered: full, most, some, little, none; or unwanted."""
    if not wanted:
        return "unwanted"
    share = 100 * covered / wanted
    return next((name for least, name in _SHADES if share >= least), "none")


def _tile(name: str, figure: str, more: str) -> Html:
    return element(
        "div",
        element("dt", name),
        element("dd", element("strong", figure), element("small", more)),
        class_="tile",
    )


def _strip(head: PageHead) -> Html:
    months = head.status.months
    cells = joined(
        _cell(str(month.month), month.figures.covered, month.figures.wanted) for month in months
    )
    complete = sum(month.figures.completeness_pct == 100 for month in months)
    label = f"{complete} of {len(months)} months complete"
    return element("span", cells, class_="strip", role="img", aria_label=label)


def _cell(month: str, covered: int, wanted: int) -> Html:
    complete = percent_of(covered, wanted)
    words = "not wanted" if complete is None else f"{complete} complete"
    return element("i", class_=f"cell {shade_of(covered, wanted)}", title=f"{month}: {words}")


def _series_count(page: Page) -> int:
    return sum(1 + len(head.sources) for head in page.heads)
