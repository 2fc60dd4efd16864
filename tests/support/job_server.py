"""Starts jobs as processes of their own without waiting for their libraries to load.

A server loads the libraries and the modules of every command once, and forks a process for each
job. That process is like one that `python -m candle_ingestor` started: with its own arguments,
environment, folder, signals and end. What a start loads, and when, is for tests that start Python.
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from terminal import Terminal

SERVICES = Path(__file__).resolve().parents[2] / "services"

# What a command loads only when it turns out to need it; of ccxt's exchanges, those of most tests.
_LOADED_LATE = (
    "candle_ingestor.exchanges.ccxt",
    "ccxt.async_support.binanceus",
    "ccxt.async_support.bitstamp",
    "ccxt.async_support.coinbaseexchange",
    "ccxt.async_support.kraken",
    "candle_ingestor.exchanges.redis_markets_cache",
    "candle_ingestor.operations.progress_bars",
    "candle_ingestor.operations.redis_run_lock",
    "candle_ingestor.operations.screen",
    "candle_ingestor.stores.influxdb.store",
    "candle_ingestor.stores.sqlite.store",
    "candle_ingestor.symbols.redis_source",
)
# A fork takes no thread along, so no library may have started one. Polars starts its own when it
# first computes, which is in the job, but reads here how many: as many as the job asks for itself.
_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:10000,muzzy_decay_ms:10000,background_thread:false",
}
# Polars removes with it what earlier processes spilled to the disk. A job spills nothing.
_NEEDLESS_THREAD = "polars-ooc-clea"
_THREADS = Path("/proc/self/task")

_MOST_BYTES = 100_000
_NUMBER_BYTES = 16


class JobProcess:
    """A job that was started. Its output and errors are text, `returncode` as in `Popen`."""

    def __init__(self, pid: int, end: socket.socket, output: IO[str], errors: IO[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stderr = errors
        self._output = output
        self._end = end

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return self._take_end(socket.MSG_DONTWAIT)

    def wait(self) -> int:
        code = self._take_end(0)
        assert code is not None
        return code

    def communicate(self) -> tuple[str, str]:
        """Waits for the end. Returns what it printed, and what is unread of its errors."""
        errors = "" if self.stderr.closed else self.stderr.read()
        self.stderr.close()
        self.wait()
        output = ""
        if not self._output.closed:
            self._output.seek(0)
            output = self._output.read()
        self._output.close()
        self._end.close()
        return output, errors

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _take_end(self, flags: int) -> int | None:
        if self.returncode is None:
            try:
                told = self._end.recv(_NUMBER_BYTES, flags)
            except BlockingIOError:
                return None
            assert told, "the process that watched the job is gone"
            self.returncode = os.waitstatus_to_exitcode(int(told))
        return self.returncode


class JobServer:
    """Forks jobs; ends with `close`."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SERVICES), **_SETTINGS},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        terminal: "Terminal | None" = None,
        is_output_shown: bool = False,
        dies_at_write: int | None = None,
    ) -> JobProcess:
        """Starts what `python -m candle_ingestor` does with these arguments.

        On a terminal, its errors go there, its keys come from there, and with `is_output_shown`
        what it prints goes there too. With `dies_at_write` it is killed before the end of its
        transaction of that number, counted from 1, on the SQLite store.
        """
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115  # Closed with the job's end.
        end, their_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        errors, their_errors = os.pipe()
        request = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "dies_at_write": dies_at_write,
        }
        with their_end:
            shown = output.fileno(), their_errors
            if terminal is not None:
                shown = (terminal.job_end if is_output_shown else shown[0], terminal.job_end)
            handles = [*shown, their_end.fileno()]
            socket.send_fds(self._requests, [json.dumps(request).encode()], handles)
        os.close(their_errors)
        if terminal is not None:
            terminal.close_job_end()
        pid = int(end.recv(_NUMBER_BYTES))
        return JobProcess(pid, end, output, os.fdopen(errors))

    def run(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """The end of such a job."""
        process = self.start(arguments, folder=folder, environment=environment)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.wait(), output, errors)

    def close(self) -> None:
        self._requests.close()
        self._process.wait(timeout=20)


@dataclass(frozen=True)
class _Request:
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    dies_at_write: int | None
    handles: list[int]


def _serve(requests: socket.socket) -> _Request | None:
    """Returns the request in the process forked for it; None when there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The watching processes need no waiting for.
    while True:
        message, handles, *_ = socket.recv_fds(requests, _MOST_BYTES, 3)
        if not message:
            return None
        request = _Request(**json.loads(message), handles=handles)
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _watch(request)
            return request
        for handle in handles:
            os.close(handle)


def _watch(request: _Request) -> None:
    """Tells the job's process id and how it ended; returns in the job's process only."""
    output, errors, end = request.handles
    pid = os.fork()
    if pid == 0:
        os.close(end)
        return
    os.close(output)
    os.close(errors)
    with socket.socket(fileno=end) as told:
        told.send(_number(pid))
        _, status = os.waitpid(pid, 0)
        told.send(_number(status))
    os._exit(0)


def _number(number: int) -> bytes:
    return str(number).rjust(_NUMBER_BYTES).encode()


def _become(request: _Request) -> None:
    """Makes this process one that was started for the job."""
    output, errors, _ = request.handles
    if os.isatty(errors):
        os.setsid()
        fcntl.ioctl(errors, termios.TIOCSCTTY, 0)
        os.dup2(errors, sys.stdin.fileno())
    os.dup2(output, sys.stdout.fileno())
    os.dup2(errors, sys.stderr.fileno())
    os.close(output)
    os.close(errors)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = ["candle-ingestor", *request.arguments]
    # As polars has it from its first import or query on: what waits for input goes on waiting.
    signal.siginterrupt(signal.SIGINT, False)


def _die_at_write(number: int) -> None:
    file = importlib.import_module("candle_ingestor.stores.sqlite.file").SqliteFile
    transaction = file.transaction
    left = number

    @contextmanager
    def dying(self: Any) -> Iterator[Any]:
        nonlocal left
        with transaction(self) as connection:
            yield connection
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    file.transaction = dying


def _load() -> None:
    gc.disable()
    for name in _LOADED_LATE:
        importlib.import_module(name)
    main = importlib.import_module("candle_ingestor.main")
    for command in (*main.COMMANDS.values(), *main.DRY_RUNS.values()):
        command.load()
    threads = {path.parent.name: path.read_text().strip() for path in _THREADS.glob("*/comm")}
    threads.pop(str(os.getpid()), None)
    assert set(threads.values()) <= {_NEEDLESS_THREAD}, f"a library started a thread: {threads}"
    gc.freeze()
    gc.enable()


def _end(code: int) -> NoReturn:
    """Ends the process as Python ends those that its multiprocessing forks.

    To take apart all that was loaded would cost more than most jobs. What the job itself left
    behind is still looked for, and complains where it was not closed.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(requests_handle: int) -> None:
    _load()
    with socket.socket(fileno=requests_handle) as requests:
        request = _serve(requests)
    if request is None:
        return
    _become(request)
    if request.dies_at_write is not None:
        _die_at_write(request.dies_at_write)
    try:
        importlib.import_module("candle_ingestor.__main__").entry_point()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        _end(ended.code)


if __name__ == "__main__":
    _run(int(sys.argv[1]))
