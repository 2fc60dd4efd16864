"""Wires flags to a command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence

from absl import flags as absl_flags
from absl import logging as absl_logging
from rich.console import Console

from candle_ingestor.commands.demo import demo
from candle_ingestor.commands.dry_run import dry_run
from candle_ingestor.commands.export import export
from candle_ingestor.commands.help import help_text
from candle_ingestor.commands.ingest import ingest
from candle_ingestor.commands.merge import merge
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.errors import CandleIngestorError, ConfigurationError
from candle_ingestor.flags import COMMANDS, FLAGS
from candle_ingestor.model.times import parse_time_ms
from candle_ingestor.operations.clock import SystemClock
from candle_ingestor.operations.secrets import Redactor, redact_handlers

log = logging.getLogger(__name__)

HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")


def main(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command that the arguments name.

    Returns:
        The exit code of rule F3.
    """
    if any(argument in HELP_FLAGS for argument in argv[1:]):
        print(help_text())
        return 0
    try:
        command = _parse(argv)
        _start_logging()
        return _run(command, environment)
    except CandleIngestorError as error:
        _complain(str(error))
        return error.exit_code


def _parse(argv: Sequence[str]) -> str:
    try:
        rest = FLAGS(list(argv))[1:]
    except absl_flags.Error as error:
        raise ConfigurationError(f"{error}; --help lists the flags") from error
    command = rest[0] if rest else "ingest"
    if command not in COMMANDS:
        raise ConfigurationError(f"'{command[:60]}' is no command; there are {', '.join(COMMANDS)}")
    if len(rest) > 1:
        raise ConfigurationError(
            f"'{rest[1][:60]}' is not understood; flags are written --name=value"
        )
    return command


def _run(command: str, environment: Mapping[str, str]) -> int:
    console = Console(highlight=False)
    if command == "demo":
        return demo(FLAGS, console)
    clock = SystemClock(_start_ms())
    config = config_from_flags(FLAGS, environment, clock.now_ms())
    _hide_secrets(config)
    for warning in config.warnings:
        log.warning("%s", warning)
    if command == "merge":
        return merge(config, clock, console)
    if command == "export":
        return export(config, clock, console)
    if config.run_mode == "dry":
        return dry_run(config, clock, console)
    return ingest(config, clock, console, FLAGS.progress)


def _start_ms() -> int | None:
    if FLAGS.now is None:
        return None
    try:
        return parse_time_ms(FLAGS.now)
    except ValueError as error:
        raise ConfigurationError(
            f"--now: '{FLAGS.now[:40]}' is no time such as 2023-03-15T00:00:00Z"
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
