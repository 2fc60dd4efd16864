"""Where Redis is. Apart from its client, so that a configuration is read without loading that."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RedisConnection:
    """Where Redis is. The password is in no text made of it."""

    host: str = "localhost"
    port: int = 6379
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 5.0

    def without_secrets(self, text: str) -> str:
        """The text as one line with the password masked, should Redis or a proxy repeat it."""
        masked = text.replace(self.password, "***") if self.password else text
        # An unknown command is repeated with its arguments, and those of AUTH may be cut short.
        masked = masked.partition(", with args beginning with")[0]
        return " ".join(masked.split())

    def __str__(self) -> str:
        return f"Redis at {self.host}:{self.port}"
