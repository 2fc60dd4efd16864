"""Files of a folder as a source of candles."""

from pathlib import Path
from typing import Any

import pytest
from archive_files import binance_text, kraken_text, rows_of, write_checksum, write_zip

from candle_ingestor.archives.recognising import Naming
from candle_ingestor.ingest.sources.archive_source import ArchiveCandles, ArchiveIndex
from candle_ingestor.ingest.sources.base import FurtherSource, Known, Page, SourceCounts
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe

MINUTE_MS = 60_000
DAY_MS = 86_400_000
START_MS = 1_672_531_200_000
NOW_MS = START_MS + 1000 * DAY_MS
KRAKEN = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
BINANCE = Series("binance", Symbol("BTC", "USDT"), Timeframe(1))


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


def source_of(folder: Path, exchange: str = "kraken", **settings: Any) -> ArchiveCandles:
    skips = settings.pop("skips_bad_rows", False)
    index = ArchiveIndex.of_folder(folder, Naming(), lambda: NOW_MS, 5, skips_bad_rows=skips)
    return ArchiveCandles(exchange, index, **settings)


async def pages_of(
    source: FurtherSource, series: Series, wanted: IntervalSet, counts: SourceCounts | None = None
) -> list[Page]:
    (interval,) = wanted
    pages = source.pages(series, interval, Known(), counts or SourceCounts())
    found = [page async for page in pages]
    next_ms = interval.start_ms
    for page in found:
        assert page.origin is Origin.ARCHIVE
        assert page.done.start_ms == next_ms
        next_ms = page.done.end_ms
        left = IntervalSet((page.done,)) - page.answered
        for intervals in page.reasons.values():
            left = left - intervals
        assert not left
    return found


def answered(pages: list[Page]) -> IntervalSet:
    return IntervalSet(interval for page in pages for interval in page.answered)


def rows(pages: list[Page]) -> list:
    return [row for page in pages for row in page.candles.rows()]


async def test_it_answers_what_its_files_cover_and_says_so_before(tmp_path: Path) -> None:
    shown = rows_of(START_MS, 100)[::2]
    (tmp_path / "XBTUSD_1.csv").write_text(kraken_text(shown))
    source = source_of(tmp_path)

    assert source.offers(KRAKEN) == span(0, 99)
    assert source.offers(BINANCE) == EMPTY
    assert list(source.timeframes) == ["1m"]

    pages = await pages_of(source, KRAKEN, span(-10, 50))
    assert answered(pages) == span(0, 50)
    assert rows(pages) == shown[:25]
    assert pages[0].reasons[GapReason.BEYOND_REACH] == span(-10, 0)
    assert pages[0].failure is None


async def test_what_a_name_states_is_offered_without_reading(tmp_path: Path) -> None:
    for day in ("2023-01-01", "2023-01-03"):
        (tmp_path / f"BTCUSDT-1m-{day}.csv").write_text("not read")
    source = source_of(tmp_path, "binance")

    assert source.offers(BINANCE) == span(0, 1440) | span(2880, 4320)
    assert source.offers(KRAKEN) == EMPTY


async def test_files_that_overlap_answer_each_minute_once(tmp_path: Path) -> None:
    by_day = rows_of(START_MS + DAY_MS, 1440, price=500)
    by_month = rows_of(START_MS, 44_640)
    write_zip(
        tmp_path / "BTCUSDT-1m-2023-01-02.zip", {"BTCUSDT-1m-2023-01-02.csv": binance_text(by_day)}
    )
    write_zip(
        tmp_path / "BTCUSDT-1m-2023-01.zip", {"BTCUSDT-1m-2023-01.csv": binance_text(by_month)}
    )
    source = source_of(tmp_path, "binance")

    pages = await pages_of(source, BINANCE, span(0, 44_640))

    assert answered(pages) == span(0, 44_640) == source.offers(BINANCE)
    assert rows(pages) == by_month[:1440] + by_day + by_month[2880:]


@pytest.mark.parametrize("damage", ["bad row", "checksum", "cut"])
async def test_a_file_that_cannot_be_used_fails_what_it_was_there_for(
    tmp_path: Path, damage: str
) -> None:
    text = binance_text(rows_of(START_MS, 1440))
    if damage == "bad row":
        text = text.replace(",101.0,", ",-1,", 1)
    path = write_zip(tmp_path / "BTCUSDT-1m-2023-01-01.zip", {"BTCUSDT-1m-2023-01-01.csv": text})
    write_checksum(path, "0" * 64 if damage == "checksum" else None)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000] + path.read_bytes()[2100:])
    source = source_of(tmp_path, "binance")

    pages = await pages_of(source, BINANCE, span(0, 2880))

    assert answered(pages) == EMPTY
    failed = IntervalSet()
    for page in pages:
        failed = failed | page.reasons.get(GapReason.FETCH_FAILED, EMPTY)
        assert page.failure is not None
        assert "BTCUSDT-1m-2023-01-01.zip: " in str(page.failure)
    assert failed.covers((START_MS, START_MS + DAY_MS))


def test_a_zip_that_cannot_be_opened_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_zip(tmp_path / "Kraken_OHLCVT_Q1_2023.zip", {"XBTUSD_1.csv": "1"})
    path.write_bytes(path.read_bytes()[:-10])

    assert source_of(tmp_path).offers(KRAKEN) == EMPTY
    assert f"{path}: it is a damaged zip" in caplog.text


async def test_bad_rows_may_be_skipped_and_stay_open(tmp_path: Path) -> None:
    shown = rows_of(START_MS, 10)
    lines = kraken_text(shown).splitlines()
    lines[4] = lines[4].replace(",104.0,", ",0,")
    (tmp_path / "XBTUSD_1.csv").write_text("\n".join(lines))
    counts = SourceCounts()

    pages = await pages_of(source_of(tmp_path, skips_bad_rows=True), KRAKEN, span(0, 10), counts)

    assert answered(pages) == span(0, 4) | span(5, 10)
    assert rows(pages) == shown[:4] + shown[5:]
    rejected = IntervalSet(i for p in pages for i in p.reasons.get(GapReason.REJECTED, EMPTY))
    assert rejected == span(4, 5)
    assert counts.rejected == 1


async def test_it_stops_between_two_pages(tmp_path: Path) -> None:
    (tmp_path / "XBTUSD_1.csv").write_text(kraken_text(rows_of(START_MS, 10)))
    source = source_of(tmp_path, is_to_stop=lambda: True)

    pages = source.pages(KRAKEN, Interval(START_MS, START_MS + DAY_MS), Known(), SourceCounts())
    assert [page async for page in pages] == []
