"""The help text and the flags page, made from the flags themselves."""

from __future__ import annotations

import re
import textwrap

from candle_ingestor.commands.table import COMMANDS
from candle_ingestor.flags import FLAGS, GROUPS

WIDTH = 96


def help_text() -> str:
    """What --help prints."""
    lines = ["Usage: candle-ingestor [COMMAND] [--flag=value ...]", "", "Commands:"]
    lines += [f"  {name:<8} {command.help}" for name, command in COMMANDS.items()]
    for heading, names in GROUPS.items():
        lines += ["", f"{heading}:"]
        for name in names:
            lines += [f"  {_usage(name)}"]
            lines += textwrap.wrap(
                _description(name), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
    lines += ["", "Logging follows absl: --verbosity=1 for more, --verbosity=-1 for less."]
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
        "| command | what it does |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {command.help} |" for name, command in COMMANDS.items()]
    for heading, names in GROUPS.items():
        lines += ["", f"## {heading}", "", "| flag | default | meaning |", "|---|---|---|"]
        lines += [f"| `{_usage(name)}` | {_default(name)} | {_meaning(name)} |" for name in names]
    return "\n".join(lines) + "\n"


def _usage(name: str) -> str:
    flag = FLAGS[name]
    if flag.boolean:
        return f"--[no]{name}"
    values = getattr(flag.parser, "enum_values", None)
    return f"--{name}={' or '.join(values) if values else '...'}"


def _description(name: str) -> str:
    default = _default(name)
    shown = f" Default: {default.strip('`')}." if default else ""
    return f"{_meaning(name)}{shown}"


def _meaning(name: str) -> str:
    # absl puts an enumeration's values before its help.
    return re.sub(r"^<[^>]*>: ", "", FLAGS[name].help or "")


def _default(name: str) -> str:
    flag = FLAGS[name]
    if flag.default in (None, []):
        return ""
    if flag.boolean:
        return f"`{str(flag.default).lower()}`"
    if isinstance(flag.default, list):
        return f"`{','.join(flag.default)}`"
    return f"`{flag.default:g}`" if isinstance(flag.default, float) else f"`{flag.default}`"
