"""A month in progress, of which only the end is made anew: the bytes of a full rewrite."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import changing_calls
from partition_exports import EXPORT, FEBRUARY, HOUR_MS, JANUARY, MARCH, Export, contents, hourly

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month, months_of

HOURS = 60 * 24
TARGET = "here"
hours = st.integers(0, HOURS - 1)


@dataclass
class Market:
    """A stored series of January and February, with what its record says of exports."""

    prices: dict[int, float] = field(default_factory=dict)
    coverage: IntervalSet = EMPTY
    provisional: IntervalSet = EMPTY
    closed_hours: int = 0
    backlog: Exports = field(default_factory=lambda: Exports({TARGET: {}}))
    asked: list[Interval] = field(default_factory=list)

    @property
    def closed_end_ms(self) -> int:
        return JANUARY.start_ms + self.closed_hours * HOUR_MS

    def read(self, interval: Interval) -> pl.DataFrame:
        self.asked.append(interval)
        times = sorted(t for t in self.prices if interval.start_ms <= t < interval.end_ms)
        rows = [(t, *([self.prices[t]] * 4), 0.5, "kraken", 1) for t in times]
        return pl.DataFrame(rows, schema=MERGED_CANDLES, orient="row")

    def change(
        self, first: int, length: int, price: float, *, known: bool, idle: int, unsure: bool
    ) -> None:
        """Every hour of a span becomes known with a price (each `idle`th without), or unknown."""
        self.closed_hours = min(HOURS, max(self.closed_hours, first + length))
        end_ms = min(JANUARY.start_ms + (first + length) * HOUR_MS, self.closed_end_ms)
        span = IntervalSet.of(JANUARY.start_ms + first * HOUR_MS, end_ms)
        self.coverage = self.coverage | span if known else self.coverage - span
        self.provisional = self.provisional | span if unsure else self.provisional - span
        for hour, (start_ms, _) in enumerate(
            piece for interval in span for piece in interval.cut(HOUR_MS)
        ):
            # Candles outside coverage may stay stored for a while.
            if known and hour % idle:
                self.prices[start_ms] = price
            elif known:
                self.prices.pop(start_ms, None)
        self.backlog = self.backlog.with_changes(span)

    def export(self, months: dict[Month, int | None]) -> Export:
        return replace(
            EXPORT,
            months=months,
            read=self.read,
            coverage=self.coverage,
            unsettled=self.provisional,
            closed_end_ms=self.closed_end_ms,
            # Which is how any change of a complete month comes into its file.
            restate=True,
        )

    def export_news(self, data_root: Path) -> None:
        result = self.export(dict(self.backlog.backlog[TARGET])).to(data_root)
        self.backlog = self.backlog.with_exported(TARGET, (2, 8), dict(result.undone))

    def export_everything(self, data_root: Path) -> None:
        self.export(dict.fromkeys(months_of(self.coverage))).to(data_root)


changes: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    first=hours,
    length=st.integers(1, 900),
    price=st.floats(0.01, 1e6),
    known=st.sampled_from([True, True, True, False]),
    idle=st.integers(1, 5),
    unsure=st.booleans(),
)


@settings(max_examples=30)
@given(st.lists(st.lists(changes, min_size=1, max_size=3), min_size=1, max_size=6))
def test_exports_of_the_news_make_the_bytes_of_one_export_of_everything(
    runs: list[list[dict[str, Any]]],
) -> None:
    market = Market()
    with tempfile.TemporaryDirectory() as news, tempfile.TemporaryDirectory() as everything:
        exported: set[str] = set()
        for run in runs:
            for change in run:
                market.change(**change)
            market.export_news(Path(news))
            market.export_everything(Path(everything))
            in_news, in_everything = contents(Path(news)), contents(Path(everything))
            assert in_news == in_everything
            exported |= set(in_news)
            assert exported == set(in_news)


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    market = Market()
    market.change(0, 1000, 100.0, known=True, idle=7, unsure=False)
    market.export_news(tmp_path)
    market.asked.clear()
    market.change(1000, 2, 100.0, known=True, idle=7, unsure=False)
    market.export_news(tmp_path)
    assert market.asked == [Interval(JANUARY.start_ms + 1000 * HOUR_MS, MARCH.start_ms)]


def test_a_file_that_is_not_as_the_manifest_says_is_made_anew(tmp_path: Path) -> None:
    day = IntervalSet.of(FEBRUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS)
    export = replace(EXPORT, months={FEBRUARY: None}, coverage=day, closed_end_ms=day.end_ms)
    folder = export.to(tmp_path).folder
    whole = contents(folder)
    path = folder / "2024/2024-02.csv"
    for damaged in (b"", path.read_bytes()[:-40], path.read_bytes().replace(b"10050", b"10060")):
        path.write_bytes(damaged)
        mending = replace(export, months={FEBRUARY: day.end_ms}, mends=True)
        assert mending.to(tmp_path).written == (FEBRUARY,)
        assert contents(folder) == whole


def test_a_month_in_progress_grows_by_what_is_new_and_keeps_what_it_has(tmp_path: Path) -> None:
    market = Market()
    market.change(0, 1000, 100.0, known=True, idle=7, unsure=False)
    market.export_news(tmp_path)
    path = tmp_path / "aggregated/BTCUSDT_1h/2024/2024-02.csv"
    before, inode = path.read_bytes(), path.stat().st_ino
    market.change(1000, 2, 100.0, known=True, idle=7, unsure=False)
    with changing_calls() as calls:
        market.export_news(tmp_path)
    assert path.stat().st_ino == inode
    assert path.read_bytes()[: len(before)] == before
    written = [call for call in calls if call.name == "write"]
    assert [call.path.name for call in written] == ["2024-02.csv", ".manifest.json.tmp"]
    assert written[0].size == len(path.read_bytes()) - len(before)


def test_coverage_that_was_lost_without_word_is_seen(tmp_path: Path) -> None:
    day = IntervalSet.of(FEBRUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS)
    export = replace(EXPORT, coverage=day, closed_end_ms=day.end_ms)
    folder = export.to(tmp_path).folder
    hole = IntervalSet.of(FEBRUARY.start_ms + HOUR_MS, FEBRUARY.start_ms + 2 * HOUR_MS)
    last_hour_ms = day.end_ms - HOUR_MS
    replace(export, coverage=day - hole, months={FEBRUARY: last_hour_ms}).to(tmp_path)
    rows = (folder / "2024/2024-02.csv").read_text().splitlines()
    assert len(rows) == 1 + 23
    assert hourly(Interval(last_hour_ms, day.end_ms)).height == 1
