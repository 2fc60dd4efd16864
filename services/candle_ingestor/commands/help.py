"""The help text and the flags page, made from the flags themselves."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Sequence

from candle_ingestor.commands.flag_meanings import Meaning, meaning_of, meanings_of
from candle_ingestor.commands.table import COMMANDS, HELP, users_of
from candle_ingestor.flags import FLAGS, GROUPS

WIDTH = 96

_FOOT = (
    "",
    "Logging follows absl: --verbosity=1 for more, --verbosity=-1 for less.",
    "--version tells the version.",
)


def help_text() -> str:
    """What --help prints, and the command help: every command and every flag."""
    lines = ["Usage: candle-ingestor [COMMAND] [--flag=value ...]", "", "Commands:"]
    lines += [f"  {name:<8} {command.help}" for name, command in COMMANDS.items()]
    lines += [
        f"  {HELP:<8} show this; candle-ingestor {HELP} COMMAND shows the flags of one command",
        "",
        f"Example: {COMMANDS['ingest'].example}",
        *_groups(list(FLAGS)),
        *_FOOT,
    ]
    return "\n".join(lines)


def command_help(name: str) -> str:
    """What --help prints after a command: what its flags mean for it, and an example."""
    command = COMMANDS[name]
    arguments = f" {command.arguments}" if command.arguments else ""
    lines = [
        f"Usage: candle-ingestor {name}{arguments} [--flag=value ...]",
        "",
        f"{command.help[0].upper()}{command.help[1:]}.",
        "",
        f"Example: {command.example}",
        *_groups([flag for flag in FLAGS if name in users_of(flag)], name),
        *_FOOT,
    ]
    return "\n".join(lines)


def flags_page() -> str:
    """The page docs/flags.md."""
    lines = [
        "# Flags",
        "",
        "Made from the flags by `make docs`; a test keeps it true.",
        "",
        "`candle-ingestor [COMMAND] [--flag=value ...]`",
        "",
        "| command | what it does | example |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {command.help} | `{command.example}` |" for name, command in COMMANDS.items()
    ]
    lines += [
        "",
        "`candle-ingestor help` and `--help` list the flags, `candle-ingestor help export` and",
        "`candle-ingestor export --help` those of one command, `--version` tells the version.",
        "",
        "A value is taken from the command line, else from the environment where a variable is",
        "named below, else from the TOML file of `--config`, else it is the default. A flag that a",
        "command does not use is warned about.",
    ]
    for heading, names in GROUPS.items():
        lines += ["", f"## {heading}", "", "| flag | default | meaning | used by |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| `{_usage(name)}` | {_default(name)} | {_meaning(name)} "
            f"| {', '.join(users_of(name))} |"
            for name in names
        ]
    lines += [
        "",
        "## What some flags mean for a command",
        "",
        "Here what is said above does not hold, or not all of it.",
        "",
        "| flag | default | meaning | for |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{_usage(name, meaning)}` | {_default(name, meaning)} | {_meaning(name, meaning)} "
        f"| {', '.join(commands)} |"
        for names in GROUPS.values()
        for name in names
        for meaning, commands in meanings_of(name).items()
    ]
    return "\n".join(lines) + "\n"


def _groups(shown: Collection[str], command: str = "") -> list[str]:
    lines = []
    for heading, names in GROUPS.items():
        listed = [name for name in names if name in shown]
        if listed:
            lines += ["", f"{heading}:"]
        for name in listed:
            meaning = meaning_of(name, command)
            lines += [f"  {_usage(name, meaning)}"]
            lines += textwrap.wrap(
                _description(name, meaning),
                WIDTH,
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
            )
    return lines


_OWN = Meaning()
"""That of the flag itself."""


def _usage(name: str, meaning: Meaning = _OWN) -> str:
    flag = FLAGS[name]
    if flag.boolean:
        return f"--[no]{name}"
    values: Sequence[str] = meaning.values or getattr(flag.parser, "enum_values", None) or ()
    return f"--{name}={' or '.join(values) if values else '...'}"


def _description(name: str, meaning: Meaning) -> str:
    default = _default(name, meaning)
    shown = f" Default: {default.replace('`', '')}." if default else ""
    return f"{_meaning(name, meaning)}{shown}"


def _meaning(name: str, meaning: Meaning = _OWN) -> str:
    # absl puts an enumeration's values before its help.
    return meaning.words or re.sub(r"^<[^>]*>: ", "", FLAGS[name].help or "")


def _default(name: str, meaning: Meaning = _OWN) -> str:
    flag = FLAGS[name]
    if meaning.default is not None:
        return meaning.default
    if flag.default in (None, []):
        return ""
    if flag.boolean:
        return f"`{str(flag.default).lower()}`"
    if isinstance(flag.default, list):
        return f"`{','.join(flag.default)}`"
    return f"`{flag.default:g}`" if isinstance(flag.default, float) else f"`{flag.default}`"
