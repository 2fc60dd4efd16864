"""Where InfluxDB is, and what a person is told about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.secrets import Redactor


@dataclass(frozen=True)
class InfluxDbConnection:
    """A bucket of an InfluxDB 2 and the token for it. The token is in no text made of it.

    `ca_file` is a PEM file of the certificates to trust; None is the machine's own.

    Raises:
        ConfigurationError: if a part is missing or malformed; the message names its flag.
    """

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str
    timeout_seconds: float = 30.0
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.ca_file is not None and urlsplit(self.url).scheme != "https":
            raise ConfigurationError(
                "--influxdb_ca_file is for a connection with TLS; give --influxdb_url=https://HOST"
            )
        # A token read from a file tends to end with a newline.
        token = self.token.strip()
        object.__setattr__(self, "token", token)
        if not token:
            raise ConfigurationError("--influxdb_token is empty; set it, or INFLUXDB_TOKEN")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError(
                "--influxdb_token holds spaces or characters that no token has; "
                "check it, or INFLUXDB_TOKEN"
            )
        for name, value in (("org", self.org), ("bucket", self.bucket)):
            variable = f"INFLUXDB_{name.upper()}"
            if not value:
                raise ConfigurationError(f"--influxdb_{name} is not given; set it, or {variable}")
            if not value.isprintable():
                raise ConfigurationError(
                    f"--influxdb_{name} holds characters that cannot be printed; "
                    f"check it, or {variable}"
                )

    @property
    def database(self) -> str:
        """The bucket as InfluxQL calls it, but for its retention policy."""
        return self.bucket.partition("/")[0]

    @property
    def retention_policy(self) -> str:
        return self.bucket.partition("/")[2] if "/" in self.bucket else "autogen"

    def without_secrets(self, text: str) -> str:
        """The text with the token masked, should a server or proxy have repeated it."""
        return Redactor([self.token]).redact(text)

    def __str__(self) -> str:
        return f"InfluxDB at {self.url} (bucket {self.bucket!r} of org {self.org!r})"


def _check_url(url: str) -> None:
    advice = "give it as http://HOST:PORT or https://HOST, or set INFLUXDB_URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"--influxdb_url is no address; {advice}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "--influxdb_url holds a login; leave it out and give --influxdb_token instead"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(f"--influxdb_url has a '?' or '#'; {advice}")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or not _is_one_word(url)
    ):
        raise ConfigurationError(f"--influxdb_url={url!r} is no address; {advice}")


def _is_one_word(text: str) -> bool:
    return text.isprintable() and " " not in text
