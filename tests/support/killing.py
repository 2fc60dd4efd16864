"""The end of a process before any of its changes of the file system."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHANGING_CALLS = (
    "open",
    "write",
    "ftruncate",
    "chmod",
    "fchmod",
    "fsync",
    "link",
    "replace",
    "unlink",
    "mkdir",
    "rmdir",
)
"""An open counts where it makes a file, an unlink where there is one."""


class Killed(BaseException):
    """In place of the end of the process: nothing of it runs on."""


class Call(NamedTuple):
    """A call that changes the file system: its name, of which file, how many bytes it wrote."""

    name: str
    path: Path
    size: int = 0


@contextmanager
def changing_calls() -> Iterator[list[Call]]:
    """Yields the calls that change the file system, as they pass."""
    with killed_before_call(1 << 30) as passed:
        yield passed


@contextmanager
def killed_before_call(number: int) -> Iterator[list[Call]]:
    """Lets that many changing system calls pass and none after; yields all that passed.

    What was about to be written is then half written, and what was written and about to be made
    durable half lost.
    """
    passed: list[Call] = []
    durable: dict[Path, int] = {}
    real: dict[str, Any] = {name: getattr(os, name) for name in CHANGING_CALLS}

    def call(name: str, *arguments: Any, **options: Any) -> Any:
        if not _changes(name, arguments):
            return real[name](*arguments, **options)
        if name == "write":
            durable.setdefault(_path_of(arguments[0]), os.fstat(arguments[0]).st_size)
        if len(passed) >= number:
            if name == "write":
                content = arguments[1]
                real["write"](arguments[0], content[: len(content) // 2])
            elif name == "fsync" and not is_folder(arguments[0]):
                size = os.fstat(arguments[0]).st_size
                kept = durable.get(_path_of(arguments[0]), size)
                real["ftruncate"](arguments[0], (kept + size) // 2)
            raise Killed
        size = len(arguments[1]) if name == "write" else 0
        passed.append(Call(name, _path_of(arguments[0]), size))
        return real[name](*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING_CALLS:
            patch.setattr(os, name, lambda *a, _name=name, **o: call(_name, *a, **o))
        yield passed


def is_folder(descriptor: int) -> bool:
    return (os.fstat(descriptor).st_mode & 0o170000) == 0o040000


def _changes(name: str, arguments: tuple[Any, ...]) -> bool:
    if name == "open":
        return bool(arguments[1] & os.O_CREAT)
    return name != "unlink" or os.path.lexists(arguments[0])


def _path_of(target: Any) -> Path:
    return Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
