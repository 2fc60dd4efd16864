"""Wires flags to a command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import logging as absl_logging

from candle_ingestor.commands.arguments import Arguments, answer, parse
from candle_ingestor.commands.table import COMMANDS, DRY_RUN, Command
from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.flags import FLAGS
from candle_ingestor.model.texts import quoted
from candle_ingestor.model.times import parse_time_ms
from candle_ingestor.operations.clock import SystemClock
from candle_ingestor.operations.secrets import Redactor, redact_handlers

if TYPE_CHECKING:
    from rich.console import Console

    from candle_ingestor.config import Config

log = logging.getLogger(__name__)


def main(
    argv: Sequence[str],
    environment: Mapping[str, str],
    when_loaded: Callable[[], object] = lambda: None,
) -> int:
    """Runs the command that the arguments name.

    `when_loaded` is called once the command's modules are loaded, before it runs.

    Returns:
        The exit code of rule F3.
    """
    try:
        answered = answer(argv)
        if answered is not None:
            print(answered)
            return 0
        arguments = parse(argv, environment)
        _start_logging()
        return _run(arguments, environment, when_loaded)
    except CandleIngestorError as error:
        _complain(str(error))
        return error.exit_code


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

    clock = SystemClock(_start_ms())
    config = config_from_flags(FLAGS, environment, arguments.origins)
    config.candles.resolved(clock.now_ms())
    _hide_secrets(config)
    _warn(arguments.warnings + config.warnings)
    function = _command(arguments.command).load()
    when_loaded()
    return function(config, clock, _console())


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        log.warning("%s", warning)


def _command(name: str) -> Command:
    return DRY_RUN if name == "ingest" and FLAGS.run_mode == "dry" else COMMANDS[name]


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


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
    absl_logging.use_absl_handler()
    if not FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.INFO)
    for noisy in ("asyncio", "ccxt", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _hide_secrets(config: Config) -> None:
    redact_handlers([absl_logging.get_absl_handler().python_handler], Redactor(config.secrets))


def _complain(message: str) -> None:
    print(f"candle-ingestor: {message}", file=sys.stderr)
