import io
import logging
from collections.abc import Iterator

import pytest

from candle_ingestor.operations.log_lines import LineFormatter, start_logging

NINETEEN_SECONDS = 1795288664.9


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def record_of(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    values = {
        "levelname": "INFO",
        "msg": message,
        "args": arguments,
        "created": NINETEEN_SECONDS,
        "filename": "choosing.py",
        "lineno": 66,
        "threadName": "store_0",
    }
    return logging.makeLogRecord(values | more)


def test_on_a_terminal_a_line_is_a_level_and_a_text() -> None:
    line = LineFormatter(with_time=False).format(record_of("Symbol validation: %d/%d", 45, 50))

    assert line == "INFO: Symbol validation: 45/50"


def test_elsewhere_a_utc_time_comes_before_it() -> None:
    line = LineFormatter(with_time=True).format(record_of("Symbol validation: 45/50"))

    assert line == "2026-11-21T19:17:44Z INFO: Symbol validation: 45/50"


def test_where_it_was_written_comes_after_it_if_asked_for() -> None:
    line = LineFormatter(with_time=False, with_place=True).format(record_of("a page"))

    assert line == "INFO: a page (choosing.py:66, store_0)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines\r\n", r"two\nlines\r\n"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x9b2J\u2028", r"\x9b2J\u2028"),
        ("a\ttab, … and ü", "a\ttab, … and ü"),
    ],
)
def test_no_foreign_text_makes_a_line_of_its_own_or_moves_the_cursor(text: str, line: str) -> None:
    assert LineFormatter(with_time=False).format(record_of("%s", text)) == f"INFO: {line}"


def test_a_traceback_follows_its_line() -> None:
    try:
        raise KeyError("broken")
    except KeyError as error:
        record = record_of("a bug", exc_info=(KeyError, error, error.__traceback__))
    first, second, *_, last = LineFormatter(with_time=False).format(record).splitlines()

    assert (first, last) == ("INFO: a bug", "KeyError: 'broken'")
    assert second.startswith("Traceback")


def test_logging_goes_to_the_one_handler_from_the_level_on(root: logging.Logger) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(with_time=False))
    start_logging(handler, logging.INFO)
    logging.getLogger("candle_ingestor.any").debug("not this")
    logging.getLogger("candle_ingestor.any").info("this")
    logging.getLogger("ccxt").info("nor this")
    logging.getLogger("ccxt").warning("but this")

    assert stream.getvalue() == "INFO: this\nWARNING: but this\n"
    assert root.handlers == [handler]
