"""Where Redis is. Apart from its client, so that a configuration is read without loading that."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.secrets import Redactor

DEFAULT_PORT = 6379

_SCHEMES = {"redis": False, "rediss": True}


@dataclass(frozen=True)
class RedisConnection:
    """Where Redis is. The password is in no text made of it.

    Attributes:
        username: the ACL user; None is Redis's default user.
        is_tls: whether the connection is encrypted and the server's certificate checked.
        ca_file: PEM file of the certificates to trust; None is the machine's own.
        named_by: the flags that say where it is, for messages.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 5.0
    username: str | None = None
    database: int = 0
    is_tls: bool = False
    ca_file: Path | None = None
    named_by: str = "--redis_host and --redis_port"

    @property
    def address(self) -> str:
        """Host, port and whatever else is not as Redis has it by default."""
        details = [
            "TLS" if self.is_tls else "",
            f"user {self.username}" if self.username else "",
            f"database {self.database}" if self.database else "",
        ]
        said = ", ".join(filter(None, details))
        return f"{self.host}:{self.port}" + (f" ({said})" if said else "")

    def client_command(self) -> str:
        """How redis-cli is started for this Redis; it asks for the password by itself."""
        words = ["redis-cli"]
        if self.host not in ("localhost", "127.0.0.1"):
            words += ["-h", self.host]
        if self.port != DEFAULT_PORT:
            words += ["-p", str(self.port)]
        words += ["--tls"] if self.is_tls else []
        words += ["--cacert", str(self.ca_file)] if self.ca_file else []
        words += ["--user", self.username] if self.username else []
        words += ["--askpass"] if self.password else []
        words += ["-n", str(self.database)] if self.database else []
        return shlex.join(words)

    def without_secrets(self, text: str) -> str:
        """The text as one line with the password masked, should Redis or a proxy repeat it."""
        masked = Redactor([self.password]).redact(text)
        # An unknown command is repeated with its arguments, and those of AUTH may be cut short.
        masked = masked.partition(", with args beginning with")[0]
        return " ".join(masked.split())

    def __str__(self) -> str:
        return f"Redis at {self.address}"


def parse_redis_url(text: str, source: str) -> RedisConnection:
    """The Redis that a URL names: `redis://user:password@host:port/database`, `rediss://` for TLS.

    All but scheme and host may be left out. `source` is the flag or variable it is from.

    Raises:
        ConfigurationError: if it is no such URL. The message does not repeat it.
    """
    try:
        parts = urlsplit(text.strip())
        found: dict[str, Any] = {
            "host": parts.hostname or "",
            "port": parts.port or DEFAULT_PORT,
            "database": int(parts.path.strip("/") or "0"),
            "is_tls": _SCHEMES[parts.scheme],
        }
    except (ValueError, KeyError):
        raise _no_url(source) from None
    if not found["host"] or found["database"] < 0 or parts.query or parts.fragment:
        raise _no_url(source)
    return RedisConnection(
        **found,
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        named_by=source,
    )


def _no_url(source: str) -> ConfigurationError:
    return ConfigurationError(
        f"{source} is no address of a Redis; give it as redis://HOST:PORT, or as "
        "rediss://USER:PASSWORD@HOST:PORT/DATABASE with TLS, without '?'; write a character of "
        "the password such as @ / ? # % as %40 %2F %3F %23 %25"
    )
