"""The end of a process before any of its changes of the file system."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHANGING_CALLS = ("mkdir", "fsync", "replace", "unlink", "rmdir")


class Killed(BaseException):
    """In place of the end of the process: nothing of it runs on."""


@contextmanager
def killed_before_call(number: int) -> Iterator[list[str]]:
    """Lets that many changing system calls pass and none after; yields the names of all passed.

    A file that was about to be made durable is then half written.
    """
    passed: list[str] = []
    real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CHANGING_CALLS}

    def call(name: str, *arguments: Any, **options: Any) -> Any:
        if len(passed) >= number:
            if name == "fsync" and os.fstat(arguments[0]).st_size and not is_folder(arguments[0]):
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            raise Killed
        passed.append(name)
        return real[name](*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING_CALLS:
            patch.setattr(os, name, lambda *a, _name=name, **o: call(_name, *a, **o))
        yield passed


def is_folder(descriptor: int) -> bool:
    return (os.fstat(descriptor).st_mode & 0o170000) == 0o040000
