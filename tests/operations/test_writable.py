import errno
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.writable import (
    FullDiskError,
    require_writable,
    require_writable_file,
    write_named_file,
)


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    require_writable("--data_root", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_yet_to_be_made_is_not_made(tmp_path: Path) -> None:
    require_writable("--data_root", tmp_path / "a" / "b" / "c")

    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_looked_for_where_the_job_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    require_writable("--data_root", Path("data/csv"))
    require_writable("--run_report_path", Path())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "below", "far/below"])
def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / below

    with pytest.raises(ConfigurationError) as caught:
        require_writable("--data_root", folder)

    message = str(caught.value)
    assert message.startswith(f"--data_root: cannot write into {folder}: ")
    assert "choose another path" in message
    assert caught.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigurationError, match="Permission denied"):
            require_writable("--data_root", tmp_path / "csv")
    finally:
        tmp_path.chmod(0o700)


def test_a_disk_that_takes_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)

    with pytest.raises(ConfigurationError, match=r"--sqlite_path.*Read-only file system"):
        require_writable("--sqlite_path", tmp_path)


def test_a_named_file_that_cannot_be_written_is_told_with_its_flag(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.mkdir()

    with pytest.raises(ConfigurationError) as refused:
        write_named_file("--run_report_path", path, "{}\n")

    assert str(refused.value) == f"--run_report_path: cannot write {path}: Is a directory"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_a_full_disk_is_no_mistake_of_the_flag() -> None:
    with pytest.raises(FullDiskError, match="--output: cannot write /dev/full: No space left"):
        write_named_file("--output", Path("/dev/full"), "told")

    assert FullDiskError.exit_code == 3


def test_a_named_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "told" * 100_000
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    require_writable_file("--output", pipe)
    write_named_file("--output", pipe, text)
    reader.join(10)

    assert heard == [text]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_an_open_file_of_the_process_is_added_to_and_not_replaced(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with told.open("wb") as file:
        file.write(b"before\n")
        file.flush()
        path = Path(f"/proc/self/fd/{file.fileno()}")
        require_writable_file("--output", path)
        write_named_file("--output", path, "told\n")

        assert path.is_symlink()
        assert told.read_text() == "before\ntold\n"
