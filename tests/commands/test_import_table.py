"""What importing did, as a person reads it."""

from io import StringIO

import pytest
from rich.console import Console

from candle_ingestor.commands.import_table import print_files
from candle_ingestor.ingest.import_report import FileReport
from candle_ingestor.model.imported_file import FileStatus
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

START_MS = 1_672_531_200_000  # 2023-01-01
FOLDER = "/home/someone/downloads/archives/kraken/Kraken_OHLCVT_2023Q1.zip"


def printed(width: int) -> list[str]:
    reports = [
        FileReport(
            f"{FOLDER}/XBTUSDT_{minutes}.csv",
            1,
            status,
            series=Series("binanceus", Symbol("BTC", "USDT"), Timeframe(minutes)),
            rows=3_000_000,
            new=1_000_000,
            first_ms=START_MS,
            last_ms=START_MS,
        )
        for minutes, status in ((1, FileStatus.UNCHANGED), (1440, FileStatus.IMPORTED))
    ]
    out = StringIO()
    print_files(reports, Console(file=out, width=width), is_full=False)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_shows_whole_which_file_and_what_became_of_it(width: int) -> None:
    lines = printed(width)

    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    names = "".join(line.split("  ")[0].strip() for line in lines)
    assert f"{FOLDER}/XBTUSDT_1.csv" in names
    assert f"{FOLDER}/XBTUSDT_1440.csv" in names
    [before] = [line for line in lines if "imported before" in line]
    assert "3,000,000" in before
    assert "binanceus BTC/USDT 1m" in before


def test_a_wide_one_shows_the_time_of_each_file_too() -> None:
    lines = printed(200)

    assert any(line.endswith("2023-01-01T00:00Z   2023-01-01T00:00Z") for line in lines)
