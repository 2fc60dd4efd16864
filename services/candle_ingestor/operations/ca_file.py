"""A file of certificates that a connection with TLS is to trust."""

from __future__ import annotations

import os
from pathlib import Path

from candle_ingestor.errors import ConfigurationError


def advice_on_authority(flag: str) -> str:
    """What to do about a server whose certificate is not trusted."""
    return (
        "if its certificate is signed by an authority of your own, give that one's certificate "
        f"with {flag}"
    )


def require_ca_file(source: str, path: Path) -> None:
    """Proves that the file holds certificates; `source` is the flag or variable that names it.

    Raises:
        ConfigurationError: if it cannot be read, or holds no certificate.
    """
    # Most configurations name none, and loading ssl takes its time.
    import ssl  # noqa: PLC0415

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ConfigurationError(
            f"{source}: {path} holds no certificate in PEM form; give the file of the authority "
            "that signed the server's certificate"
        ) from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"{source}: cannot read {path}: {reason}") from None
