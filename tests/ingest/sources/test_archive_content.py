"""What a history file proves, judged before any of it is believed."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import polars as pl
import pytest
from archive_files import Row, binance_text, kraken_text, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_ingestor.archives import blocks
from candle_ingestor.archives.containers import files_in
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.ingest.sources.archive_content import ArchiveContent, judge_archive
from candle_ingestor.model.intervals import EMPTY, IntervalSet

MINUTE_MS = 60_000
DAY_MS = 86_400_000
QUARTER = (1_672_531_200_000, 1_680_307_200_000)
START_MS = QUARTER[0]
LATER_MS = 2**42

Judge = Callable[..., ArchiveContent]


def minutes(*numbers: int) -> IntervalSet:
    return IntervalSet((START_MS + n * MINUTE_MS, START_MS + (n + 1) * MINUTE_MS) for n in numbers)


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judged(
        text: str, name: str = "XBTUSD_1.csv", closed_end_ms: int = LATER_MS, most_held: int = 10**6
    ) -> ArchiveContent:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        (file,) = files_in(path)
        described = Naming().described(file.names)
        return judge_archive(file, described, closed_end_ms, most_held=most_held)

    return judged


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block has a few lines."""
    cut = blocks.blocks_of
    monkeypatch.setattr(
        "candle_ingestor.archives.reader.blocks_of", lambda stream: cut(stream, block_bytes=300)
    )


def content_of(found: ArchiveContent) -> list[Row]:
    """All candles of its parts, which are disjoint and make up what it covers."""
    covered = EMPTY
    frames = []
    for part in sorted(found.parts(), key=lambda part: part.span):
        within = IntervalSet((part.span,))
        assert not covered & within
        covered = covered | within
        assert part.rejected == found.rejected & within
        frames.append(part.candles)
    assert covered == found.covers
    return pl.concat(frames).rows()


def test_a_file_without_a_named_span_covers_its_first_to_its_last_row(judge: Judge) -> None:
    rows = rows_of(START_MS, 10)
    found = judge(kraken_text(rows[2:4] + rows[7:9]))

    assert found.covers == found.answered == span(2, 9)
    assert (found.rows, found.first_ms, found.last_ms) == (4, rows[2][0], rows[8][0])
    assert content_of(found) == rows[2:4] + rows[7:9]


def test_a_file_covers_all_of_the_span_that_its_name_states(judge: Judge) -> None:
    rows = rows_of(START_MS + 5 * MINUTE_MS, 3)

    of_quarter = judge(kraken_text(rows), "Q1_2023/XBTUSD_1.csv")
    of_day = judge(binance_text(rows), "BTCUSDT-1m-2023-01-01.csv")

    assert of_quarter.covers == IntervalSet.of(*QUARTER)
    assert of_day.covers == IntervalSet.of(START_MS, START_MS + DAY_MS)
    assert content_of(of_quarter) == content_of(of_day) == rows


def test_only_closed_candles_count_and_no_silence_of_what_is_to_come(judge: Judge) -> None:
    rows = rows_of(START_MS, 10)
    now_ms = START_MS + 6 * MINUTE_MS

    full = judge(kraken_text(rows), closed_end_ms=now_ms)
    of_quarter = judge(kraken_text(rows[:4]), "Q1_2023/XBTUSD_1.csv", now_ms)

    assert full.covers == span(0, 6)
    assert of_quarter.covers == span(0, 4)
    assert content_of(full) == rows[:6]
    assert content_of(of_quarter) == rows[:4]
    with pytest.raises(ArchiveError, match="no candle that is closed by now"):
        judge(kraken_text(rows[6:]), closed_end_ms=now_ms)


def test_bad_rows_are_named_by_line_and_leave_their_minutes_open(judge: Judge) -> None:
    rows = rows_of(START_MS, 10)
    lines = kraken_text(rows).splitlines()
    lines[3] = lines[3].replace("106.5", "1")
    lines[6] = lines[6].replace("106.0", "0", 1)

    found = judge("\n".join(lines))

    assert [(row.line, row.text) for row in found.bad_rows] == [(4, lines[3]), (7, lines[6])]
    assert "low <= open, close <= high" in found.bad_rows[0].why
    assert found.bad_row_count == 2
    assert found.rejected == minutes(3, 6)
    assert found.answered == span(0, 10) - minutes(3, 6)
    assert content_of(found) == [row for n, row in enumerate(rows) if n not in (3, 6)]


