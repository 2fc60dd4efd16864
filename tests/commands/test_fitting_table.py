"""Tables on terminals of any width."""

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from candle_ingestor.commands import completeness_table, runs, status_table
from candle_ingestor.commands.fitting_table import Column, Kind, print_fitting

TABLES = {
    "status": status_table.COLUMNS,
    "runs": runs.COLUMNS,
    "report": (Column("exchange", 0, Kind.TEXT), *completeness_table.COLUMNS),
}
NUMBERS = st.integers(0, 10**9).map(lambda number: f"{number:,}")
NAMES = st.text("abcdefgh/", min_size=3, max_size=21)
WORDS = st.lists(NUMBERS.map(lambda number: f"{number} beyond_reach"), max_size=4).map(", ".join)
CELLS = {Kind.NUMBER: NUMBERS, Kind.TEXT: NAMES, Kind.WORDS: WORDS}


def shown(columns: tuple[Column, ...], rows: list[list[str]], width: int) -> list[str]:
    output = StringIO()
    print_fitting(
        columns, rows, Console(file=output, width=width, force_terminal=True, color_system=None)
    )
    return [line.rstrip() for line in output.getvalue().splitlines()]


@given(st.sampled_from(sorted(TABLES)), st.integers(40, 140), st.data())
def test_no_name_is_missing_and_no_cell_is_cut(table: str, width: int, data: st.DataObject) -> None:
    columns = TABLES[table]
    cells = st.tuples(*(CELLS[column.kind] for column in columns)).map(list)
    rows = data.draw(st.lists(cells, min_size=1, max_size=3))

    lines = shown(columns, rows, width)

    text = "\n".join(lines)
    left_out = " ".join(text.split()).partition("Too narrow for: ")[2].split(", ")
    assert "…" not in text
    assert all(len(line) <= width for line in lines)
    assert columns[0].name not in left_out
    for column, *told in zip(columns, *rows, strict=True):
        if column.name in left_out:
            continue
        assert column.name in lines[0]
        for cell in told:
            pieces = cell.split() if column.kind is Kind.WORDS else [cell]
            assert all(piece in text for piece in pieces)


def test_a_wide_terminal_shows_every_column_and_a_narrow_one_says_which_it_lacks() -> None:
    columns = (Column("run", 0, Kind.TEXT), Column("candles", 2), Column("seconds", 1))
    rows = [["c7e78c12", "1,234,567", "12.5"]]

    assert shown(columns, rows, 40)[0].split() == ["run", "candles", "seconds"]
    assert shown(columns, rows, 20) == [
        "run      seconds",
        "────────────────",
        "c7e78c12    12.5",
        "Too narrow for:",
        "candles",
    ]


def test_a_name_that_is_wider_than_the_terminal_is_broken_and_not_cut() -> None:
    lines = shown((Column("symbol", 0, Kind.TEXT), Column("candles", 1)), [["x" * 50, "1"]], 40)

    assert "".join(lines).count("x") == 50
