"""Files as they lie on disk, and what may be wrong with them."""

import gzip
import struct
import zipfile
from pathlib import Path

import pytest
from archive_files import kraken_text, rows_of, write_checksum, write_zip

from candle_ingestor.archives.containers import files_in
from candle_ingestor.archives.digests import require_checksum, sha256_of
from candle_ingestor.archives.errors import ArchiveError
from candle_ingestor.archives.finding import archives_below
from candle_ingestor.errors import ConfigurationError

TEXT = kraken_text(rows_of(1_672_531_200_000, 2_000))


def content_of(path: Path) -> dict[str, str]:
    found = {}
    for file in files_in(path):
        with file.opened() as stream:
            found[file.path.removeprefix(str(path))] = stream.read().decode()
    return found


def test_a_file_is_read_as_it_is_compressed_or_from_a_zip(tmp_path: Path) -> None:
    plain, packed = tmp_path / "XBTUSD_1.csv", tmp_path / "XBTUSD_1.csv.gz"
    plain.write_text(TEXT)
    packed.write_bytes(gzip.compress(TEXT.encode()))
    alone = write_zip(tmp_path / "alone.zip", {"XBTUSD_1.csv": TEXT})
    many = write_zip(
        tmp_path / "many.zip",
        {
            "b/XBTUSD_1.csv": TEXT,
            "a.csv": "x",
            "README.txt": "",
            "__MACOSX/a.csv": "",
            "in.zip": "",
        },
    )

    assert content_of(plain) == content_of(packed) == content_of(alone) == {"": TEXT}
    assert content_of(many) == {"/a.csv": "x", "/b/XBTUSD_1.csv": TEXT}


def test_a_file_knows_all_that_it_lies_in(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "Q1" / "all.zip", {"inner/XBTUSD_1.csv": TEXT, "a.csv": ""})

    names = files_in(path)[1].names

    assert names[:4] == ("XBTUSD_1.csv", "inner", "all.zip", "Q1")


def test_folders_are_walked_and_each_file_is_found_once(tmp_path: Path) -> None:
    for name in ("b/2.csv", "b/1.ZIP", "a.csv.gz", "c.txt", "b/1.zip.CHECKSUM", "b/._2.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()

    found = archives_below([tmp_path / "b" / "2.csv", tmp_path, tmp_path / "b"])

    names = [str(path.relative_to(tmp_path)) for path in found]
    assert sorted(names) == ["a.csv.gz", "b/1.ZIP", "b/2.csv"]


def test_a_path_that_is_no_archive_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigurationError, match=r"notes\.txt is no archive file"):
        archives_below([tmp_path / "notes.txt"])
    with pytest.raises(ConfigurationError, match="nothing is not there"):
        archives_below([tmp_path / "nothing"])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "whole.zip", {"a.csv": TEXT, "b.csv": TEXT})
    content = whole.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(content[:-100])
    flipped = tmp_path / "flipped.zip"
    flipped.write_bytes(content[:2000] + bytes([content[2000] ^ 0xFF]) + content[2001:])
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(TEXT.encode())[:-20])

    with pytest.raises(ArchiveError, match="damaged zip"):
        files_in(cut)
    for path in (flipped, packed):
        with pytest.raises(ArchiveError, match=r"it is damaged \(.*\); fetch it again"):
            content_of(path)


def overwrite_headers(path: Path, local: int, central: int, value: bytes) -> None:
    """Puts a value into both headers of a zip's only member, at these offsets."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        place = content.index(signature) + offset
        content[place : place + len(value)] = value
    path.write_bytes(bytes(content))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": TEXT})
    overwrite_headers(path, 6, 8, struct.pack("<H", 1))

    with pytest.raises(ArchiveError, match="it is encrypted; unpack it"):
        content_of(path)


def test_a_member_that_unpacks_to_far_more_than_candles_do_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.zip", {"XBTUSD_1.csv": b"0" * 20_000_000})

    with pytest.raises(ArchiveError, match=r"would unpack .* bytes to 20,000,000"):
        content_of(path)


def test_a_member_that_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": TEXT})
    overwrite_headers(path, 22, 24, struct.pack("<I", 1000))

    with pytest.raises(ArchiveError, match="damaged"):
        content_of(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", "2")

    with pytest.raises(ArchiveError, match="two members of one name"):
        files_in(path)


def test_a_published_checksum_is_verified(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-1m-2023-03.zip", {"a.csv": TEXT})
    digest = sha256_of(path)
    assert digest is not None
    require_checksum(path, digest)  # There is none.

    write_checksum(path)
    require_checksum(path, digest)

    write_checksum(path, "0" * 64 + "  x\n")
    with pytest.raises(ArchiveError, match="it is not the file that was published"):
        require_checksum(path, digest)
    write_checksum(path, "<html>\n")
    with pytest.raises(ArchiveError, match="holds no SHA-256"):
        require_checksum(path, digest)


def test_hashing_ends_when_it_is_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TEXT)

    assert sha256_of(path, lambda: True) is None
