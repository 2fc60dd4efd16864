"""The strip of months on screens of any width, with and without UTF-8."""

import io

import pytest
from rich.console import Console

from candle_ingestor.commands.coverage_strip import print_strip
from candle_ingestor.completeness.gap_list import MonthShare, SeriesGaps
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe


def months(first: str, shares: list[tuple[int, ...]]) -> list[MonthShare]:
    found = []
    month = Month.parse(first)
    for share in shares:
        found.append(MonthShare(month, *share))
        month = month.following()
    return found


def series(base: str, exchange: str = "aggregated") -> Series:
    return Series(exchange, Symbol(base, "USD"), Timeframe(1))


def strip(found: list[SeriesGaps], width: int, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=file, width=width, force_terminal=True, no_color=True)
    print_strip(found, console)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


SHARES: list[tuple[int, ...]] = [
    *((90, 0, 90), (90, 45, 45), (90, 0, 0), (90, 1, 0), (90, 30, 0), (90, 60, 0), (90, 90, 0)),
    # What passed since the last run is not due yet, here after time before the market or alone.
    *((90, 60, 20, 10), (90, 60, 0, 10), (9, 0, 0, 9)),
]


@pytest.mark.parametrize(("encoding", "cells"), [("utf-8", " █·░▒▓██▓"), ("ascii", " #.-+*##*")])
def test_a_cell_is_the_share_of_a_month_that_is_known(encoding: str, cells: str) -> None:
    shown = strip([SeriesGaps(series("BTC"), [], months("2023-11", SHARES))], 80, encoding)

    assert shown[:2] == ["           2023", f"BTC/USD 1m {cells}"]
    assert shown[2].startswith("A cell is a month")


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_ten_years_are_shown_whole_at_any_width_and_no_line_is_longer(width: int) -> None:
    found = [
        SeriesGaps(series("BTC"), [], months("2014-03", [(9, 9, 0)] * 122)),
        SeriesGaps(series("BTC", "coinbaseexchange"), [], months("2020-01", [(9, 9, 0)] * 52)),
    ]

    shown = strip(found, width)

    assert all(len(line) <= width for line in shown)
    of_merged = [line.split()[-1] for line in shown if line.startswith("BTC/USD 1m ")]
    assert "".join(of_merged) == "█" * 122
    cells = [line[28:] for line in shown if line.startswith("coinbaseexchange BTC/USD 1m")]
    assert "".join(cells).count("█") == 52
    headers = [line for line in shown if line.strip().replace(" ", "").isdecimal()]
    assert len(headers) == len(of_merged)
    assert headers[0].split()[0] == "2014"


def test_of_many_series_the_least_known_are_shown_in_their_order() -> None:
    bad = {7, 100, 199}
    found = [
        SeriesGaps(series(f"C{n:03}"), [], months("2024-01", [(9, 5 if n in bad else 9, 0)]))
        for n in range(200)
    ]

    shown = strip(found, 80)

    names = [line.split("/")[0] for line in shown if line.startswith("C")]
    assert len(names) == 40
    assert names == sorted(names)
    assert {f"C{n:03}" for n in bad} < set(names)
    assert shown[-1].startswith("Of 160 more series as much is known or more")


def test_nothing_wanted_shows_nothing() -> None:
    assert strip([SeriesGaps(series("BTC"), [], [])], 80) == []
