"""Months that are brought in line without being told to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest
from partition_exports import (
    EXPORT,
    FEBRUARY,
    HOUR_MS,
    JANUARY,
    MARCH,
    Export,
    entry_of,
    manifest_of,
    snapshot,
)

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet


def never_read(interval: Interval) -> Never:
    pytest.fail(f"{interval} was read")


def test_months_never_exported_are_stale(tmp_path: Path) -> None:
    assert EXPORT.mended_in(tmp_path) == [JANUARY, FEBRUARY]
    assert EXPORT.mended_in(tmp_path) == []


def test_months_whose_gaps_have_changed_are_stale(tmp_path: Path) -> None:
    half = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms + HOUR_MS)
    folder = replace(EXPORT, coverage=half).to(tmp_path).folder
    assert EXPORT.mended_in(tmp_path) == [FEBRUARY]
    assert entry_of(folder, FEBRUARY)["rows"] == 29 * 24


def test_months_of_the_manifest_that_lost_their_coverage_are_stale(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    lost = replace(EXPORT, coverage=IntervalSet([FEBRUARY.interval]))
    assert replace(lost, months={}).to(tmp_path).refused == (JANUARY,)
    assert replace(lost, restate=True).mended_in(tmp_path) == [JANUARY]


def test_a_reason_that_has_changed_is_told_without_reading_a_candle(tmp_path: Path) -> None:
    half = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms + HOUR_MS)
    export = replace(EXPORT, coverage=half, read=never_read, months={})
    folder = replace(EXPORT, coverage=half).to(tmp_path).folder
    file = (folder / "2024/2024-02.csv").read_bytes()
    rejected = {GapReason.REJECTED: IntervalSet([FEBRUARY.interval])}
    assert replace(export, reasons=rejected).to(tmp_path).written == (FEBRUARY,)
    assert [gap["reason"] for gap in entry_of(folder, FEBRUARY)["gaps"]] == ["rejected"]
    assert (folder / "2024/2024-02.csv").read_bytes() == file


def test_a_month_that_has_ended_since_is_stale(tmp_path: Path) -> None:
    coverage = IntervalSet([JANUARY.interval])
    export = Export(
        months={JANUARY: None}, coverage=coverage, closed_end_ms=FEBRUARY.start_ms - HOUR_MS
    )
    export.to(tmp_path)
    assert export.mended_in(tmp_path) == []
    ended = replace(export, closed_end_ms=FEBRUARY.start_ms)
    assert ended.mended_in(tmp_path) == [JANUARY]


def test_an_idle_month_is_told_as_known_up_to_now(tmp_path: Path) -> None:
    end_ms = FEBRUARY.start_ms + 10 * HOUR_MS
    export = replace(
        EXPORT, coverage=IntervalSet.of(JANUARY.start_ms, end_ms), closed_end_ms=end_ms
    )
    folder = export.to(tmp_path).folder
    assert entry_of(folder, FEBRUARY)["known_until"] == "2024-02-01T10:00:00Z"
    later = replace(
        export,
        months={},
        coverage=IntervalSet.of(JANUARY.start_ms, end_ms + HOUR_MS),
        closed_end_ms=end_ms + HOUR_MS,
    )
    assert later.to(tmp_path).written == (FEBRUARY,)
    assert entry_of(folder, FEBRUARY)["known_until"] == "2024-02-01T11:00:00Z"
    assert entry_of(folder, JANUARY)["known_until"] == "2024-02-01T00:00:00Z"


def test_a_manifest_that_does_not_say_how_far_it_knows_is_read_and_mended(tmp_path: Path) -> None:
    """Its complete months are left alone, as nothing is to be said of them."""
    export = replace(EXPORT, coverage=IntervalSet.of(JANUARY.start_ms, MARCH.start_ms - HOUR_MS))
    folder = export.to(tmp_path).folder
    whole = snapshot(folder)["manifest.json"][0]
    values = manifest_of(folder)
    for entry in values["months"].values():
        del entry["known_until"]
    values["written_by"] = values["months"]["2024-01"]["note"] = "a key of a later release"
    (folder / "manifest.json").write_text(json.dumps(values))
    assert export.mended_in(tmp_path) == [FEBRUARY]
    assert snapshot(folder)["manifest.json"][0] == whole
