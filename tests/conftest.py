import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from candle_ingestor.symbols.redis_source import RedisConnection

REDIS_PASSWORD = "correct-horse'battery\"staple"


@pytest.fixture(scope="session")
def missing_real_part() -> Callable[[str], NoReturn]:
    """Called with a reason where a test's real part (a server, a browser) is not installed.

    Skips the test; fails it where REQUIRE_REAL_SERVERS is set, as in continuous integration.
    """

    def report(reason: str) -> NoReturn:
        if os.environ.get("REQUIRE_REAL_SERVERS"):
            pytest.fail(f"real part missing: {reason}", pytrace=False)
        pytest.skip(f"real part missing: {reason}")

    return report


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def closed_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return free_port()


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, missing_real_part: Callable[[str], NoReturn]
) -> Iterator[RedisConnection]:
    """A real Redis with a password, for the length of the test session."""
    binary = shutil.which("redis-server")
    if binary is None:
        missing_real_part("redis-server; on Debian: apt-get install redis-server")
    folder = tmp_path_factory.mktemp("redis")
    connection = RedisConnection("127.0.0.1", free_port(), REDIS_PASSWORD, timeout_seconds=5)
    settings = {
        "bind": connection.host,
        "port": str(connection.port),
        "requirepass": REDIS_PASSWORD,
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
    }
    options = [text for name, value in settings.items() for text in (f"--{name}", value)]
    with Path(folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *options], stdout=log, stderr=log)
    try:
        with client_of(connection) as client:
            client.ping()
        yield connection
    finally:
        process.terminate()
        process.wait(timeout=20)


def client_of(connection: RedisConnection) -> redis.Redis:
    """A plain client that waits up to 10 s for a server that is starting."""
    return redis.Redis(
        host=connection.host,
        port=connection.port,
        password=connection.password,
        retry=Retry(ConstantBackoff(0.05), 200),
        retry_on_error=[redis.ConnectionError],
    )


@pytest.fixture
def redis_client(redis_server: RedisConnection) -> Iterator[redis.Redis]:
    """A client of the real Redis, which holds nothing at the start of a test."""
    with client_of(redis_server) as client:
        client.flushall()
        yield client
