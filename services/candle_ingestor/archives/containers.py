"""Files of candles as they lie on disk: by themselves, compressed, or in a zip."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from candle_ingestor.archives.errors import ArchiveError

ZIP_SUFFIX = ".zip"
CSV_SUFFIX = ".csv"
GZIP_SUFFIX = ".csv.gz"

MOST_MEMBERS = 200_000
MOST_BYTES_PER_COMPRESSED_BYTE = 250
"""Rows of candles shrink to a fifth or so; what shrinks to less than this is made to do harm."""
_SMALL_BYTES = 1 << 20

_ENCRYPTED = 0x1


@dataclass(frozen=True)
class CandleFile:
    """One file of rows.

    Attributes:
        container: the file on disk.
        member: its name within a zip; None where it is the file itself.
        is_alone: whether the zip holds no other.
        size_bytes: of its rows; of a gzip file, compressed.
    """

    container: Path
    member: str | None
    is_alone: bool
    size_bytes: int

    @property
    def path(self) -> str:
        """What messages and records call it: the zip, and its name in there if it is not alone."""
        # A name of bytes that are no text is one for the disk alone.
        container = os.fsencode(self.container).decode(errors="replace")
        if self.member is None or self.is_alone:
            return container
        return f"{container}/{self.member}"

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, then those of what it lies in, the nearest first."""
        folders = tuple(reversed(self.container.parent.parts))
        if self.member is None:
            return (self.container.name, *folders)
        within = tuple(reversed(self.member.split("/")))
        return (*within, self.container.name, *folders)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """A stream of its rows.

        Raises:
            ArchiveError: if it cannot be read, also while it is.
        """
        try:
            if self.member is not None:
                archive = _opened_zip(self.container, self.container.stat().st_mtime_ns)
                _require_harmless(archive.getinfo(self.member))
                with archive.open(self.member) as stream:
                    yield stream
            elif self.container.name.lower().endswith(GZIP_SUFFIX):
                with gzip.open(self.container) as unpacked:
                    yield cast(IO[bytes], unpacked)
            else:
                with self.container.open("rb") as stream:
                    yield stream
        except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, KeyError) as error:
            raise ArchiveError(f"it is damaged ({error}); fetch it again") from error
        except NotImplementedError as error:
            raise ArchiveError(f"it is compressed in a way that is not known: {error}") from error
        except OSError as error:
            raise ArchiveError(f"it cannot be read: {error.strerror or error}") from error


def files_in(path: Path) -> list[CandleFile]:
    """The files of rows that a CSV, gzip or zip file holds, by their names.

    Raises:
        ArchiveError: if it cannot be read.
    """
    try:
        if path.suffix.lower() != ZIP_SUFFIX:
            return [CandleFile(path, None, True, path.stat().st_size)]
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise ArchiveError(f"it is a damaged zip ({error}); fetch it again") from error
    except OSError as error:
        raise ArchiveError(f"it cannot be read: {error.strerror}") from error
    if len(members) > MOST_MEMBERS:
        raise ArchiveError(f"it has {len(members):,} members; at most {MOST_MEMBERS:,} are read")
    found = [member for member in members if _is_csv(member.filename)]
    twice = len(found) - len({member.filename for member in found})
    if twice:
        raise ArchiveError("it holds two members of one name; unpack it, and keep the right one")
    return [
        CandleFile(path, member.filename, len(found) == 1, member.file_size)
        for member in sorted(found, key=lambda member: member.filename)
    ]


@lru_cache(maxsize=1)
def _opened_zip(path: Path, changed_ns: int) -> zipfile.ZipFile:
    """The zip, kept open for its next member: of thousands, listing them all takes a while.

    `changed_ns` tells it from an earlier one of that name.
    """
    return zipfile.ZipFile(path)


def _is_csv(name: str) -> bool:
    # A Mac puts a shadow of every file there.
    return name.lower().endswith(CSV_SUFFIX) and not name.startswith("__MACOSX/")


def _require_harmless(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError("it is encrypted; unpack it, and name the file that comes of it")
    allowed = max(member.compress_size, 1) * MOST_BYTES_PER_COMPRESSED_BYTE
    if member.file_size > max(allowed, _SMALL_BYTES):
        raise ArchiveError(
            f"it would unpack {member.compress_size:,} bytes to {member.file_size:,}, which no "
            "file of candles does"
        )
