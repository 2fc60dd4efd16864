"""Rule C1 in removing: killed before any write, nothing is claimed that is not there."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crashing_store import CrashingStore
from killing import Killed, killed_before_call
from minutes import BITSTAMP, EVERYTHING, KRAKEN, MERGED, flat, ms, shown, span
from settling import keep_flat, settle_merge, ticker_of
from storing import put

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.merge.weighting import merge_candles
from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.imported_file import FileStatus, ImportedFile
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.operations.progress import NoProgress
from candle_ingestor.prune.plan import PrunePlan, plan_prune
from candle_ingestor.prune.removing import Pruner
from candle_ingestor.settle.exporting import Exporter
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

MARCH = Month(2024, 3)
FIRST, LAST = -30, 30
"""Half an hour on either side of the start of March."""
SOURCES = (KRAKEN, BITSTAMP)
TICKER = ticker_of(*SOURCES, minimum=2)
STATE = {"BTC/USD-backfill": 1, "BTC/USD-catch_up": 2, "ETH/USD-backfill": 3}
PRUNES = {
    "before a time": (None, 10),
    "whole series": (None, None),
    "an exchange before a time": ((KRAKEN,), 10),
    "an exchange": ((KRAKEN,), None),
}


@dataclass
class Place:
    """A store and a folder of partitions with something of everything."""

    store: SqliteStore
    root: Path

    def plan(self, ledger: Ledger, name: str) -> PrunePlan:
        chosen, before = PRUNES[name]
        return plan_prune(
            ledger,
            chosen or (*SOURCES, MERGED),
            None if before is None else ms(before),
            self.root,
            keeps_serving=chosen is None,
        )

    def prune(self, name: str, store: Any = None) -> Pruner:
        ledger = Ledger(store or self.store)
        pruner = Pruner(ledger, "service", NoProgress())
        plan = self.plan(ledger, name)
        pruner.remove(plan)
        pruner.finish(plan)
        return pruner

    def export(self) -> None:
        ledger = Ledger(self.store)
        formats = tuple(ExportFormat)
        wanted = ExportConfig(True, self.root, True, 2, 8, False, formats)
        exporter = Exporter(wanted, ledger, ms(LAST))
        exporter.export(TICKER, TickerOutcome("BTC/USD"))
        exporter.finish()

    def contents(self) -> dict[str, Any]:
        """All that is kept, and the files, once it was counted what a crash left uncounted."""
        ledger = Ledger(self.store)
        ledger.count_unknown(list(ledger.records))
        records = self.store.read_records()
        paths = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {
            "records": records,
            "candles": {
                one: shown(self.store.read_candles(one, EVERYTHING)) for one in (*SOURCES, MERGED)
            },
            "state": self.store.read_state("service"),
            "files": self.store.read_imported_files(),
            "partitions": {str(path.relative_to(self.root)): path.read_bytes() for path in paths},
        }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every place begins with; the records name its folder."""
    folder = tmp_path_factory.mktemp("prune")
    place = Place(SqliteStore(folder / "place/candles.sqlite"), folder / "place/csv")
    ledger = Ledger(place.store)
    for source, price in zip(SOURCES, (10.0, 20.0), strict=True):
        keep_flat(ledger, source, FIRST, LAST, price)
    settle_merge(ledger, TICKER)
    place.export()
    place.store.write_state("service", STATE)
    place.store.write_imported_files([file_of(KRAKEN, FIRST), file_of(KRAKEN, 20)])
    place.store.close()
    (folder / "place").rename(folder / "template")
    return folder / "template"


@pytest.fixture
def new_place(template: Path) -> Iterator[Callable[[], Place]]:
    """Makes the one place as it was in the beginning."""
    folder = template.with_name("place")
    opened: list[SqliteStore] = []

    def make() -> Place:
        for store in opened:
            store.close()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        opened.append(SqliteStore(folder / "candles.sqlite"))
        return Place(opened[-1], folder / "csv")

    yield make
    for store in opened:
        store.close()


def file_of(series: Series, first: int) -> ImportedFile:
    return ImportedFile(
        f"{first}.csv", "ab" * 32, 100, series, FileStatus.IMPORTED, "", 5, 5, ms(first), ms(first)
    )


