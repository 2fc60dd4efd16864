"""Exports killed before any of their changes of the file system, and what the next one makes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import CHANGING_CALLS, Killed, changing_calls, killed_before_call
from partition_exports import (
    EXPORT,
    FEBRUARY,
    HOUR_MS,
    JANUARY,
    MARCH,
    Export,
    assert_manifest_describes_its_files,
    changing_export,
    contents,
    hourly,
    manifest_of,
    opens_in,
    revised,
)

from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_loader import load

Read = Callable[[Interval], pl.DataFrame]

RANDOM_KILLS = int(os.environ.get("CANDLE_KILLS", "40"))
SUPPORT = Path(__file__).parent.parent / "support"


def kill(export: Export, data_root: Path, number: int) -> bool:
    """Whether the export needed more changing calls than that and so was killed."""
    with killed_before_call(number):
        try:
            export.to(data_root)
        except Killed:
            return True
    return False


def dearer(interval: Interval) -> pl.DataFrame:
    return hourly(interval, price=102.0)


def with_fewer_trades(interval: Interval) -> pl.DataFrame:
    return hourly(interval, price=103.0).filter(HOUR % 2 == 1)


def with_two_trades(interval: Interval) -> pl.DataFrame:
    """One in each of the months, the second at its end."""
    first, last = JANUARY.start_ms // HOUR_MS + 100, MARCH.start_ms // HOUR_MS - 1
    return hourly(interval, price=104.0).filter(HOUR.is_in([first, last]))


HOUR = pl.col("open_time_ms") // HOUR_MS
OPEN = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms - HOUR_MS)


@pytest.mark.parametrize(
    "first",
    [EXPORT, replace(EXPORT, coverage=OPEN), None],
    ids=["complete months", "an open month", "nothing"],
)
@pytest.mark.parametrize("restate", [True, False])
@pytest.mark.parametrize("file_format", list(ExportFormat))
def test_whatever_was_killed_the_next_export_makes_files_and_manifest_agree(
    tmp_path: Path, first: Export | None, restate: bool, file_format: ExportFormat
) -> None:
    export = replace(EXPORT, file_format=file_format)
    number = 0
    is_killed = True
    while is_killed:
        root = tmp_path / str(number)
        if first is not None:
            replace(first, file_format=file_format).to(root)
        is_killed = kill(replace(export, read=revised, restate=restate), root, number)
        # The killed one's months are not named: the note that it left does that.
        folder = replace(export, read=dearer, months={}).to(root).folder
        assert_manifest_describes_its_files(folder)
        assert not [name for name in contents(folder) if "/." in f"/{name}"]
        assert replace(export, read=dearer).mended_in(root) == []
        number += 1
    assert number > 5 or (first is EXPORT and not restate)


def test_a_restatement_that_was_killed_is_finished_with_what_is_known_then(tmp_path: Path) -> None:
    """Though the store has changed once more (defect U)."""
    outcomes = set()
    number = 0
    is_killed = True
    while is_killed:
        root = tmp_path / str(number)
        EXPORT.to(root)
        is_killed = kill(replace(EXPORT, read=revised, restate=True), root, number)
        replaced = [
            month
            for month in (JANUARY, FEBRUARY)
            if b",10100," in contents(root)[f"aggregated/BTCUSDT_1h/2024/{month}.csv"]
        ]
        result = replace(EXPORT, read=dearer).to(root)
        assert_manifest_describes_its_files(result.folder)
        if is_killed:
            assert set(replaced) - set(result.restated) <= set(result.refused)
            outcomes.add(result.restated)
        else:
            assert result.refused == (JANUARY, FEBRUARY)
        number += 1
    assert outcomes == {(), (JANUARY,), (JANUARY, FEBRUARY)}


def test_a_restatement_killed_between_file_and_manifest_needs_no_asking_again(
    tmp_path: Path,
) -> None:
    folder = EXPORT.to(tmp_path).folder
    before = (folder / "manifest.json").read_bytes()
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_FEBRUARY.format(support=str(SUPPORT)), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert ",10100," in (folder / "2024/2024-01.csv").read_text()
    assert (folder / "manifest.json").read_bytes() == before

    result = replace(EXPORT, read=dearer, months={FEBRUARY: None}).to(tmp_path)
    assert (result.restated, result.refused) == ((JANUARY,), (FEBRUARY,))
    assert ",10200," in (folder / "2024/2024-01.csv").read_text()
    assert_manifest_describes_its_files(folder)
    assert EXPORT.mended_in(tmp_path) == []


KILLED_BEFORE_FEBRUARY = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {support!r})
import partition_exports as t
def read(interval):
    if interval.start_ms >= t.FEBRUARY.start_ms:
        os.kill(os.getpid(), signal.SIGKILL)
    return t.revised(interval)
replace(t.EXPORT, read=read, restate=True).to(Path(sys.argv[1]))
"""


