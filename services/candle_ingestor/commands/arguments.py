"""The arguments of the command line, and what a file and the environment add to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from absl import flags as absl_flags
from absl import logging as _  # noqa: F401 - defines --verbosity

from candle_ingestor import __version__
from candle_ingestor.commands.help import command_help, help_text
from candle_ingestor.commands.table import COMMANDS, DRY_RUNS, HELP, LOOKING, users_of
from candle_ingestor.config.file import CONFIG_FLAG, FileValue, read_config_file
from candle_ingestor.config.given import path_of
from candle_ingestor.config.origins import Origin, contradictions, origins_of
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.flags import FLAGS, GROUPS, MinutesParser
from candle_ingestor.model.export_forms import Tool
from candle_ingestor.model.texts import did_you_mean, quoted, shortened

HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")
VERSION_FLAG = "--version"

_SPOKEN_OF = ("run_mode", "tiingo_api_key")
"""Every command is a wet run, and dry is refused; a key of the older service has its own words."""

_WRITTEN_AT_THE_END = ("run_report_path", "download_list_path")

_LIBRARIES = ("ccxt", "polars")
_ILLEGAL = re.compile(r"flag --(?P<name>\w+)=(?P<value>.*?): ", re.DOTALL)


@dataclass(frozen=True)
class Arguments:
    """What a user asked for. The values themselves are in FLAGS.

    Attributes:
        command: its name.
        origins: where the value of each flag comes from.
        warnings: what was given to no effect.
        paths: what was named after the command.
    """

    command: str
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def answer(argv: Sequence[str]) -> str | None:
    """What is printed in place of running anything; None where something is to be run.

    Raises:
        ConfigurationError: if help is asked for what is no command.
    """
    words = [argument for argument in argv[1:] if not argument.startswith("-")]
    if VERSION_FLAG in argv[1:]:
        return version_text()
    if words[:1] == [HELP]:
        return command_help(_command(words[1])) if words[1:] and words[1] != HELP else help_text()
    if any(argument in HELP_FLAGS for argument in argv[1:]):
        # A word may be the value of a flag that was written with a space.
        named = [word for word in words[:1] if word in COMMANDS]
        return command_help(named[0]) if named else help_text()
    return None


def version_text() -> str:
    """The program's version, and what it runs on."""
    parts = [f"Python {python_version()}"]
    for library in _LIBRARIES:
        try:
            parts.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            parts.append(f"{library} is not installed")
    return f"candle-ingestor {__version__} ({', '.join(parts)})"


