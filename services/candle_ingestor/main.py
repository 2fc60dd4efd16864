"""Wires flags to a command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import flags as absl_flags
from absl import logging as absl_logging

from candle_ingestor.commands.help import help_text
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

HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")


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
    if any(argument in HELP_FLAGS for argument in argv[1:]):
        print(help_text())
        return 0
    try:
        name = _parse(argv)
        _start_logging()
        return _run(name, environment, when_loaded)
    except CandleIngestorError as error:
        _complain(str(error))
        return error.exit_code


def _parse(argv: Sequence[str]) -> str:
    try:
        rest = FLAGS(list(argv))[1:]
    except absl_flags.Error as error:
        raise ConfigurationError(f"{error}; --help lists the flags") from error
    name = rest[0] if rest else "ingest"
    if name not in COMMANDS:
        raise ConfigurationError(f"{quoted(name)} is no command; there are {', '.join(COMMANDS)}")
    if len(rest) > 1:
        raise ConfigurationError(
            f"{quoted(rest[1])} is not understood; flags are written --name=value"
        )
    if name != "ingest" and FLAGS.run_mode == "dry":
        raise ConfigurationError(
            f"--run_mode=dry goes with the command ingest; {name} has no dry run"
        )
    return name


def _run(name: str, environment: Mapping[str, str], when_loaded: Callable[[], object]) -> int:
    if name == "demo":
        function = COMMANDS[name].load()
        when_loaded()
        return function(FLAGS, _console())
    # Here and below imports stand where they are needed, so that --help waits for none of them.
    from candle_ingestor.config import config_from_flags

    clock = SystemClock(_start_ms())
    config = config_from_flags(FLAGS, environment)
    config.candles.resolved(clock.now_ms())
    _hide_secrets(config)
    for warning in config.warnings:
        log.warning("%s", warning)
    function = _command(name).load()
    when_loaded()
    return function(config, clock, _console())


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
