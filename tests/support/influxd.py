"""A real InfluxDB 2 for tests: found, started, set up, killed, stopped."""

import json
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from certificates import Certificates

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

HOW_TO_GET_ONE = (
    "InfluxDB 2; build it with tools/influxd/build, or set INFLUXD to the path of an influxd, "
    "or INFLUXDB_TEST_URL, INFLUXDB_TEST_TOKEN and INFLUXDB_TEST_ORG to a server"
)
ORG = "candles"
TOKEN = "an-operator-token-that-no-one-may-see"


@dataclass(frozen=True)
class InfluxServer:
    """A running server and a token that may do everything in an organization."""

    url: str
    token: str
    org: str
    ca_file: Path | None = None

    def pool(self) -> urllib3.PoolManager:
        ca_file = str(self.ca_file) if self.ca_file else None
        return urllib3.PoolManager(ca_certs=ca_file)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        accept: str = "application/json",
    ) -> tuple[int, bytes]:
        """Status and body of a request; `body` is JSON, text or nothing."""
        response = self.pool().request(
            method,
            self.url + path,
            body=body if isinstance(body, str) or body is None else json.dumps(body),
            headers={
                "Authorization": f"Token {token or self.token}",
                "Content-Type": "text/plain" if isinstance(body, str) else "application/json",
                "Accept": accept,
            },
            timeout=30,
        )
        return response.status, response.data

    def answer(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        status, data = self.call(method, path, body)
        assert 200 <= status < 300, (status, data)
        return json.loads(data) if data else {}

    def org_id(self) -> str:
        return self.answer("GET", f"/api/v2/orgs?org={self.org}")["orgs"][0]["id"]

    def make_bucket(self, name: str, retention_seconds: int = 0) -> str:
        rules = [{"type": "expire", "everySeconds": retention_seconds}] * bool(retention_seconds)
        bucket = {"orgID": self.org_id(), "name": name, "retentionRules": rules}
        return self.answer("POST", "/api/v2/buckets", bucket)["id"]

    def make_token(self, bucket_id: str, *actions: str) -> str:
        """A token that may only do this (read, write) with this bucket."""
        resource = {"type": "buckets", "id": bucket_id, "orgID": self.org_id()}
        permissions = [{"action": action, "resource": resource} for action in actions]
        body = {"orgID": self.org_id(), "permissions": permissions}
        return self.answer("POST", "/api/v2/authorizations", body)["token"]

    def write(self, bucket: str, *lines: str, precision: str = "ns") -> None:
        path = f"/api/v2/write?org={self.org}&bucket={bucket}&precision={precision}"
        self.answer("POST", path, "\n".join(lines))

    def flux(self, query: str) -> str:
        """The CSV that a Flux query answers with."""
        dialect = {"annotations": [], "header": True}
        body = {"query": query, "type": "flux", "dialect": dialect}
        path = f"/api/v2/query?org={self.org}"
        status, data = self.call("POST", path, body, accept="application/csv")
        assert status == 200, data
        return data.decode()

    @contextmanager
    def bucket(self, retention_seconds: int = 0) -> Iterator[InfluxDbConnection]:
        """An empty bucket, removed in the end."""
        name = f"test-{uuid.uuid4().hex}"
        bucket_id = self.make_bucket(name, retention_seconds)
        yield InfluxDbConnection(self.url, self.token, self.org, name, timeout_seconds=30)
        self.call("DELETE", f"/api/v2/buckets/{bucket_id}")


class InfluxdProcess:
    """An influxd with a folder and a port of its own; it may be started again after its end.

    With certificates it serves over TLS.
    """

    def __init__(
        self, binary: Path, folder: Path, certificates: Certificates | None = None
    ) -> None:
        self._binary = binary
        self._certificates = certificates
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        scheme = "http" if certificates is None else "https"
        ca_file = None if certificates is None else certificates.ca_file
        self.server = InfluxServer(f"{scheme}://127.0.0.1:{self._port}", TOKEN, ORG, ca_file)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the server and returns when it serves; the first time it is set up as well."""
        is_new = not (self._folder / "bolt").exists()
        self._folder.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            self._binary,
            f"--bolt-path={self._folder / 'bolt'}",
            f"--engine-path={self._folder / 'engine'}",
            f"--sqlite-path={self._folder / 'sqlite'}",
            f"--http-bind-address=127.0.0.1:{self._port}",
            "--reporting-disabled",
            "--log-level=error",
        ]
        if self._certificates is not None:
            command.append(f"--tls-cert={self._certificates.certificate}")
            command.append(f"--tls-key={self._certificates.key}")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        self._wait()
        if is_new:
            account = {"username": "test", "password": "test-password"}
            self.server.answer(
                "POST", "/api/v2/setup", {**account, "org": ORG, "bucket": "first", "token": TOKEN}
            )

    def kill(self) -> None:
        """Ends the server as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=20)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def _wait(self) -> None:
        patient = urllib3.Retry(
            400, redirect=0, status_forcelist=[503], backoff_factor=0.02, backoff_max=0.1
        )
        try:
            health = f"{self.server.url}/health"
            self.server.pool().request("GET", health, retries=patient, timeout=5)
        except urllib3.exceptions.HTTPError as error:
            log = (self._folder / "log").read_text()[-2000:]
            raise AssertionError(f"influxd does not start: {error}\n{log}") from error


def find_influxd() -> Path | None:
    """An influxd 2: the one that INFLUXD names, of PATH, or that tools/influxd/build built."""
    if named := os.environ.get("INFLUXD"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    on_path = shutil.which("influxd")
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(cache.glob("candle-ingestor/influxd-v2.*/influxd"), reverse=True)
    return next((path for path in candidates if _is_version_2(path)), None)


def outside_server() -> InfluxServer | None:
    """The server that INFLUXDB_TEST_URL names, if it does."""
    url = os.environ.get("INFLUXDB_TEST_URL")
    if not url:
        return None
    token = os.environ.get("INFLUXDB_TEST_TOKEN", "")
    return InfluxServer(url.rstrip("/"), token, os.environ.get("INFLUXDB_TEST_ORG", ORG))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_version_2(binary: Path) -> bool:
    told = subprocess.run([binary, "version"], capture_output=True, text=True, check=False)
    return "InfluxDB v2." in told.stdout or "InfluxDB 2." in told.stdout
