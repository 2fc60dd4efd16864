"""Walks files and folders for archive files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from candle_ingestor.archives.containers import CSV_SUFFIX, GZIP_SUFFIX, ZIP_SUFFIX
from candle_ingestor.errors import ConfigurationError

_SUFFIXES = (CSV_SUFFIX, GZIP_SUFFIX, ZIP_SUFFIX)


def archives_below(paths: Iterable[Path]) -> list[Path]:
    """The CSV, gzip and zip files of these paths and below them, each once; folders by name.

    Raises:
        ConfigurationError: if a path is not there, cannot be looked into, or is no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(_in_folder(path))
        elif not path.exists():
            raise ConfigurationError(f"{path} is not there")
        elif _is_archive(path.name):
            found[path] = None
        else:
            raise ConfigurationError(
                f"{path} is no archive file; name files that end with {', '.join(_SUFFIXES)}, or "
                "folders"
            )
    by_place = {path.resolve(): path for path in reversed(found)}
    return list(reversed(by_place.values()))


def _in_folder(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders.sort()
        for name in sorted(names):
            if _is_archive(name) and not name.startswith("._"):
                yield Path(parent, name)


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _refuse(error: OSError) -> None:
    raise ConfigurationError(f"{error.filename} cannot be looked into: {error.strerror}")