def parse(argv: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Reads the arguments, and the file of --config, into FLAGS.

    Raises:
        ConfigurationError: at the first thing that cannot be understood.
    """
    try:
        rest = FLAGS(_with_exchanges_of_looking(argv))[1:]
    except absl_flags.UnrecognizedFlagError as error:
        raise ConfigurationError(_unknown_flag(error.flagname)) from error
    except absl_flags.IllegalFlagValueError as error:
        raise ConfigurationError(_illegal(error)) from error
    except absl_flags.Error as error:
        raise ConfigurationError(f"{error}; --help lists the flags") from error
    command = _command(rest[0]) if rest else "ingest"
    paths = _paths(command, rest[1:])
    names = [name for group in GROUPS.values() for name in group]
    in_file = _file_values(names)
    flags = {name: FLAGS[name] for name in (*names, *in_file)}
    origins = origins_of(flags, environment, in_file)
    for first, second in contradictions(origins):
        raise ConfigurationError(f"--{first} and --{second} contradict each other; give one")
    for name, origin in origins.items():
        if origin is Origin.FILE:
            _take(name, in_file[name])
    if origins["days"] is not Origin.DEFAULT:
        origins["backfill_start_date"] = origins["days"]
    _require_fitting(command)
    warnings = (*_without_effect(command, origins), *_not_written(FLAGS.run_mode))
    return Arguments(command, origins, warnings, paths)


def _require_fitting(command: str) -> None:
    """Refuses values that flags have for other commands only."""
    if FLAGS.run_mode == "dry" and command not in DRY_RUNS:
        raise ConfigurationError(
            f"--run_mode=dry goes with {' and '.join(DRY_RUNS)}; {command} has no dry run"
        )
    if FLAGS.format == "html" and command in LOOKING and command != "report":
        raise ConfigurationError(f"--format=html goes with report; {command} has no page")
    if FLAGS.export_format in set(Tool) and command not in ("export", *LOOKING):
        raise ConfigurationError(
            f"--export_format={FLAGS.export_format} goes with export; {command} writes partitions"
        )


def _with_exchanges_of_looking(argv: Sequence[str]) -> list[str]:
    """The arguments with --by_exchange in place of --exchanges without a value."""
    if not any(word in LOOKING for word in argv[1:]):
        return list(argv)
    following = (*argv[1:], "-")
    return [
        "--by_exchange" if word == "--exchanges" and after.startswith("-") else word
        for word, after in zip(argv, following, strict=True)
    ]


def _command(word: str) -> str:
    if word in COMMANDS:
        return word
    hint = did_you_mean(word, COMMANDS, f"there are {', '.join(COMMANDS)}")
    raise ConfigurationError(f"{quoted(word)} is no command; {hint}")


def _paths(command: str, words: Sequence[str]) -> tuple[str, ...]:
    arguments = COMMANDS[command].arguments
    is_optional = arguments.startswith("[")
    takes_paths = bool(arguments) and not is_optional
    unexpected = words[1:] if is_optional else words
    if unexpected and not takes_paths:
        raise ConfigurationError(
            f"{quoted(unexpected[0])} is not understood; flags are written --name=value"
        )
    if takes_paths and not words:
        raise ConfigurationError(
            f"{command} takes files or folders, as in: {COMMANDS[command].example}"
        )
    return tuple(words)


def _unknown_flag(name: str) -> str:
    if f"--{name}" in (*HELP_FLAGS, VERSION_FLAG):
        return f"--{name} takes no value"
    known = [*FLAGS, *(flag.lstrip("-") for flag in (HELP_FLAGS[0], VERSION_FLAG))]
    hint = did_you_mean(name.replace("-", "_"), known, "--help lists the flags", prefix="--")
    return f"no flag is called --{shortened(name, 40)}; {hint}"


def _illegal(error: absl_flags.IllegalFlagValueError) -> str:
    """What absl found, in the words of a user: its own hold those of Python."""
    found = _ILLEGAL.match(str(error))
    if found is None or found["name"] not in FLAGS:
        return f"{error}; --help lists the flags"
    typed = f"--{found['name']}={shortened(found['value'], 40)}"
    return f"{typed} cannot be used; give {_expected(FLAGS[found['name']].parser)}"


def _expected(parser: absl_flags.ArgumentParser[Any]) -> str:
    if isinstance(parser, absl_flags.EnumParser):
        return " or ".join(parser.enum_values)
    if isinstance(parser, absl_flags.BooleanParser):
        return "true or false"
    if isinstance(parser, MinutesParser):
        # Its own adds the bounds.
        return MinutesParser.syntactic_help
    if isinstance(parser, absl_flags.IntegerParser | absl_flags.FloatParser):
        kind = "a whole number" if isinstance(parser, absl_flags.IntegerParser) else "a number"
        lowest, highest = parser.lower_bound, parser.upper_bound
        at_least = f" from {lowest:g}" if lowest is not None else ""
        return f"{kind}{at_least}" + (f" to {highest:g}" if highest is not None else "")
    return parser.syntactic_help


def _file_values(names: Sequence[str]) -> dict[str, FileValue]:
    if not FLAGS.config:
        return {}
    known = [name for name in names if f"--{name}" != CONFIG_FLAG]
    return read_config_file(path_of(FLAGS.config), [*known, "verbosity"])


def _take(name: str, value: FileValue) -> None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    flag = FLAGS[name]
    try:
        flag.parse(text)
    except absl_flags.Error as error:
        said = f"{name} = {shortened(text, 40)} cannot be used; give {_expected(flag.parser)}"
        raise ConfigurationError(f"{CONFIG_FLAG}={FLAGS.config}: {said}") from error


def _not_written(run_mode: str) -> list[str]:
    given = [f"--{name}" for name in _WRITTEN_AT_THE_END if FLAGS[name].value]
    if run_mode != "dry" or not given:
        return []
    return [f"{', '.join(given)}: without effect, since a dry run writes nothing"]


def _without_effect(command: str, origins: Mapping[str, Origin]) -> list[str]:
    """A sentence of the flags that were typed for a command that does not use them."""
    typed = [name for name, origin in origins.items() if origin is Origin.FLAG]
    unused = [f"--{n}" for n in typed if command not in users_of(n) and n not in _SPOKEN_OF]
    if not unused:
        return []
    verb = "has" if len(unused) == 1 else "have"
    lists = f"candle-ingestor help {command} lists its flags"
    return [f"{', '.join(unused)} {verb} no effect on the command {command}; {lists}"]