def test_a_finished_month_is_not_changed_for_a_note_that_was_not_removed(tmp_path: Path) -> None:
    """Killed at its very last step, the export was done."""
    with killed_before_call(1000) as passed:
        EXPORT.to(tmp_path / "counted")
    names = [call.name for call in passed]
    last_unlink = len(names) - 1 - names[::-1].index("unlink")
    root = tmp_path / "killed"
    assert kill(EXPORT, root, last_unlink)
    assert (root / "aggregated/BTCUSDT_1h/.unfinished_export").exists()
    result = replace(EXPORT, read=revised).to(root)
    assert result.refused == (JANUARY, FEBRUARY)
    assert_manifest_describes_its_files(result.folder)


def test_files_that_a_killed_writer_left_are_removed(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    for name in (".manifest.json.tmp", "2024/.2024-01.csv.tmp"):
        (folder / name).write_text("half a fi")
    EXPORT.to(tmp_path)
    assert set(contents(folder)) == {"2024/2024-01.csv", "2024/2024-02.csv", "manifest.json"}


def forget_history(files: dict[str, bytes]) -> None:
    """What was restated on the way is told of for good."""
    for name, content in files.items():
        if name.endswith("manifest.json"):
            manifest = json.loads(content)
            for entry in manifest["months"].values():
                entry.pop("history", None)
            files[name] = json.dumps(manifest).encode()


reads = st.sampled_from([hourly, revised, dearer, with_fewer_trades, with_two_trades])
ends = st.integers(1, 60 * 24).map(lambda hour: JANUARY.start_ms + hour * HOUR_MS)
steps = st.tuples(reads, ends, st.integers(0, 60), st.booleans())


def load_all(root: Path) -> pl.DataFrame | None:
    """What a reader sees, without waiting; None where nothing was exported yet."""
    if not (root / "aggregated/BTCUSDT_1h/manifest.json").exists():
        return None
    return load(root, "aggregated", "BTC/USDT", timeframe="1h", patience_seconds=0).frame


def index_of(state: pl.DataFrame | None, states: list[pl.DataFrame | None]) -> int:
    """Which of these states it is."""
    for index, each in enumerate(states):
        if each is state or (each is not None and state is not None and each.equals(state)):
            return index
    pytest.fail(f"neither the former nor the other state is read, but {state}")


CHANGES = {
    "first export": (None, EXPORT),
    "month in progress grows": (
        replace(EXPORT, coverage=OPEN, closed_end_ms=OPEN.end_ms),
        EXPORT,
    ),
    "month in progress is revised": (
        replace(EXPORT, coverage=OPEN, closed_end_ms=OPEN.end_ms),
        replace(EXPORT, read=revised),
    ),
    "restatement": (EXPORT, replace(EXPORT, read=revised, restate=True)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_reader_sees_all_of_the_former_export_or_all_of_the_other_wherever_it_is_killed(
    tmp_path: Path, name: str
) -> None:
    """And again where the export after it is killed, too, before it has come to an end."""
    first, second = CHANGES[name]
    if first is not None:
        first.to(tmp_path / "former")
    second.to(tmp_path / "other")
    states = [load_all(tmp_path / root) for root in ("former", "other")]
    with killed_before_call(1 << 30) as passed:
        second.to(tmp_path / "counted")
    assert {call.name for call in passed} <= set(CHANGING_CALLS)
    number, seen = 0, set()
    is_killed = True
    while is_killed:
        root = tmp_path / f"{name} {number}"
        if first is not None:
            first.to(root)
        is_killed = kill(second, root, number)
        seen.add(index_of(load_all(root), states))
        kill(second, root, number % 12)
        index_of(load_all(root), states)
        second.to(root)
        assert index_of(load_all(root), states) == 1
        number += 1
    assert seen == {0, 1}


@pytest.mark.parametrize("seed", range(RANDOM_KILLS // 20))
def test_random_kills_leave_what_was_or_what_was_to_be(tmp_path: Path, seed: int) -> None:
    """Twenty exports of a changing store, each killed at random; CANDLE_KILLS=500 for more."""
    chance = random.Random(seed)
    root = tmp_path / "data"
    furthest_ms = JANUARY.start_ms
    for number in range(20):
        end_ms = JANUARY.start_ms + chance.randint(1, 60 * 24) * HOUR_MS
        furthest_ms = max(furthest_ms, end_ms)
        export = replace(
            EXPORT,
            read=chance.choice([hourly, hourly, revised, dearer, with_fewer_trades]),
            coverage=IntervalSet.of(JANUARY.start_ms, end_ms),
            closed_end_ms=furthest_ms,
            restate=chance.random() < 0.5,
        )
        whole = tmp_path / str(number)
        root.mkdir(exist_ok=True)
        shutil.copytree(root, whole)
        former = load_all(root)
        with changing_calls() as calls:
            export.to(whole)
        if calls:
            assert kill(export, root, chance.randrange(len(calls)))
        index_of(load_all(root), [former, load_all(whole)])
    folder = EXPORT.to(root).folder
    assert_manifest_describes_its_files(folder)
    assert not [name for name in contents(folder) if "/." in f"/{name}"]


@pytest.mark.parametrize("seed", range(max(1, RANDOM_KILLS // 20)))
def test_a_process_that_is_killed_leaves_what_was_or_what_was_to_be(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    root, whole = tmp_path / "data", tmp_path / "whole"
    with subprocess.Popen(
        [sys.executable, "-c", EXPORTING.format(support=str(SUPPORT)), str(root)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as exporting:
        assert exporting.stdout is not None
        begun = chance.randint(1, 15)
        for line in exporting.stdout:
            if int(line) == begun:
                break
        with suppress(subprocess.TimeoutExpired):
            exporting.wait(chance.uniform(0, 0.02))
        exporting.kill()
        begun = int([str(begun), *exporting.stdout.read().splitlines()][-1])
    states = []
    for number in range(begun + 1):
        changing_export(number).to(whole)
        states.append(load_all(whole))
    index_of(load_all(root), states[-2:])


EXPORTING = """
import itertools, sys
from pathlib import Path
sys.path.insert(0, {support!r})
import partition_exports as t
for number in itertools.count():
    print(number, flush=True)
    t.changing_export(number).to(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("file_format", list(ExportFormat))
@pytest.mark.parametrize("fill", list(Fill))
@settings(max_examples=12)
@given(steps=st.lists(steps, min_size=1, max_size=5), last=steps)
def test_any_order_of_exports_kills_and_changes_ends_in_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    file_format: ExportFormat,
    fill: Fill,
    steps: list[tuple[Callable[[Interval], pl.DataFrame], int, int, bool]],
    last: tuple[Callable[[Interval], pl.DataFrame], int, int, bool],
) -> None:
    root = tmp_path_factory.mktemp("data")
    of_kind = replace(EXPORT, file_format=file_format, fill=fill)
    furthest_ms = JANUARY.start_ms
    for read, end_ms, number, restate in steps:
        furthest_ms = max(furthest_ms, end_ms)
        export = replace(
            of_kind,
            read=read,
            coverage=IntervalSet.of(JANUARY.start_ms, end_ms),
            closed_end_ms=furthest_ms,
            restate=restate,
        )
        kill(export, root, number)
    read, end_ms, _, _ = last
    final = replace(
        of_kind,
        read=read,
        coverage=IntervalSet.of(JANUARY.start_ms, end_ms),
        closed_end_ms=max(furthest_ms, end_ms),
    )
    folder = final.to(root).folder
    assert_manifest_describes_its_files(folder)
    final = replace(final, restate=True)
    final.to(root)
    assert_manifest_describes_its_files(folder)
    fresh = tmp_path_factory.mktemp("fresh")
    final.to(fresh)
    expected = contents(fresh)
    made = contents(root)
    forget_history(made)
    forget_history(expected)
    told = manifest_of(folder)["months"]
    if len(told) > len(manifest_of(fresh / folder.relative_to(root))["months"]):
        # A month that was told of once is told of until the folder goes.
        february = folder.relative_to(root) / told["2024-02"]["file"]
        assert not opens_in(made.pop(str(february)), february.name)
        expected = {name: expected[name] for name in made if not name.endswith("manifest.json")}
        made = {name: made[name] for name in expected}
    assert made == expected


@pytest.mark.parametrize("file_format", list(ExportFormat))
@settings(max_examples=12)
@given(
    february=reads,
    steps=st.lists(
        st.tuples(st.sampled_from([JANUARY, FEBRUARY]), reads, st.integers(0, 25)), max_size=4
    ),
)
def test_whatever_changes_in_one_month_reaches_the_flat_bars_of_the_next(
    tmp_path_factory: pytest.TempPathFactory,
    file_format: ExportFormat,
    february: Read,
    steps: list[tuple[Month, Read, int]],
) -> None:
    """Though only the month that changed is named."""
    root = tmp_path_factory.mktemp("data")
    of_kind = replace(EXPORT, file_format=file_format, fill=Fill.FLAT, restate=True)
    parts: dict[Month, Read] = {JANUARY: hourly, FEBRUARY: february}
    replace(of_kind, read=joined(parts)).to(root)
    for month, read, number in steps:
        parts[month] = read
        export = replace(of_kind, read=joined(parts), months={month: None})
        kill(export, root, number)
        export.to(root)
    fresh = tmp_path_factory.mktemp("fresh")
    replace(of_kind, read=joined(parts)).to(fresh)
    made, expected = contents(root), contents(fresh)
    forget_history(made)
    forget_history(expected)
    assert made == expected


def joined(parts: Mapping[Month, Read]) -> Read:
    """The candles of January and those of February."""
    is_early = pl.col("open_time_ms") < FEBRUARY.start_ms
    january, february = parts[JANUARY], parts[FEBRUARY]

    def read(interval: Interval) -> pl.DataFrame:
        return pl.concat([january(interval).filter(is_early), february(interval).filter(~is_early)])

    return read
