import io
import logging
import threading

import pyte
import pytest
from rich.console import Console
from rich.text import Text

from candle_ingestor.operations.log_lines import LineFormatter
from candle_ingestor.operations.screen import LogStream, Screen

THREADS = 4
LINES = 60


def screen_of(columns: int, *, is_terminal: bool = True) -> Screen:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=columns, height=24)
    return Screen(console)


def written(screen: Screen) -> str:
    assert isinstance(screen.console.file, io.StringIO)
    return screen.console.file.getvalue()


def shown(screen: Screen) -> str:
    """All that was ever on the screen, without line ends."""
    emulator = pyte.HistoryScreen(screen.console.width, 24, history=10_000)
    pyte.Stream(emulator).feed(written(screen).replace("\n", "\r\n"))
    kept = [
        "".join(row[column].data for column in range(emulator.columns))
        for row in emulator.history.top
    ]
    return "".join([*kept, *emulator.display])


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_lines_of_many_threads_are_whole_and_told_once_beside_what_is_redrawn(columns: int) -> None:
    screen = screen_of(columns)
    heights = iter(range(10**6))
    screen.show(lambda: Text("\n".join(["~~~~"] * (1 + next(heights) % 5))))

    def tell(name: int) -> None:
        for number in range(LINES):
            screen.print_line(Text(f"<{name}.{number}>" + "x" * (number * 3)))
            screen.redraw()

    threads = [threading.Thread(target=tell, args=(name,)) for name in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "~~~~" in shown(screen)
    screen.hide()

    text = shown(screen)
    assert "~" not in text
    found = {part.replace(" ", "") for part in text.split("<") if part.strip()}
    assert found == {
        f"{name}.{number}>" + "x" * (number * 3)
        for name in range(THREADS)
        for number in range(LINES)
    }
    assert text.count("<") == THREADS * LINES


def test_another_drawing_takes_the_place_of_the_one_before() -> None:
    screen = screen_of(80)
    screen.show(lambda: Text("first"))
    screen.show(lambda: Text("second"))

    assert shown(screen).split() == ["second"]


def test_redrawing_and_hiding_nothing_does_nothing() -> None:
    screen = screen_of(80)
    screen.redraw()
    screen.hide()

    assert written(screen) == ""


def test_what_cannot_move_its_cursor_is_no_place_for_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert screen_of(80).can_redraw
    assert not screen_of(80, is_terminal=False).can_redraw
    monkeypatch.setenv("TERM", "dumb")
    assert not screen_of(80).can_redraw


def test_a_log_line_has_its_level_coloured_and_nothing_else_interpreted() -> None:
    screen = screen_of(80)
    handler = logging.StreamHandler(LogStream(screen))
    handler.setFormatter(LineFormatter(with_time=False))
    record = logging.makeLogRecord(
        {"levelname": "WARNING", "msg": "[red]%s[/red]: 5 of 10", "args": ("\x1b[2J",)}
    )
    handler.handle(record)

    assert written(screen) == "\x1b[33mWARNING:\x1b[0m [red]\\x1b[2J[/red]: 5 of 10\n"
