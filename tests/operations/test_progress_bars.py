import io
import string
from contextlib import suppress

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from candle_ingestor.operations.progress import PartSeen, Seen
from candle_ingestor.operations.progress_bars import MOST_COLUMNS, ProgressBars, drawing_of
from candle_ingestor.operations.screen import Screen


def console_of(columns: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=columns, height=24)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def shown(console: Console) -> pyte.Screen:
    screen = pyte.Screen(console.width, console.height)
    pyte.Stream(screen).feed(written(console).replace("\n", "\r\n"))
    return screen


def rows(console: Console) -> list[str]:
    return [row.rstrip() for row in shown(console).display if row.strip()]


def test_there_is_a_bar_a_part_and_below_them_one_time_left() -> None:
    console = console_of(80)
    screen = Screen(console)
    now = [0.0]
    with ProgressBars(screen, seconds=lambda: now[0]) as bars:
        bars.begin("Fetching candles", {"coinbaseexchange": 1_286_626, "bitstamp": 1_286_626})
        now[0] = 10.0
        bars.advance("coinbaseexchange", 62_930)
        bars.advance("bitstamp", 1_286_626)
        screen.redraw()
        seen = rows(console)

    assert seen[0].startswith("coinbaseexchange  ━")
    assert seen[0].endswith("   62,930 of 1,286,626    6,293/s")
    assert seen[1].startswith("bitstamp          ━")
    assert seen[1].endswith("1,286,626 of 1,286,626       done")
    assert seen[2:] == ["Fetching candles: about 3 min 14 s left, for coinbaseexchange"]
    assert rows(console) == []


def test_the_terminal_is_given_back_when_the_run_breaks() -> None:
    console = console_of(80)
    with suppress(KeyError), ProgressBars(Screen(console)) as bars:
        bars.begin("Fetching candles", {"kraken": 1})
        raise KeyError("broken")

    assert rows(console) == []
    assert not shown(console).cursor.hidden


names = st.text(string.ascii_lowercase, min_size=1, max_size=40)
amounts = st.integers(0, 10**10)
parts = st.builds(
    PartSeen, names, amounts, amounts, st.none() | st.floats(0.001, 1e6), st.just("") | names
)


@given(st.lists(parts, max_size=5), names, st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal_or_than_one_of_80_columns_has_room_for(
    parts: list[PartSeen], phase: str, columns: int
) -> None:
    console = console_of(columns)
    seen = Seen(phase, 5.0, tuple(parts))
    # As the screen does below a log line, which is not cropped.
    console.print(drawing_of(seen, min(MOST_COLUMNS, columns)), soft_wrap=True)

    lines = console.render_lines(drawing_of(seen, min(MOST_COLUMNS, columns)), pad=False)
    assert len(lines) == len(parts) + 1
    plain = ["".join(segment.text for segment in line) for line in lines]
    assert max(len(line) for line in plain) <= min(MOST_COLUMNS, columns)
    assert len(written(console).splitlines()) == len(parts) + 1
