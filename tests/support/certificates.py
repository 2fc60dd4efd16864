"""An authority of the tests' own, and a server's certificate signed by it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMES = "subjectAltName=DNS:localhost,DNS:exchange.test,IP:127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority, a server's certificate for NAMES and its key, and a stranger.

    The stranger is another authority, which has signed nothing of these.
    """

    ca_file: Path
    certificate: Path
    key: Path
    stranger: Path


def make_certificates(openssl: str, folder: Path) -> Certificates:
    for name in ("authority", "stranger"):
        _run(
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "7", "-subj", f"/CN={name} of the tests"),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem"),
            folder=folder,
        )
    _run(
        *(openssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"),
        folder=folder,
    )
    (folder / "names").write_text(NAMES + "\n", encoding="ascii")
    _run(
        *(openssl, "x509", "-req", "-in", "server.csr", "-days", "7", "-extfile", "names"),
        *("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"),
        *("-out", "server.pem"),
        folder=folder,
    )
    return Certificates(
        folder / "authority.pem",
        folder / "server.pem",
        folder / "server.key",
        folder / "stranger.pem",
    )


def _run(*command: str, folder: Path) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
