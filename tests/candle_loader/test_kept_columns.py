"""Complete months are parsed once: their columns are kept in the user's cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from exported_series import FEBRUARY_MS, HOUR_MS, JANUARY_MS, MARCH_MS, export, hourly

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_loader import Candles, LoaderError, load, month_file
from candle_loader.manifest import Month


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CANDLE_LOADER_CACHE", str(folder))
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The months whose text was parsed."""
    months: list[str] = []
    parse = month_file._parsed

    def noted(month: Month, content: bytes):
        months.append(month.path.stem)
        return parse(month, content)

    monkeypatch.setattr(month_file, "_parsed", noted)
    return months


def load_at_once(data_root: Path) -> Candles:
    return load(data_root, "kraken", "BTC/USD", timeframe="1h", patience_seconds=0)


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_a_complete_month_is_parsed_once_and_one_in_progress_every_time(
    cache: Path, parsed: list[str], tmp_path: Path
) -> None:
    closed_end_ms = MARCH_MS - 24 * HOUR_MS
    export(tmp_path / "csv", IntervalSet.of(JANUARY_MS, closed_end_ms), closed_end_ms)
    first = load_at_once(tmp_path / "csv")
    assert sorted(parsed) == ["2024-01", "2024-02"]
    parsed.clear()
    second = load_at_once(tmp_path / "csv")
    assert parsed == ["2024-02"]
    assert second.frame.equals(first.frame)
    assert second.to_numpy().volume.tolist() == first.frame["volume"].to_list()
    january = load(tmp_path / "csv", "kraken", "BTC/USD", "2024-01", "2024-01", "1h").to_numpy()
    assert not january.close.flags.writeable
    assert [path.name[:8] for path in kept(cache)] == ["2024-01-"]


def test_a_file_that_was_touched_is_verified_again(
    cache: Path, parsed: list[str], tmp_path: Path
) -> None:
    folder = export(tmp_path / "csv")
    load_at_once(tmp_path / "csv")
    path = folder / "2024/2024-01.csv"
    status = path.stat()
    content = path.read_bytes()
    path.write_bytes(content.replace(b",100,", b",101,", 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(LoaderError, match="does not have the sha256"):
        load_at_once(tmp_path / "csv")
    path.unlink()
    with pytest.raises(LoaderError, match="is missing"):
        load_at_once(tmp_path / "csv")


def test_a_restated_month_takes_the_place_of_what_was_kept(
    cache: Path, parsed: list[str], tmp_path: Path
) -> None:
    export(tmp_path / "csv")
    load_at_once(tmp_path / "csv")
    before = kept(cache)

    def revised(interval: Interval):
        return hourly(interval).with_columns(high=5000.0)

    export(tmp_path / "csv", read=revised, restate=True)
    for _ in range(2):
        assert load_at_once(tmp_path / "csv").frame["high"].unique().to_list() == [500000]
    assert len(kept(cache)) == len(before) == 2
    assert not set(kept(cache)) & set(before)


@pytest.mark.parametrize("damage", [b"", b"half a column", bytes(48), None])
def test_damaged_columns_are_not_taken(
    cache: Path, parsed: list[str], tmp_path: Path, damage: bytes | None
) -> None:
    export(tmp_path / "csv")
    first = load_at_once(tmp_path / "csv")
    for path in kept(cache):
        content = path.read_bytes()
        middle = len(content) // 2
        zeroed = content[: middle - 8] + bytes(16) + content[middle + 8 :]
        path.write_bytes(zeroed if damage is None else damage)
    parsed.clear()
    assert load_at_once(tmp_path / "csv").frame.equals(first.frame)
    assert sorted(parsed) == ["2024-01", "2024-02"]
    parsed.clear()
    assert load_at_once(tmp_path / "csv").frame.equals(first.frame)
    assert parsed == []


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    cache: Path, parsed: list[str], tmp_path: Path
) -> None:
    cache.write_text("in the way")
    export(tmp_path / "csv")
    for _ in range(2):
        assert load_at_once(tmp_path / "csv").frame.height == 60 * 24
    assert len(parsed) == 4


def test_without_numpy_nothing_is_kept_and_the_same_is_loaded(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "csv")
    with monkeypatch.context() as without_numpy:
        without_numpy.setitem(sys.modules, "numpy", None)
        first = load_at_once(tmp_path / "csv")
        assert kept(cache) == []
    assert load_at_once(tmp_path / "csv").frame.equals(first.frame)
    assert len(kept(cache)) == 2


def test_nothing_is_kept_of_what_was_not_verified_or_where_it_is_off(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "csv")
    load(tmp_path / "csv", "kraken", "BTC/USD", timeframe="1h", verify=False)
    assert kept(cache) == []
    monkeypatch.setenv("CANDLE_LOADER_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    load_at_once(tmp_path / "csv")
    assert kept(cache) == []
    monkeypatch.delenv("CANDLE_LOADER_CACHE")
    load_at_once(tmp_path / "csv")
    assert {path.parent.parent for path in kept(cache)} == {cache / "candle_loader"}


def test_what_was_not_used_for_longest_makes_room(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "csv")
    load_at_once(tmp_path / "csv")
    january, february = kept(cache)
    os.utime(january, (1, 1))
    os.utime(february, (2, 2))
    monkeypatch.setattr("candle_loader.kept.MOST_BYTES", february.stat().st_size)
    monkeypatch.setattr("candle_loader.kept._roomy", set())
    export(tmp_path / "other", exchange="kraken")
    load(tmp_path / "other", "kraken", "BTC/USD", FEBRUARY_MS, timeframe="1h")
    left = kept(cache)
    assert january not in left
    assert february in left
    assert len(left) == 2
