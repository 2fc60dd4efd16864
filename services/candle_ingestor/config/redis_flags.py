"""Where Redis is, as flags and environment say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from candle_ingestor.config.given import FlagValues, ca_file_of, source_of, text_of
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.texts import quoted
from candle_ingestor.operations.redis_connection import (
    DEFAULT_PORT,
    RedisConnection,
    parse_redis_url,
)

_HIGHEST_PORT = 65_535


def redis_from_flags(values: FlagValues, environment: Mapping[str, str]) -> RedisConnection:
    """The Redis that is named; one on this machine where none is.

    A flag wins over a variable, and $REDIS_URL over $REDIS_HOST and $REDIS_PORT. The password of
    a URL that has none is --redis_password or $REDIS_PASSWORD.

    Raises:
        ConfigurationError: if flags contradict each other or say what cannot be.
    """
    single = [name for name in ("redis_host", "redis_port") if getattr(values, name) is not None]
    if values.redis_url and single:
        raise ConfigurationError(
            f"--redis_url and --{single[0]} contradict each other; give host and port in the URL"
        )
    if values.redis_url:
        connection = parse_redis_url(values.redis_url, "--redis_url")
    elif environment.get("REDIS_URL") and not single:
        connection = parse_redis_url(environment["REDIS_URL"], "$REDIS_URL")
    else:
        connection = RedisConnection(
            host=text_of("redis_host", values, environment) or "localhost",
            port=_port(values.redis_port, environment.get("REDIS_PORT") or ""),
        )
    return _with_ca_file(_with_password(connection, values, environment), values, environment)


def names_redis(values: FlagValues, environment: Mapping[str, str]) -> bool:
    """Whether flags or environment say where Redis is."""
    return any(text_of(name, values, environment) for name in ("redis_url", "redis_host"))


def _port(flag: int | None, variable: str) -> int:
    if flag is not None:
        return flag
    # Kubernetes sets REDIS_PORT to tcp://ADDRESS:PORT where there is a service named redis.
    text = variable.rpartition(":")[2] if variable.startswith("tcp://") else variable
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_PORT:
        raise ConfigurationError(f"$REDIS_PORT is {quoted(variable)}, which is no port number")
    return int(text)


def _with_password(
    connection: RedisConnection, values: FlagValues, environment: Mapping[str, str]
) -> RedisConnection:
    if connection.password is None:
        return replace(connection, password=text_of("redis_password", values, environment))
    if values.redis_password and values.redis_url:
        raise ConfigurationError(
            "--redis_url holds a password, and --redis_password is given too; leave one out"
        )
    return replace(connection, password=values.redis_password or connection.password)


def _with_ca_file(
    connection: RedisConnection, values: FlagValues, environment: Mapping[str, str]
) -> RedisConnection:
    ca_file = ca_file_of("redis_ca_file", values, environment)
    if ca_file is not None and not connection.is_tls:
        raise ConfigurationError(
            f"{source_of('redis_ca_file', values)} is for a connection with TLS; give "
            "--redis_url=rediss://HOST:PORT as well"
        )
    return replace(connection, ca_file=ca_file)
