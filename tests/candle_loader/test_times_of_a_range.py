"""What a caller may give as start and end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from exported_series import FEBRUARY_MS, HOUR_MS, JANUARY_MS, MARCH_MS, export

from candle_loader import LoaderError, load

SECOND_OF_JANUARY_MS = JANUARY_MS + 24 * HOUR_MS
TOKYO = timezone(timedelta(hours=9))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    export(root)
    return root


def span(exported: Path, start: Any, end: Any) -> tuple[int, int]:
    candles = load(exported, "kraken", "BTC/USD", start, end, "1h")
    return candles.start_ms, candles.end_ms


@pytest.mark.parametrize(
    "time",
    [
        SECOND_OF_JANUARY_MS,
        np.int64(SECOND_OF_JANUARY_MS),
        "2024-01-02",
        "2024-01-02T00:00:00Z",
        "2024-01-02T00:00",
        "2024-01-02T09:00:00+09:00",
        date(2024, 1, 2),
        datetime(2024, 1, 2),  # noqa: DTZ001
        datetime(2024, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 2, 9, tzinfo=TOKYO),
        pd.Timestamp("2024-01-02"),
        pd.Timestamp("2024-01-02", tz="UTC"),
        pd.Timestamp("2024-01-02 09:00", tz="Asia/Tokyo"),
        np.datetime64("2024-01-02"),
        np.datetime64("2024-01-02T00:00:00.000000000", "ns"),
    ],
    ids=repr,
)
def test_a_time_may_be_given_in_every_usual_form(exported: Path, time: Any) -> None:
    assert span(exported, time, "2024-01-03") == (
        SECOND_OF_JANUARY_MS,
        SECOND_OF_JANUARY_MS + 24 * HOUR_MS,
    )
    assert span(exported, "2024-01-01", time) == (JANUARY_MS, SECOND_OF_JANUARY_MS)


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        ("2024-01", "2024-01", (JANUARY_MS, FEBRUARY_MS)),
        ("2024-01", "2024-02", (JANUARY_MS, MARCH_MS)),
        ("2024-02", None, (FEBRUARY_MS, MARCH_MS)),
        ("2023", "2024-01", (JANUARY_MS - 365 * 24 * HOUR_MS, FEBRUARY_MS)),
        ("2024", "2024", (JANUARY_MS, JANUARY_MS + 366 * 24 * HOUR_MS)),
        (2024, 2024, (JANUARY_MS, JANUARY_MS + 366 * 24 * HOUR_MS)),
        ("2024-01", "2024-02-01", (JANUARY_MS, FEBRUARY_MS)),
    ],
)
def test_a_month_or_a_year_lasts_to_its_end(
    exported: Path, start: Any, end: Any, wanted: tuple[int, int]
) -> None:
    assert span(exported, start, end) == wanted


def test_a_time_within_a_millisecond_lets_in_no_earlier_candle(exported: Path) -> None:
    shortly_after = "2024-01-02T00:00:00.000001"
    candles = load(exported, "kraken", "BTC/USD", shortly_after, "2024-01-03", "1h")
    assert candles.frame["timestamp_ms"][0] == SECOND_OF_JANUARY_MS + HOUR_MS
    candles = load(exported, "kraken", "BTC/USD", "2024-01-01", shortly_after, "1h")
    assert candles.last_timestamp_ms == SECOND_OF_JANUARY_MS


@pytest.mark.parametrize("time", ["yesterday", "2024-13", "2024-13-01", "", True, 1.5, pd.NaT])
def test_what_is_no_time_is_named(exported: Path, time: Any) -> None:
    with pytest.raises(LoaderError, match="is no time; give UTC milliseconds"):
        span(exported, time, None)


def test_a_range_of_which_nothing_is_exported_says_what_there_is(exported: Path) -> None:
    for start, end in (("2025", None), ("2023", "2023"), ("2024-03-01", "2024-04-01")):
        with pytest.raises(LoaderError, match="2024-01-01T00:00:00Z to 2024-03-01T00:00:00Z"):
            span(exported, start, end)
