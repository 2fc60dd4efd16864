"""Standard output and errors that outlive their reader."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO


class OutputError(OSError):
    """What a command prints cannot be written, as on a full disk."""


class LastingFile(io.FileIO):
    """A file that swallows what nobody reads any more.

    A command does its work and ends with its own exit code, whether or not `| head` has left.
    """

    _is_told_of = False

    def write(self, data: object, /) -> int:
        """Writes, or once the reader has left, does as if.

        Raises:
            OutputError: the first time that the operating system refuses; then it does as if.
        """
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            pass
        except OSError as error:
            if not self._is_told_of:
                self._is_told_of = True
                raise OutputError(error.errno, error.strerror) from error
        return memoryview(data).nbytes  # type: ignore[arg-type]


def outlive_readers() -> None:
    """Makes sys.stdout and sys.stderr such files, where they are plain ones or closed."""
    sys.stdout = _lasting(sys.stdout)
    sys.stderr = _lasting(sys.stderr)


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    file = LastingFile(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        # As in Python itself: without a buffer where every text is to be written at once.
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        # A terminal without UTF-8 shows what it lacks as an escape, and ends no command.
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
