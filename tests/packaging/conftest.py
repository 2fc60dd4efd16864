"""A small checkout with the real launcher and set-up, and a package index of one package."""

import hashlib
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

JOB = """\
import json, os, sys
from importlib.metadata import distributions
installed = {d.name: d.version for d in distributions() if d.name.startswith("tiny")}
print(json.dumps({"arguments": sys.argv[1:], "installed": installed, "cwd": os.getcwd()}))
sys.exit(7 if "--fail" in sys.argv else 0)
"""


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


def write_wheel(folder: Path, name: str, version: str) -> Path:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


@dataclass
class PackageIndex:
    """An HTTP package index. While `gate` is closed it answers nothing."""

    folder: Path
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.gate.set()

    def add(self, name: str, version: str) -> str:
        """Puts a package on the index; returns its line in a lock."""
        wheel = write_wheel(self.folder, name, version)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"

    def answer(self, path: str) -> bytes | None:
        parts = path.strip("/").split("/")
        if parts[0] == "simple":
            wheels = self.folder.glob(f"{parts[1]}-*.whl")
            links = [f'<a href="/files/{wheel.name}">{wheel.name}</a>' for wheel in wheels]
            return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
        wheel = self.folder / parts[-1]
        return wheel.read_bytes() if wheel.exists() else None


@contextmanager
def serving(folder: Path) -> Iterator[PackageIndex]:
    index = PackageIndex(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.set()
            index.gate.wait()
            body = index.answer(self.path)
            self.send_response(404 if body is None else 200)
            is_page = self.path.startswith("/simple/")
            self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A pip that was killed has left its connection; that is no error here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield index
        index.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def package_index(tmp_path: Path) -> Iterator[PackageIndex]:
    folder = tmp_path / "index"
    folder.mkdir()
    with serving(folder) as index:
        yield index


@dataclass
class Checkout:
    """A copy of the launcher and its set-up, with a job that prints what it was given."""

    path: Path
    index: PackageIndex

    @property
    def stamp(self) -> Path:
        return self.path / ".venv" / "installed" / "requirements.txt"

    @property
    def development_stamp(self) -> Path:
        return self.stamp.with_name("requirements-dev.txt")

    @property
    def set_up(self) -> Path:
        return self.path / "tools" / "setup_venv"

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        kept.pop("CANDLE_INGESTOR_PYTHON", None)
        pip = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.index.url,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
        }
        return kept | pip | changes

    def start(self, *arguments: str, program: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(program or self.path / "candle-ingestor"), *arguments],
            cwd=self.path.parent,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self,
        *arguments: str,
        program: Path | None = None,
        cwd: Path | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program or self.path / "candle-ingestor"), *arguments],
            cwd=cwd or self.path.parent,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def write_checkout(path: Path, index: PackageIndex) -> Checkout:
    (path / "tools").mkdir(parents=True)
    for name in ("candle-ingestor", "tools/setup_venv", "tools/setup_venv.py"):
        shutil.copy2(ROOT / name, path / name)
    package = path / "services" / "candle_ingestor"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(JOB, encoding="utf-8")
    runtime = index.add("tiny", "1.0")
    (path / "requirements.txt").write_text(runtime, encoding="utf-8")
    development = runtime + index.add("tinydev", "2.0")
    (path / "requirements-dev.txt").write_text(development, encoding="utf-8")
    return Checkout(path, index)


@pytest.fixture
def checkout(tmp_path: Path, package_index: PackageIndex) -> Checkout:
    """A fresh clone."""
    return write_checkout(tmp_path / "a checkout", package_index)


@dataclass
class FirstUse:
    """A checkout after its first use, and how that went. Making a venv takes seconds."""

    folder: Path
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def first_use(tmp_path_factory: pytest.TempPathFactory) -> FirstUse:
    folder = tmp_path_factory.mktemp("set-up")
    (folder / "index").mkdir()
    with serving(folder / "index") as index:
        checkout = write_checkout(folder / "a checkout", index)
        return FirstUse(folder, checkout.run("ingest", "--symbols=BTC/USD", "two words", ""))


@pytest.fixture
def used_checkout(tmp_path: Path, first_use: FirstUse) -> Iterator[Checkout]:
    """A checkout that was set up before, and then copied here."""
    assert first_use.ended.returncode == 0, first_use.ended.stderr
    shutil.copytree(first_use.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    with serving(tmp_path / "index") as index:
        yield Checkout(tmp_path / "a checkout", index)
