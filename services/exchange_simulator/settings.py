"""The exchange settings file that sends the job to the simulator."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["settings_text", "write_settings"]


def settings_text(url: str, exchanges: Iterable[str]) -> str:
    """TOML, one table per exchange with its `base_url`."""
    return "\n".join(f'[{exchange}]\nbase_url = "{url}/{exchange}"\n' for exchange in exchanges)


def write_settings(path: Path, url: str, exchanges: Iterable[str]) -> None:
    """Write the settings file whole or not at all; missing folders are made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(settings_text(url, exchanges))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
