"""Log lines: `INFO: text`, with a UTC time before it where no terminal shows them."""

from __future__ import annotations

import logging
import re

from candle_ingestor.model.times import iso_text

_NOISY_LIBRARIES = ("asyncio", "ccxt", "urllib3")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """Makes `INFO: text` of a record, on one line but for a traceback.

    What cannot be printed is written out, so that no foreign text makes a line of its own or moves
    the cursor. `with_time` puts `2026-11-21T19:17:44Z` before it; `with_place` puts file, line and
    thread after it, where nobody's search for the text stumbles over them.
    """

    def __init__(self, *, with_time: bool, with_place: bool = False) -> None:
        super().__init__()
        self._with_time = with_time
        self._with_place = with_place

    def format(self, record: logging.LogRecord) -> str:
        time = f"{iso_text(int(record.created * 1000))} " if self._with_time else ""
        text = _CONTROL_CHARACTERS.sub(_written_out, record.getMessage())
        place = ""
        if self._with_place:
            place = f" ({record.filename}:{record.lineno}, {record.threadName})"
        line = f"{time}{record.levelname}: {text}{place}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def start_logging(handler: logging.Handler, level: int) -> None:
    """Sends what is logged from that level on to the handler alone."""
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
