import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from hypothesis import settings
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from candle_ingestor.operations.redis_connection import RedisConnection
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

sys.path.append(str(Path(__file__).parent / "support"))
sys.path.append(str(Path(__file__).parents[1] / "tools"))

from certificates import Certificates, make_certificates
from influxd import (
    HOW_TO_GET_ONE,
    InfluxdProcess,
    InfluxServer,
    find_influxd,
    outside_server,
)
from job_server import JobServer

# A test that loads candles keeps none of them in the home of whoever runs it.
os.environ["CANDLE_LOADER_CACHE"] = "off"

# How long an example takes depends on what else the machine does.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected lives as long as the session: no garbage collection need walk it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: tests wait for jobs, which wait before they retry."""
    return (os.cpu_count() or 1) + 1


REDIS_PASSWORD = "correct-horse'battery\"staple"


@pytest.fixture(scope="session")
def job_server() -> Iterator[JobServer]:
    """Starts jobs as processes of their own."""
    server = JobServer()
    yield server
    server.close()


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
def certificates(
    tmp_path_factory: pytest.TempPathFactory, missing_real_part: Callable[[str], NoReturn]
) -> Certificates:
    """Certificates for servers of 127.0.0.1, signed by an authority of the tests' own."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing_real_part("openssl; on Debian: apt-get install openssl")
    return make_certificates(openssl, tmp_path_factory.mktemp("certificates"))


class RedisProcess:
    """A real Redis with a password. What it confirms survives being killed.

    With certificates it takes connections with TLS only.
    """

    def __init__(self, binary: str, folder: Path, certificates: Certificates | None = None) -> None:
        self._binary = binary
        self._folder = folder
        self._certificates = certificates
        self._process: subprocess.Popen[bytes] | None = None
        self.connection = RedisConnection(
            "127.0.0.1",
            free_port(),
            REDIS_PASSWORD,
            timeout_seconds=5,
            is_tls=certificates is not None,
            ca_file=None if certificates is None else certificates.ca_file,
        )

    def start(self) -> None:
        """Starts it, or starts it again. Returns when it answers."""
        settings = {
            "bind": self.connection.host,
            "port": str(self.connection.port),
            "requirepass": REDIS_PASSWORD,
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "daemonize": "no",
        }
        if self._certificates is not None:
            settings |= {
                "port": "0",
                "tls-port": str(self.connection.port),
                "tls-cert-file": str(self._certificates.certificate),
                "tls-key-file": str(self._certificates.key),
                "tls-ca-cert-file": str(self._certificates.ca_file),
                "tls-auth-clients": "no",
            }
        options = [text for name, value in settings.items() for text in (f"--{name}", value)]
        with Path(self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, *options], stdout=log, stderr=log)
        with client_of(self.connection) as client:
            client.ping()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends it, if it runs, as the signal does."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=20)
            self._process = None

    def empty(self) -> None:
        """Takes away all that it kept. To be called while it does not run."""
        for path in self._folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="session")
def start_redis(
    tmp_path_factory: pytest.TempPathFactory, missing_real_part: Callable[[str], NoReturn]
) -> Iterator[Callable[..., RedisProcess]]:
    """Starts a Redis of the caller's own, which ends with the session at the latest."""
    started: list[RedisProcess] = []

    def start(certificates: Certificates | None = None) -> RedisProcess:
        binary = shutil.which("redis-server")
        if binary is None:
            missing_real_part("redis-server; on Debian: apt-get install redis-server")
        started.append(RedisProcess(binary, tmp_path_factory.mktemp("redis"), certificates))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="session")
def redis_server(start_redis: Callable[[], RedisProcess]) -> RedisConnection:
    """A real Redis with a password, for the length of the test session."""
    return start_redis().connection


@pytest.fixture
def own_redis(start_redis: Callable[[], RedisProcess]) -> Iterator[RedisProcess]:
    """A real Redis with a password that one test may kill and start again."""
    server = start_redis()
    yield server
    server.end()


def client_of(connection: RedisConnection) -> redis.Redis:
    """A plain client that waits up to 10 s for a server that is starting."""
    return redis.Redis(
        host=connection.host,
        port=connection.port,
        password=connection.password,
        ssl=connection.is_tls,
        ssl_ca_certs=str(connection.ca_file) if connection.ca_file else None,
        retry=Retry(ConstantBackoff(0.05), 200),
        retry_on_error=[redis.ConnectionError],
    )


@pytest.fixture(scope="session")
def redis_client_of() -> Callable[[RedisConnection], redis.Redis]:
    """A client of any real Redis."""
    return client_of


@pytest.fixture
def redis_client(redis_server: RedisConnection) -> Iterator[redis.Redis]:
    """A client of the real Redis, which holds nothing at the start of a test."""
    with client_of(redis_server) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def influxd_binary(missing_real_part: Callable[[str], NoReturn]) -> Path:
    binary = find_influxd()
    return binary if binary is not None else missing_real_part(HOW_TO_GET_ONE)


@pytest.fixture(scope="session")
def influx_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InfluxServer]:
    """A real InfluxDB 2 for the length of the test session."""
    outside = outside_server()
    if outside is not None:
        yield outside
        return
    binary: Path = request.getfixturevalue("influxd_binary")
    process = InfluxdProcess(binary, tmp_path_factory.mktemp("influxd"))
    try:
        process.start()
        yield process.server
    finally:
        process.stop()


@pytest.fixture
def bucket(influx_server: InfluxServer) -> Iterator[InfluxDbConnection]:
    """An empty bucket that keeps points forever."""
    with influx_server.bucket() as connection:
        yield connection
