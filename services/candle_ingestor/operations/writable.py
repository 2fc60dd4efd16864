"""Whether a folder can be written, found out before the work and not after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from candle_ingestor.errors import ConfigurationError


def require_writable(flag: str, folder: Path) -> None:
    """Proves that files can be made in the folder, or in the parent that it would be made in.

    Nothing is left behind.

    Raises:
        ConfigurationError: if not, naming the flag.
    """
    absolute = folder.absolute()
    try:
        existing = next(path for path in (absolute, *absolute.parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            return
    except OSError as error:
        raise ConfigurationError(
            f"{flag}: cannot write into {folder}: {error.strerror}; choose another path"
        ) from error
