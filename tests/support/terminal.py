"""A real pseudo-terminal, and what a person would see on it."""

import fcntl
import os
import re
import struct
import termios
import threading
import time
from collections.abc import Callable

import pyte

PATIENCE_SECONDS = 60
PIECE_OF_BAR = re.compile("[━─]")
_BAR = re.compile(r"[a-z]+ +[━─]{5,}  +\S")
_BEGINNING = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL): ")
_ROWS = 24
_MOST_ROWS_KEPT = 20_000


class Terminal:
    """The two ends of a pseudo-terminal. A job gets `job_end`; a thread reads what it writes."""

    def __init__(self, columns: int, rows: int = _ROWS) -> None:
        self._end, self.job_end = os.openpty()
        self._screen = pyte.HistoryScreen(columns, rows, history=_MOST_ROWS_KEPT)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._is_over = False
        self._set_size(columns, rows)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close_job_end(self) -> None:
        """To be called once a job has it: with the job's end the terminal's end is reached."""
        if self.job_end >= 0:
            os.close(self.job_end)
            self.job_end = -1

    def close(self) -> None:
        """The job must have ended."""
        self.close_job_end()
        self.wait_until_over()
        os.close(self._end)

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def resize(self, columns: int, rows: int = _ROWS) -> None:
        """As a window that is pulled: the job is told by a signal."""
        with self._changed:
            self._screen.resize(rows, columns)
            self._set_size(columns, rows)

    def wait_until(self, is_seen: Callable[["Terminal"], object]) -> None:
        """Waits until the screen shows it."""
        until = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not is_seen(self):
                assert not self._is_over, f"the job ended before it was seen:\n{self.text()}"
                left = until - time.monotonic()
                assert left > 0, f"not seen in time:\n{self.text()}"
                self._changed.wait(left)

    def wait_until_over(self) -> None:
        """Waits until all that was written is on the screen, and nobody can write any more."""
        self._reader.join(PATIENCE_SECONDS)
        assert not self._reader.is_alive()

    def rows(self) -> list[str]:
        """All rows, those that were scrolled away first; without the spaces at their ends."""
        with self._changed:
            kept = [
                "".join(row[column].data for column in range(max(row, default=-1) + 1))
                for row in self._screen.history.top
            ]
            return [row.rstrip() for row in (*kept, *self._screen.display)]

    def bars(self) -> list[str]:
        """The rows that show bars."""
        return [row for row in self.rows() if _BAR.match(row)]

    def text(self) -> str:
        return "\n".join(self.rows())

    def log_lines(self) -> list[str]:
        """The log lines without spaces, of which a row's end says nothing; wrapped ones joined."""
        lines: list[str] = []
        for row in self.rows():
            if _BEGINNING.match(row):
                lines.append("")
            if lines:
                lines[-1] += unspaced(row)
            else:
                assert not row, f"no log line: {row}"
        return lines

    @property
    def has_cursor(self) -> bool:
        return not self._screen.cursor.hidden

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                written = os.read(self._end, 65_536)
            except OSError:  # The other end is closed.
                written = b""
            with self._changed:
                self._is_over = not written
                self._stream.feed(written)
                self._changed.notify_all()
            if not written:
                return


def unspaced(text: str) -> str:
    return "".join(text.split())
