"""What a job logs where no terminal shows it."""

import re

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR|CRITICAL): \S")


def levels_of(errors: str) -> list[str]:
    """The level of every line; each is a whole log line."""
    found = [(line, _LINE.match(line)) for line in errors.splitlines()]
    assert all(match for _, match in found), [line for line, match in found if not match]
    return [match[1] for _, match in found if match]
