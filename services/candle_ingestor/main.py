"""Wires flags to a command."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import logging as absl_logging

from candle_ingestor.commands.arguments import Arguments, answer, parse
from candle_ingestor.commands.table import COMMANDS, DRY_RUNS, LOOKING, Command
from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.flags import FLAGS
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.times import parse_time_ms
from candle_ingestor.operations.clock import SystemClock
from candle_ingestor.operations.log_lines import LineFormatter, start_logging
from candle_ingestor.operations.secrets import Redactor, redact_handlers

if TYPE_CHECKING:
    from rich.console import Console

    from candle_ingestor.config import Config

log = logging.getLogger(__name__)

_WIDTH_OF_PIPES = 1_000


def main(
    argv: Sequence[str],
    environment: Mapping[str, str],
    when_loaded: Callable[[], object] = lambda: None,
) -> int:
    """Runs the command that the arguments name.

    `when_loaded` is called once the command's modules are loaded, before it runs.

    Returns:
        The exit code of rule F3.

    Raises:
        KeyboardInterrupt: where Ctrl-C ended it; a note says so if it could not change anything.
    """
    try:
        answered = answer(argv)
        if answered is not None:
            print(answered)
            return 0
        arguments = parse(argv, environment)
    except CandleIngestorError as error:
        print(f"candle-ingestor: {error}", file=sys.stderr)
        return error.exit_code
    _start_logging()
    try:
        return _run(arguments, environment, when_loaded)
    except CandleIngestorError as error:
        log.error("%s", "; ".join((str(error), *getattr(error, "__notes__", ()))))
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        if arguments.command in LOOKING or _is_dry(arguments.command):
            interrupt.add_note("nothing was changed")
        raise


_KEEP_FREED_MEMORY = "dirty_decay_ms:10000,muzzy_decay_ms:10000"


def _run(
    arguments: Arguments, environment: Mapping[str, str], when_loaded: Callable[[], object]
) -> int:
    if arguments.command == "demo":
        _warn(arguments.warnings)
        function = COMMANDS["demo"].load()
        when_loaded()
        return function(FLAGS, _console())
    # Here and below imports stand where they are needed, so that --help waits for none of them.
    from candle_ingestor.config import config_from_flags
    from candle_ingestor.config.span_flags import typed_span

    clock = SystemClock(_start_ms())
    config = config_from_flags(FLAGS, environment, arguments.origins, arguments.paths)
    if arguments.command in ("export", "verify", "quality"):
        typed_span(config, clock.now_ms())
    else:
        config.candles.resolved(clock.now_ms())
    _hide_secrets(config)
    _warn(arguments.warnings + config.warnings)
    if arguments.command in ("ingest", "import"):
        # Their tables are short: a second thread costs more than it gives. Over many blocks of a
        # large file each thread would also keep memory of its own.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        # A page after page needs the same memory again. Given back to the system between two, as
        # Polars has it, it costs a twentieth of the run to get it.
        os.environ.setdefault("_RJEM_MALLOC_CONF", _KEEP_FREED_MEMORY)
    function = _command(arguments.command).load()
    when_loaded()
    return function(config, clock, _console())


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        log.warning("%s", warning)


def _command(name: str) -> Command:
    return DRY_RUNS[name] if _is_dry(name) else COMMANDS[name]


def _is_dry(name: str) -> bool:
    return FLAGS.run_mode == "dry" and name in DRY_RUNS


def _console() -> Console:
    """Standard output, for what a command is asked for; its log and its bars are not on it."""
    from rich.console import Console

    # Nobody wraps what a pipe reads.
    width = None if sys.stdout.isatty() else _WIDTH_OF_PIPES
    return Console(highlight=False, width=width)


def _start_ms() -> int | None:
    if FLAGS.now is None:
        return None
    try:
        return parse_time_ms(FLAGS.now)
    except ValueError as error:
        raise ConfigurationError(
            f"--now: {quoted(FLAGS.now)} is no time such as 2023-03-15T00:00:00Z"
        ) from error


def _start_logging() -> None:
    if not FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.INFO)
    is_terminal = sys.stderr.isatty()
    handler = _screen_handler() if is_terminal else logging.StreamHandler()
    is_verbose = FLAGS.verbosity > 0
    handler.setFormatter(LineFormatter(with_time=not is_terminal, with_place=is_verbose))
    start_logging(handler, _level(FLAGS.verbosity))
    for name, level in FLAGS.logger_levels.items():
        logging.getLogger(name).setLevel(level)


def _screen_handler() -> logging.Handler:
    from candle_ingestor.operations.screen import LogStream, standard_error

    return logging.StreamHandler(LogStream(standard_error()))


def _level(verbosity: int) -> int:
    """What absl's verbosity is called by Python: 1 is DEBUG, 0 INFO, -1 WARNING, and so on."""
    return max(logging.DEBUG, logging.INFO - 10 * verbosity)


def _hide_secrets(config: Config) -> None:
    redact_handlers(logging.getLogger().handlers, Redactor(config.secrets))
