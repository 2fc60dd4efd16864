"""Makes .venv from a lock, or adds to it what a lock has more. Run by tools/setup_venv.

A lock counts as installed when .venv/installed/ holds a byte-equal copy of it. The copy is written
last, so that a set-up cut short is never believed; it is removed first, so that nothing else
believes it meanwhile. One set-up runs at a time in a checkout.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed"
SETUP_LOCK = ROOT / ".venv.lock"
LOG = ROOT / ".venv-setup.log"
RUNTIME_LOCK = "requirements.txt"
LOG_TAIL_LINES = 15
EXIT_DEPENDENCY_DOWN = 3


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def is_installed(lock: str) -> bool:
    stamp = INSTALLED / lock
    return (
        os.access(PYTHON, os.X_OK)
        and stamp.is_file()
        and stamp.read_bytes() == (ROOT / lock).read_bytes()
    )


def why_unwritable(error: OSError) -> str:
    """What a user can do who cannot write in the checkout and has no current .venv there."""
    if not VENV.exists():
        state = "there is no .venv in it"
    elif not os.access(PYTHON, os.X_OK):
        state = f"this user cannot run the Python of its .venv ({PYTHON})"
    else:
        state = "its .venv is not current: it lacks what a lock asks for"
    return (
        f"This checkout cannot be written ({error.strerror}: {SETUP_LOCK}), and {state}.\n"
        "Do one of these:\n"
        f"  - Run {ROOT}/candle-ingestor --help once as a user who can write there.\n"
        "    From then on it runs for every user, and writes nothing there.\n"
        f"  - Copy {ROOT} to a folder of your own, and run candle-ingestor there."
    )


@contextlib.contextmanager
def only_set_up() -> Iterator[int]:
    """Holds the checkout's set-up lock; yields its descriptor.

    The kernel frees it when the last process that holds the descriptor ends, however it ends.
    """
    try:
        descriptor = os.open(SETUP_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise SetupError(why_unwritable(error)) from error
        raise
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up of .venv is running; waiting for it ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def run(step: str, command: list[str], lock_descriptor: int) -> None:
    """Runs one step of the set-up with its output in the log.

    The child holds the set-up lock too: should this process be killed, a pip that lives on keeps
    the next set-up waiting instead of writing into its .venv.
    """
    # A user's pip settings must not lead the packages elsewhere.
    environment = os.environ | {"PIP_USER": "0"}
    for elsewhere in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
        environment.pop(elsewhere, None)
    with LOG.open("ab") as log:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(lock_descriptor,),
            check=False,
        )
    if ended.returncode:
        tail = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        raise SetupError(
            "\n".join(f"    {line}" for line in tail)
            + f"\nSetting up .venv failed at: {step}. The whole output is in {LOG}.\n"
            "If the package index could not be reached, check the network, HTTPS_PROXY and "
            "`pip config list`; then run the command again."
        )


def make_venv(lock_descriptor: int) -> None:
    if VENV.is_symlink() or VENV.is_file():
        # What a link leads to belongs to somebody else.
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.rmtree(VENV)
    # The resolved interpreter, so that its removal by an upgrade shows as a dangling link.
    base_python = os.path.realpath(sys.executable)
    run("python -m venv", [base_python, "-I", "-m", "venv", str(VENV)], lock_descriptor)
    site_packages = next(VENV.glob("lib/python*/site-packages"))
    # Relative to site-packages, so that a moved checkout keeps working.
    services = os.path.relpath(ROOT / "services", site_packages)
    (site_packages / "services.pth").write_text(services + "\n", encoding="utf-8")


def install(locks: list[str], lock_descriptor: int) -> None:
    command = [str(PYTHON), "-I", "-m", "pip", "install", "--require-hashes", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off"]
    for lock in locks:
        command += ["-r", str(ROOT / lock)]
    run("pip install", command, lock_descriptor)


def write_stamps(contents: dict[str, bytes]) -> None:
    INSTALLED.mkdir(exist_ok=True)
    for lock, content in contents.items():
        unfinished = INSTALLED / f"{lock}.tmp"
        unfinished.write_bytes(content)
        unfinished.replace(INSTALLED / lock)


def set_up(wanted: str) -> None:
    locks = list(dict.fromkeys([RUNTIME_LOCK, wanted]))
    with only_set_up() as lock_descriptor:
        if all(is_installed(lock) for lock in locks):
            return
        # Read before pip does: a lock edited meanwhile is then seen as changed by the next start.
        contents = {lock: (ROOT / lock).read_bytes() for lock in locks}
        LOG.write_bytes(b"")
        if is_installed(RUNTIME_LOCK) and not (INSTALLED / wanted).exists():
            say("Adding the development packages to .venv ...")
        else:
            changed = INSTALLED.exists()
            why = "the lock or Python changed" if changed else "first use"
            say(f"Setting up .venv ({why}, about a minute) ...")
            make_venv(lock_descriptor)
        install(locks, lock_descriptor)
        write_stamps(contents)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    [wanted] = arguments
    try:
        set_up(wanted)
    except SetupError as error:
        say(str(error))
        return EXIT_DEPENDENCY_DOWN
    except OSError as error:
        say(f"Setting up .venv failed: {error}. Mend that, then run the command again.")
        return EXIT_DEPENDENCY_DOWN
    except KeyboardInterrupt:
        say("Setting up .venv was interrupted; the next start begins it anew.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
