"""What the scripts of a page draw from: JSON, and blocks of packed columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from candle_ingestor.page.content import Bars, Chart, Page, PageGap, PageHead
from candle_ingestor.page.packing import (
    COARSE_PRICE_DIGITS,
    OWN_PRICE_DIGITS,
    SPREAD_SCALE,
    bar_columns_packed,
    day_columns,
    packed,
    shown_digits,
    shown_volume_digits,
    spans_json,
)

_MOST_BANDS = 2_000
_MOST_PLACES = 40
_FILLED = "filled"


@dataclass(frozen=True)
class ChartData:
    """The JSON value, and the blocks that it names, each as `packed` writes it."""

    value: dict[str, Any]
    blocks: dict[str, str]


def chart_data(page: Page) -> ChartData:
    """What the page's scripts are given; the times in it are seconds, as charts count time."""
    blocks: dict[str, str] = {}
    heads = [_head_json(index, head, blocks) for index, head in enumerate(page.heads)]
    value = {"now": page.now_ms // 1000, "spreadScale": SPREAD_SCALE, "heads": heads}
    return ChartData(value, blocks)


def _head_json(index: int, head: PageHead, blocks: dict[str, str]) -> dict[str, Any]:
    chart = head.chart
    highest = max((each for each in _highest(chart, "high")), default=None)
    levels = []
    for bars in chart.bars:
        is_own = bars.length_ms == head.status.series.timeframe.duration_ms
        in_all = OWN_PRICE_DIGITS if is_own else COARSE_PRICE_DIGITS
        digits = shown_digits(highest, head.status.digits, in_all)
        name = f"bars-{index}-{bars.length_ms // 1000}"
        largest = bars.table["volume"].max()
        volume_digits = shown_volume_digits(largest if isinstance(largest, float) else None)
        blocks[name] = packed(bar_columns_packed(bars, digits, volume_digits))
        levels.append(_level_json(bars, name, digits, volume_digits))
    days_name = f"days-{index}"
    blocks[days_name] = packed([column for each in chart.days for column in day_columns(each)])
    return {
        "name": head.name,
        "length": head.status.series.timeframe.duration_ms // 1000,
        "start": chart.shown.start_ms // 1000,
        "isMerged": head.status.series.is_merged,
        "exchanges": [each.series.exchange for each in chart.days[1:]],
        "levels": levels,
        "days": {
            "block": days_name,
            "start": chart.days[0].start_ms // 1000 if chart.days else 0,
            "count": len(chart.days[0].wanted) if chart.days else 0,
            "series": [each.series.exchange for each in chart.days],
        },
        "gaps": [_gap_json(gap) for gap in _bands(head)],
        "marks": [
            [each.open_time_ms // 1000, each.kind, each.exchange, each.words]
            for each in chart.marks
        ],
        "findings": [
            [one.interval.start_ms // 1000, one.interval.end_ms // 1000, one.rule, one.words]
            for one in head.findings or ()
        ],
        "places": list(_places(head)),
    }


def _highest(chart: Chart, column: str) -> Iterator[float]:
    for bars in chart.bars:
        for name in (column, *(each for each in bars.table.columns if each.startswith("close."))):
            highest = bars.table[name].max()
            if isinstance(highest, float):
                yield highest


def _level_json(bars: Bars, name: str, digits: int, volume_digits: int) -> dict[str, Any]:
    table: pl.DataFrame = bars.table
    return {
        "length": bars.length_ms // 1000,
        "spans": spans_json(bars.spans),
        "first": 0 if table.is_empty() else int(table["open_time_ms"][0]) // 1000,
        "rows": table.height,
        "digits": digits,
        "volumeDigits": volume_digits,
        "block": name,
    }


def _bands(head: PageHead) -> list[PageGap]:
    """The gaps that the chart shades: those of the head itself, the longest where they are many."""
    mine = [gap for gap in head.gaps if gap.series == head.status.series and gap.status != _FILLED]
    longest = sorted(mine, key=lambda gap: -gap.candles)[:_MOST_BANDS]
    return sorted(longest, key=lambda gap: gap.interval)


def _gap_json(gap: PageGap) -> list[Any]:
    remedy = gap.command or "Nothing fills it."
    if gap.files:
        remedy = f"Get {', '.join(file.name for file in gap.files)}"
    return [
        gap.interval.start_ms // 1000,
        gap.interval.end_ms // 1000,
        gap.reason,
        gap.status,
        remedy,
    ]


def _places(head: PageHead) -> Iterator[list[Any]]:
    """Where to look, each with its start, end and a name."""
    found = [(gap.interval, f"gap: {gap.reason}") for gap in _bands(head)]
    found.sort(key=lambda place: -place[0].duration_ms)
    found = [(one.interval, f"finding: {one.rule}") for one in head.findings or ()] + found
    length_ms = head.status.series.timeframe.duration_ms
    marks = sorted(head.chart.marks, key=lambda mark: -mark.size_pct)
    for interval, words in found[: _MOST_PLACES // 2]:
        yield [interval.start_ms // 1000, interval.end_ms // 1000, words]
    for mark in marks[: _MOST_PLACES // 2]:
        words = f"{mark.kind}: {mark.exchange} {mark.size_pct:.1f} %"
        start = mark.open_time_ms // 1000
        yield [start, start + length_ms // 1000, words]