def assert_nothing_is_claimed_in_vain(store: Store, root: Path) -> None:
    records = store.read_records()
    for source, price in zip(SOURCES, (10.0, 20.0), strict=True):
        if source in records:
            covered = records[source].covered
            stored = store.read_candles(source, EVERYTHING)
            inside = {m: p for m, p in shown(stored).items() if covered.contains(ms(m))}
            whole = {m: price for m in range(FIRST, LAST) if covered.contains(ms(m))}
            assert inside == whole
    if MERGED in records:
        covered = records[MERGED].covered
        right = merge_candles(
            {s.exchange: store.read_candles(s, EVERYTHING) for s in SOURCES},
            {s.exchange: records[s].covered for s in SOURCES if s in records},
            EVERYTHING,
            MERGED.timeframe,
            TICKER.basis.rules,
        )
        assert not covered - right.covered
        merged = shown(store.read_candles(MERGED, EVERYTHING))
        made = shown(right.candles)
        known = [m for m in range(FIRST, LAST) if covered.contains(ms(m))]
        assert [merged.get(m) for m in known] == [made[m] for m in known]
    for manifest in root.rglob("*manifest.json"):
        for entry in json.loads(manifest.read_text())["months"].values():
            content = (manifest.parent / entry["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("name", PRUNES)
def test_a_prune_that_the_store_left_at_any_write_claims_nothing_and_goes_on(
    new_place: Callable[[], Place], name: str
) -> None:
    whole = new_place()
    counting = CrashingStore(whole.store)
    whole.prune(name, counting)
    right = whole.contents()
    assert counting.writes >= 5

    for fail_at in range(1, counting.writes + 1):
        place = new_place()
        with pytest.raises(StoreUnavailableError):
            place.prune(name, CrashingStore(place.store, fail_at))
        assert_nothing_is_claimed_in_vain(place.store, place.root)

        place.prune(name)

        assert place.contents() == right


@pytest.mark.parametrize("name", PRUNES)
def test_a_prune_that_was_killed_between_any_two_files_leaves_readers_a_whole_manifest(
    new_place: Callable[[], Place], name: str
) -> None:
    whole = new_place()
    whole.prune(name)
    right = whole.contents()
    number = 0
    is_killed = True
    while is_killed:
        place = new_place()
        with killed_before_call(number):
            try:
                place.prune(name)
                is_killed = False
            except Killed:
                is_killed = True
        assert_nothing_is_claimed_in_vain(place.store, place.root)
        place.prune(name)
        assert place.contents() == right
        number += 1
    assert number >= 5


def test_what_lies_before_goes_and_what_lies_after_stays(new_place: Callable[[], Place]) -> None:
    place = new_place()

    pruner = place.prune("before a time")
    place.export()

    assert pruner.is_removed
    assert pruner.candles == 3 * 40
    for series in (*SOURCES, MERGED):
        record = place.store.read_records()[series]
        assert record.covered == span(10, LAST)
        assert record.pruned_until_ms == ms(10)
        stored = place.store.read_candles(series, EVERYTHING)
        assert list(shown(stored)) == list(range(10, LAST))
    assert place.store.read_state("service") == STATE
    assert [file.path for file in place.store.read_imported_files()] == ["20.csv"]
    manifests = list(place.root.rglob("*manifest.json"))
    assert len(manifests) == 2 * 3
    for path in manifests:
        manifest = json.loads(path.read_text())
        assert list(manifest["months"]) == ["2024-03"]
        assert manifest["months"]["2024-03"]["rows"] == LAST - 10


def test_a_prune_that_ended_before_it_wrote_files_anew_has_them_left_to_do(
    new_place: Callable[[], Place],
) -> None:
    place = new_place()
    ledger = Ledger(place.store)
    pruner = Pruner(ledger, "service", NoProgress())
    plan = place.plan(ledger, "before a time")
    pruner.remove(plan)

    left = place.plan(Ledger(place.store), "before a time")
    place.export()
    pruner.finish(plan)
    after = place.plan(Ledger(place.store), "before a time")

    assert not left.is_empty
    for cut in left.cuts:
        assert (cut.candles, cut.files) == (0, ())
        assert len(cut.rewritten) == len(cut.folders) > 0
    assert after.is_empty


def test_whole_series_leave_no_trace(new_place: Callable[[], Place]) -> None:
    place = new_place()
    # Of a run that was killed before it wrote its first file.
    (place.root / "kraken/BTCUSD/2023").mkdir()

    place.prune("whole series")

    assert place.store.read_records() == {}
    assert place.store.read_state("service") == {"ETH/USD-backfill": 3}
    assert place.store.read_imported_files() == []
    assert not [path for path in place.root.rglob("*") if path.is_file()]
    assert not [path for path in place.root.rglob("*") if path.name in ("BTCUSD", "timeframe=1m")]


def test_months_of_another_folder_stay_as_they_are_and_are_told_of(
    new_place: Callable[[], Place], tmp_path: Path
) -> None:
    place = new_place()
    other = Place(place.store, tmp_path / "other")
    other.export()
    before = other.contents()["partitions"]

    plan = place.plan(Ledger(place.store), "before a time")
    place.prune("before a time")
    other.export()

    other_root = str(tmp_path / "other")
    assert plan.other_targets == (other_root, f"{other_root} (parquet)")
    after = other.contents()["partitions"]
    february = [name for name in before if "2024-02" in name or "month=02" in name]
    assert len(february) == 2 * 3
    assert {name: after[name] for name in february} == {name: before[name] for name in february}


def test_what_is_imported_after_a_prune_is_exported_again(
    new_place: Callable[[], Place],
) -> None:
    place = new_place()
    before = place.contents()["partitions"]
    place.prune("before a time")
    place.export()
    ledger = Ledger(place.store)
    for source, price in zip(SOURCES, (10.0, 20.0), strict=True):
        keep_flat(ledger, source, FIRST, 10, price)
    settle_merge(ledger, TICKER)

    place.export()

    after = place.contents()["partitions"]
    february = "aggregated/BTCUSD/2024/2024-02.csv"
    assert after[february] == before[february]


def test_leftovers_outside_coverage_go_as_well(new_place: Callable[[], Place]) -> None:
    place = new_place()
    ledger = Ledger(place.store)
    keep_flat(ledger, KRAKEN, -31, -30)
    record = ledger.record(KRAKEN)
    place.prune("whole series", CrashingStore(place.store))
    put(place.store, KRAKEN, flat([-31]), record.withdrawn(record.covered))

    assert Ledger(place.store).record(KRAKEN).covered.duration_ms == 0
    place.prune("whole series")

    assert place.store.read_candles(KRAKEN, EVERYTHING).is_empty()


def test_a_stop_leaves_the_rest_for_the_same_command(new_place: Callable[[], Place]) -> None:
    place = new_place()
    ledger = Ledger(place.store)
    asked: list[int] = []

    def is_to_stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    pruner = Pruner(ledger, "service", NoProgress(), is_to_stop)
    pruner.remove(place.plan(ledger, "whole series"))

    assert not pruner.is_removed
    assert list(place.store.read_records()) == list(Ledger(place.store).records)
    assert_nothing_is_claimed_in_vain(place.store, place.root)
    assert place.prune("whole series").is_removed
    assert place.store.read_records() == {}