@pytest.mark.parametrize("bad", ["later,1,2,0.5,1.5,3,1", "1672531447,1,2,0.5,1.5,3,1", "x"])
def test_a_bad_row_of_no_minute_leaves_the_silence_around_it_open(judge: Judge, bad: str) -> None:
    rows = rows_of(START_MS, 12)
    sparse = rows[:3] + rows[8:]
    lines = kraken_text(sparse).splitlines()
    lines.insert(3, bad)

    found = judge("\n".join(lines))

    assert found.rejected == span(3, 8)
    assert content_of(found) == sparse


def test_rows_of_one_time_that_differ_are_both_bad_and_that_agree_are_one(judge: Judge) -> None:
    rows = rows_of(START_MS, 4)
    lines = kraken_text(rows).splitlines()
    found = judge("\n".join([*lines, lines[1], lines[2].replace("2.5,3", "9.5,3")]))

    assert [row.line for row in found.bad_rows] == [3, 6]
    assert found.rejected == minutes(2)


def test_a_row_outside_the_span_that_the_name_states_is_bad(judge: Judge) -> None:
    rows = rows_of(START_MS - MINUTE_MS, 3)

    found = judge(kraken_text(rows), "Q1_2023/XBTUSD_1.csv")

    assert [row.line for row in found.bad_rows] == [1]
    assert "which the file's name states" in str(found.bad_rows[0])
    assert found.covers == found.answered == IntervalSet.of(*QUARTER)
    assert content_of(found) == rows[1:]


def test_a_file_of_other_columns_is_refused_with_its_first_row(judge: Judge) -> None:
    with pytest.raises(ArchiveError, match="line 2: a field is missing or no number: '1;2;3;4;5;6"):
        judge("1;2;3;4;5;6\n" * 50)
    with pytest.raises(ArchiveError, match="none of its rows is a candle; line 1: "):
        judge(kraken_text((*row[:4], 0.0, 1.0) for row in rows_of(START_MS, 5)))
    with pytest.raises(ArchiveError, match="no candle"):
        judge("")


@pytest.mark.usefixtures("small_blocks")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(seed=st.integers(0, 10**6), ascends=st.booleans(), is_held=st.booleans())
def test_blocks_make_no_difference(judge: Judge, seed: int, ascends: bool, is_held: bool) -> None:
    random = Random(seed)
    rows = [row for row in rows_of(START_MS, 60) if random.random() < 0.7] or rows_of(START_MS, 1)
    bad = {row[0] for row in rows[1:-1] if random.random() < 0.1}
    texts = [
        text.replace(",", ",-", 1) if row[0] in bad else text
        for row, text in zip(rows, kraken_text(rows).splitlines(), strict=True)
    ]
    good = [row for row in rows if row[0] not in bad]

    found = judge(
        "\n".join(texts if ascends else reversed(texts)), most_held=10**6 if is_held else 0
    )

    assert content_of(found) == good
    assert found.covers == IntervalSet.of(rows[0][0], rows[-1][0] + MINUTE_MS)
    assert found.rejected == IntervalSet((time, time + MINUTE_MS) for time in bad)
    assert found.bad_row_count == len(bad)


@pytest.mark.usefixtures("small_blocks")
def test_a_bad_row_of_no_minute_at_the_edge_of_a_block_leaves_all_around_open(judge: Judge) -> None:
    rows = rows_of(START_MS, 60)[::5]
    lines = kraken_text(rows).splitlines()
    for place in range(1, len(lines)):
        text = "\n".join([*lines[:place], "x", *lines[place:]])

        found = judge(text)

        before_ms, after_ms = rows[place - 1][0] + MINUTE_MS, rows[place][0]
        assert found.rejected.covers((before_ms, after_ms)), place
        assert content_of(found) == rows


@pytest.mark.usefixtures("small_blocks")
def test_a_large_file_out_of_order_is_refused(judge: Judge) -> None:
    lines = kraken_text(rows_of(START_MS, 40)).splitlines()
    lines.append(lines.pop(3))

    with pytest.raises(ArchiveError, match="out of order around 2023-01-01T"):
        judge("\n".join(lines))


@pytest.mark.usefixtures("small_blocks")
def test_a_file_that_changes_while_it_is_read_is_refused(judge: Judge, tmp_path: Path) -> None:
    text = kraken_text(rows_of(START_MS, 40))
    found = judge(text, most_held=0)
    (tmp_path / "XBTUSD_1.csv").write_text(text[: len(text) // 2])

    with pytest.raises(ArchiveError, match="it changed while it was read"):
        list(found.parts())
