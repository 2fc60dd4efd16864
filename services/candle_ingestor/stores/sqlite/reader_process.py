"""Reads candles in a process of its own, since turning SQLite's rows into columns takes long."""

from __future__ import annotations

import io
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.stores.base import StoreError

Question = tuple[Series, Interval]

_SECONDS_TO_END = 5.0


class CandleReader(Protocol):
    """What the process reads with, and closes."""

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame: ...

    def close(self) -> None: ...


class ReaderProcess:
    """Reads what it is asked for, in that order, and keeps each answer until it is taken.

    It begins with the first question and ends with this process, however that ends. Where it cannot
    begin, or ends before, nothing is answered. All calls belong on one thread.
    """

    def __init__(self, open_reader: Callable[[], CandleReader]) -> None:
        """`open_reader` is called in that process, and is to be importable there."""
        self._open_reader = open_reader
        self._connection: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._asked: deque[Question | None] = deque()

    def ask(self, questions: Sequence[Question]) -> None:
        """Asks for candles as they are stored now."""
        try:
            if self._connection is None:
                self._connection = self._started()
            for question in questions:
                self._connection.send(question)
                self._asked.append(question)
        except OSError:
            self._asked.clear()

    def take(self, series: Series, interval: Interval) -> pl.DataFrame | None:
        """The answer to a question, and forgets what was asked before it.

        None where it was not asked, is to be forgotten or could not be answered.
        """
        question = (series, interval)
        while question in self._asked:
            asked = self._asked.popleft()
            answer = self._answer()
            if asked == question:
                return pl.read_ipc_stream(answer) if answer else None
        return None

    def forget(self, changed: Collection[Series]) -> None:
        """Hears which series change, so that what was read of them is no answer any more."""
        self._asked = deque(
            None if question is None or question[0] in changed else question
            for question in self._asked
        )

    def close(self) -> None:
        """Ends the process. Closing twice is harmless."""
        self._asked.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.join(_SECONDS_TO_END)
            self._process.kill()
            self._process = None

    def _started(self) -> Connection:
        # A fork would take over threads and locks of this process half-way.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._open_reader, theirs), daemon=True)
        try:
            with closing(theirs), _deaf_to_interrupts():
                process.start()
        except BaseException:
            ours.close()
            raise
        self._process = process
        return ours

    def _answer(self) -> bytes:
        try:
            return b"" if self._connection is None else self._connection.recv_bytes()
        except (EOFError, OSError):
            self._asked.clear()
            return b""


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Within it, this thread and the processes that it starts hear of no Ctrl-C.

    It reaches all processes of a terminal, and one that is still loading its modules would tell of
    it at length. The one that started it ends it.
    """
    # The first process brings one along that tracks resources, and who starts that hears again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(open_reader: Callable[[], CandleReader], connection: Connection) -> None:
    answers: SimpleQueue[bytes | None] = SimpleQueue()
    sender = Thread(target=_send, args=(answers, connection), daemon=True)
    sender.start()
    with closing(open_reader()) as reader:
        try:
            while True:
                answers.put(_read(reader, *connection.recv()))
        except (EOFError, OSError):
            answers.put(None)
    sender.join()


def _read(reader: CandleReader, series: Series, interval: Interval) -> bytes:
    try:
        candles = reader.read_candles(series, interval)
    except StoreError:
        # Whoever asked reads it again, and hears of the failure there.
        return b""
    buffer = io.BytesIO()
    candles.write_ipc_stream(buffer)
    return buffer.getvalue()


def _send(answers: SimpleQueue[bytes | None], connection: Connection) -> None:
    try:
        while (answer := answers.get()) is not None:
            connection.send_bytes(answer)
    except OSError:
        return
