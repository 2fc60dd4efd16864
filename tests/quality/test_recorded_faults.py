"""Faults put into the recordings of March 2023, and the recordings as they are.

docs/quality.md has the figures that are computed here. The recordings are not part of the project.
"""

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from quality_faults import Fault, Frames, inject
from quality_market import found_in

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.quality_rules import QualityRule
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.model.times import minute_text
from candle_ingestor.quality.findings import Found

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "market_2023_03_1m"
PAGE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")

SPAN = Interval(1_677_628_800_000, 1_677_628_800_000 + 14 * DAY_MS)
FAULTS = 60
LEAST_FOUND_SHARE = 0.9
MOST_FINDINGS = 5

TUNED_ON = range(1, 7)
MENDED_WITH = range(101, 107)
HELD_OUT = range(1001, 1007)

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")


@pytest.fixture(scope="module")
def recordings() -> Frames:
    frames = {}
    for path in sorted(RECORDED.glob("*.csv.gz")):
        exchange, symbol = path.name.partition(".")[0].split("_")
        candles = pl.read_csv(path, schema_overrides=[pl.Int64()] + [pl.Float64()] * 5)
        candles.columns = list(EXCHANGE_CANDLES)
        frames[Series(exchange, Symbol.parse(symbol), Timeframe(1))] = candles
    return frames


def found_in_all(frames: Frames) -> list[Found]:
    """Symbol by symbol, as the command looks."""
    symbols = sorted({series.symbol for series in frames})
    known = IntervalSet((SPAN,))
    return [
        one
        for symbol in symbols
        for one in found_in(
            {series: frame for series, frame in frames.items() if series.symbol == symbol},
            dict.fromkeys((series for series in frames if series.symbol == symbol), known),
        )
    ]


def is_found(fault: Fault, found: list[Found]) -> bool:
    """Whether the right rule tells of the right exchange at that time."""
    return any(
        one.rule is fault.rule
        and one.series == fault.series
        and bool(IntervalSet((one.interval,)) & IntervalSet((fault.interval,)))
        for one in found
    )


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page, without its head."""
    section = PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.split("|")] for line in lines[2:]]


@pytest.mark.parametrize(
    ("seeds", "heading"),
    [
        pytest.param(TUNED_ON, "Seeds that the thresholds were chosen with", id="tuned_on"),
        pytest.param(MENDED_WITH, "Seeds that the thresholds were mended with", id="mended_with"),
        pytest.param(HELD_OUT, "Seeds that were looked at once, at the end", id="held_out"),
    ],
)
def test_nine_of_ten_injected_faults_are_found(
    recordings: Frames, seeds: range, heading: str
) -> None:
    injected: Counter[QualityRule] = Counter()
    found: Counter[QualityRule] = Counter()
    for seed in seeds:
        changed, faults = inject(recordings, SPAN, FAULTS, seed)
        told = found_in_all(changed)
        assert len(faults) == FAULTS
        injected.update(fault.rule for fault in faults)
        found_rules = [fault.rule for fault in faults if is_found(fault, told)]
        assert len(found_rules) >= LEAST_FOUND_SHARE * FAULTS, seed
        found.update(found_rules)

    figures = [[rule.value, str(injected[rule]), str(found[rule])] for rule in QualityRule]
    figures.append(["all", str(injected.total()), str(found.total())])
    assert found.total() >= LEAST_FOUND_SHARE * injected.total(), figures
    assert rows_of(heading) == figures


def test_the_clean_recordings_have_few_findings_and_the_page_explains_each(
    recordings: Frames,
) -> None:
    found = found_in_all(recordings)

    by_symbol = Counter(one.series.symbol for one in found)
    assert max(by_symbol.values()) <= MOST_FINDINGS
    told = [
        [
            str(one.series.symbol),
            one.series.exchange,
            one.rule.value,
            minute_text(one.interval.start_ms),
            minute_text(one.interval.end_ms),
        ]
        for one in found
    ]
    explained = rows_of("The recordings as they are")
    assert sorted(row[:5] for row in explained) == sorted(told)
    assert all(len(row[5]) > 20 for row in explained)
