"""Rows of history files, block by block, with the lines that they came from."""

import io
from dataclasses import replace
from random import Random

import pytest
from archive_files import binance_text, kraken_text, rows_of

from candle_ingestor.archives.blocks import LONGEST_LINE_BYTES, Block, blocks_of
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.archives.layout import BINANCE, KRAKEN, Layout, parse_columns
from candle_ingestor.archives.rows import Line, without_header
from candle_ingestor.archives.rows import rows_of as parsed
from candle_ingestor.errors import ConfigurationError

START_MS = 1_672_531_200_000
ROWS = rows_of(START_MS, 5)


def rows_in(text: str, layout: Layout) -> list[tuple]:
    block = without_header(Block(text.encode(), 1), layout)
    return [] if block is None else parsed(block, layout).frame.rows()


def test_krakens_rows_are_in_seconds() -> None:
    assert rows_in(kraken_text(ROWS), KRAKEN) == ROWS


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("unit", [1, 1000])
def test_binances_rows_are_in_ms_or_us_with_or_without_a_header(unit: int, header: bool) -> None:
    assert rows_in(binance_text(ROWS, unit=unit, header=header), BINANCE) == ROWS


@pytest.mark.parametrize(
    ("unit", "per_second"), [("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)]
)
def test_columns_may_stand_in_any_order_and_time_in_any_unit(unit: str, per_second: int) -> None:
    layout = parse_columns(f"_, Volume,close,low,high,open,time:{unit}")
    lines = [
        f"BTC,{row[5]},{row[4]},{row[3]},{row[2]},{row[1]},{row[0] // 1000 * per_second},more\n"
        for row in ROWS
    ]

    assert rows_in("".join(lines), layout) == ROWS


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_are_no_part_of_a_row(ending: str, mark: str) -> None:
    text = mark + kraken_text(ROWS).replace("\n", ending)

    assert rows_in(text, KRAKEN) == ROWS
    assert rows_in(text.removesuffix(ending), KRAKEN) == ROWS


def test_an_odd_row_spoils_no_other() -> None:
    lines = kraken_text(ROWS).splitlines()
    lines[1] = '"' + lines[1].replace(",", '","') + '"'
    lines[2] = lines[2].replace("1672531320", "1672531320.0").replace(",", ", ")

    assert rows_in("\n".join(lines), KRAKEN) == ROWS


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("1672531260,1,2,0.5,x,3,1", {4}),
        ("1672531260,1,2,0.5,,3,1", {4}),
        ("1672531260,1,2,0.5,1.5", {5}),
        ("1672531260,1,2,0.5,1.5,3", {5}),
        ("1672531260,1,2,0.5,1.5,3,1,9", {5}),
        ("later,1,2,0.5,1.5,3,1", {0}),
        ("1672531260.5,1,2,0.5,1.5,3,1", {0}),
        ("gar\0bage \u20ac", {0, 1, 2, 3, 4, 5}),
    ],
)
def test_what_is_no_number_or_was_cut_off_is_null(text: str, missing: set[int]) -> None:
    lines = kraken_text(ROWS).splitlines()
    lines[1] = text

    found = rows_in("\n".join(lines), KRAKEN)

    assert [found[0], *found[2:]] == [ROWS[0], *ROWS[2:]]
    assert {position for position, value in enumerate(found[1]) if value is None} == missing


def test_a_time_that_is_no_whole_ms_is_null() -> None:
    text = binance_text(ROWS, unit=1000).replace(f"{ROWS[3][0]}000,", f"{ROWS[3][0]}001,", 1)

    assert [row[0] for row in rows_in(text, BINANCE)] == [
        None if n == 3 else row[0] for n, row in enumerate(ROWS)
    ]


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
def test_every_row_knows_its_line_whatever_the_size_of_the_blocks(size: int) -> None:
    random = Random(size)
    lines = ["time,open,high,low,close,volume,trades"]
    for row in kraken_text(rows_of(START_MS, 40)).splitlines():
        lines += [""] * random.randrange(2)
        lines.append(row if random.random() < 0.9 else "no row")
    stream = io.BytesIO("\r\n".join(lines).encode())

    found: list = []
    for block in blocks_of(stream, size):
        layout = replace(KRAKEN, may_have_header=True)
        rest = without_header(block, layout) if block.first_line == 1 else block
        if rest is not None:
            rows = parsed(rest, KRAKEN)
            assert len(rows.raw) == rows.frame.height
            found += rows.raw

    expected = [Line(number, text) for number, text in enumerate(lines, start=1)]
    assert found == [line for line in expected[1:] if line.text]


def test_a_line_without_end_is_no_row() -> None:
    with pytest.raises(ArchiveError, match="line 2 is longer than any row"):
        list(
            blocks_of(io.BytesIO(b"1,2,3\n" + b"0" * (LONGEST_LINE_BYTES * 3)), LONGEST_LINE_BYTES)
        )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("time:s,open,high,low,close", "volume is missing"),
        ("time,open,high,low,close,volume", "time needs its unit"),
        ("time:h,open,high,low,close,volume", "time needs its unit"),
        ("time:s,open,open,low,close,volume", "open is named twice"),
        ("time:s,opne,high,low,close,volume", "did you mean open"),
        ("time:s,open:s,high,low,close,volume", "only time has a unit"),
        ("", "is no column"),
    ],
)
def test_columns_that_make_no_candle_are_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        parse_columns(text)
