"""Lines on standard output, in terminals of any width and in a pipe."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from candle_ingestor.commands.saying import say

LINE = "  BTC/USD 1m is 99.5 % complete, [4] fetch_failed, 1 rejected; kraken lacks 5 not_fetched"


def said(
    line: str | Text, width: int, hang: int | None = None, *, is_terminal: bool = True
) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=is_terminal, no_color=True)
    say(console, line, hang=hang)
    return [each.rstrip() for each in text.getvalue().splitlines()]


def test_what_goes_on_below_keeps_the_indent_of_its_line_or_hangs_deeper() -> None:
    assert said(LINE, 60) == [
        "  BTC/USD 1m is 99.5 % complete, [4] fetch_failed, 1",
        "  rejected; kraken lacks 5 not_fetched",
    ]
    assert said(LINE, 50, 4) == [
        "  BTC/USD 1m is 99.5 % complete, [4] fetch_failed,",
        "    1 rejected; kraken lacks 5 not_fetched",
    ]
    assert said(LINE[2:], 50) == [
        "BTC/USD 1m is 99.5 % complete, [4] fetch_failed, 1",
        "rejected; kraken lacks 5 not_fetched",
    ]


def test_a_pipe_gets_one_line() -> None:
    assert said(LINE, 30, 4, is_terminal=False) == [LINE]


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@given(st.lists(WORDS, max_size=20), st.integers(0, 6), st.integers(0, 8), st.integers(1, 100))
def test_every_character_is_shown_in_its_order_and_no_line_is_too_long(
    words: list[str], indent: int, hang: int, width: int
) -> None:
    lines = said(" " * indent + " ".join(words), width, hang)

    assert "".join("".join(lines).split()) == "".join(words)
    assert all(len(line) <= width for line in lines)
