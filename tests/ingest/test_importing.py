"""Importing files over a ledger, with a store that fails at any write."""

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from archive_files import Row, kraken_text, rows_of, write_zip
from crashing_store import CrashingStore
from heard_progress import HeardProgress

from candle_ingestor.archives import blocks
from candle_ingestor.archives.layout import parse_columns
from candle_ingestor.archives.recognising import Naming
from candle_ingestor.ingest.import_finding import find_files
from candle_ingestor.ingest.import_report import FileReport
from candle_ingestor.ingest.importing import Importer, ImportRules
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.imported_file import FileStatus, KnownFiles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import MergeBasis, Merging, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore

MINUTE_MS = 60_000
START_MS = 1_672_531_200_000
NOW_MS = START_MS + 1000 * 86_400_000
SERIES = Series("kraken", Symbol("BTC", "USD"), Timeframe(1))
MERGED = Series.merged(SERIES.symbol, SERIES.timeframe)
EVERYTHING = Interval(0, 2**60)
BY_NAME = Naming()
ROWS = [row for n, row in enumerate(rows_of(START_MS, 60)) if n % 7]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block has a few lines."""
    cut = blocks.blocks_of
    monkeypatch.setattr(
        "candle_ingestor.archives.reader.blocks_of", lambda stream: cut(stream, block_bytes=300)
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Q1_2023" / "XBTUSD_1.csv"
    path.parent.mkdir()
    path.write_text(kraken_text(ROWS))
    return path


def import_all_into(store: Store, path: Path) -> list[FileReport]:
    known = KnownFiles(store.read_imported_files())
    importer = Importer(Ledger(store), known, ImportRules(5), lambda: NOW_MS, HeardProgress())
    return list(importer.import_all(find_files([path], BY_NAME).files))


def import_into(
    store: Store,
    path: Path,
    now_ms: int = NOW_MS,
    refetch: int = 0,
    naming: Naming = BY_NAME,
    **rules: bool,
) -> FileReport:
    known = KnownFiles(store.read_imported_files())
    progress = HeardProgress()
    importer = Importer(
        Ledger(store), known, ImportRules(5, refetch, **rules), lambda: now_ms, progress
    )
    (report,) = importer.import_all(find_files([path], naming).files)
    return report


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS)


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def stored(store: Store) -> list[Row]:
    return store.read_candles(SERIES, EVERYTHING).rows()


def test_after_a_failure_at_any_write_the_next_import_leaves_what_an_undisturbed_one_does(
    tmp_path: Path, file: Path
) -> None:
    with closing(SqliteStore(tmp_path / "undisturbed")) as store:
        import_into(store, file)
        records = store.read_records()
        assert stored(store) == ROWS
    writes = 0
    while True:
        with closing(SqliteStore(tmp_path / f"store{writes}")) as real:
            crashing = CrashingStore(real, fail_at=writes + 1)
            try:
                report = import_into(crashing, file)
            except StoreUnavailableError:
                covered = real.read_records()[SERIES].covered if writes else IntervalSet()
                assert [row for row in stored(real) if covered.contains(row[0])] == [
                    row for row in ROWS if covered.contains(row[0])
                ]
                assert real.read_imported_files() == []
                writes += 1
                report = import_into(real, file)
            else:
                assert writes > 10
                break
            assert report.status is FileStatus.IMPORTED
            assert stored(real) == ROWS
            assert real.read_records() == records


def test_a_file_that_is_described_otherwise_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    mistaken, right = (
        Naming("kraken", parse_columns(columns), SERIES)
        for columns in (
            "time:ms,volume,open,high,low,close,_",
            "time:ms,_,open,high,low,close,volume",
        )
    )
    doubled = [(*row[:5], 2 * row[5]) for row in ROWS]
    path.write_text(
        "".join(
            f"{row[0]},{twice[5]!r},{','.join(map(repr, row[1:]))}\n"
            for row, twice in zip(ROWS, doubled, strict=True)
        )
    )
    with closing(SqliteStore(tmp_path / "store")) as store:
        import_into(store, path, naming=mistaken)
        assert stored(store) == doubled

        assert import_into(store, path, naming=right).status is FileStatus.IMPORTED
        assert stored(store) == ROWS
        assert import_into(store, path, naming=right).status is FileStatus.UNCHANGED


def test_two_files_of_a_zip_that_are_told_apart_by_their_folders_are_both_imported(
    tmp_path: Path,
) -> None:
    texts = {name: kraken_text(ROWS[at : at + 5]) for name, at in (("one", 10), ("two", 20))}
    assert len(texts["one"]) == len(texts["two"])
    members = {f"{name}/XBTUSD_1.csv": text for name, text in texts.items()}
    path = write_zip(tmp_path / "history.zip", members)
    with closing(SqliteStore(tmp_path / "store")) as store:
        first, second = import_all_into(store, path)
        assert first.status is second.status is FileStatus.IMPORTED
        assert stored(store) == ROWS[10:15] + ROWS[20:25]
        (tmp_path / "elsewhere").mkdir()
        moved = path.rename(tmp_path / "elsewhere" / path.name)
        again = import_all_into(store, moved)
        assert {report.status for report in again} == {FileStatus.UNCHANGED}


def test_a_file_that_is_moved_to_the_folder_of_its_quarter_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "XBTUSD_1.csv"
    path.write_text(kraken_text(ROWS))
    with closing(SqliteStore(tmp_path / "store")) as store:
        import_into(store, path)
        quarter = tmp_path / "2023Q1"
        quarter.mkdir()
        moved = path.rename(quarter / path.name)

        assert import_into(store, moved).status is FileStatus.IMPORTED
        assert store.read_records()[SERIES].covered == span(0, 90 * 24 * 60)


def test_progress_goes_from_nothing_to_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "XBTUSD_1.csv"
    path.write_text(kraken_text(rows_of(START_MS, 2_000)))
    progress = HeardProgress()
    with closing(SqliteStore(tmp_path / "store")) as store:
        for _ in range(2):
            importer = Importer(
                Ledger(store),
                KnownFiles(store.read_imported_files()),
                ImportRules(5),
                lambda: NOW_MS,
                progress,
            )
            list(importer.import_all(find_files([path], Naming()).files))
    first, second = progress.phases
    for phase in (first, second):
        assert phase.name == "Importing"
        assert phase.done == phase.expected == {"kB": round(path.stat().st_size / 1000)}
    assert first.worked == first.done
    assert not +second.worked


def test_what_is_provisional_stays_so_and_is_compared(tmp_path: Path, file: Path) -> None:
    with closing(SqliteStore(tmp_path / "store")) as store:
        mine = [(*row[:5], 9.0) for row in ROWS if row[0] < START_MS + 10 * MINUTE_MS]
        newest = span(8, 10)
        Ledger(store).replace([Replacement(SERIES, span(0, 10), frame(mine), span(0, 10), newest)])

        report = import_into(store, file)

        record = store.read_records()[SERIES]
        assert record.provisional == newest
        assert report.differences.count == len(mine)
        assert stored(store)[: len(mine)] == mine
        assert stored(store)[len(mine) :] == ROWS[len(mine) :]
        assert record.coverage.origins[Origin.ARCHIVE] == record.covered - span(0, 10)


def test_a_bad_row_takes_nothing_back_that_is_known(tmp_path: Path, file: Path) -> None:
    with closing(SqliteStore(tmp_path / "store")) as store:
        import_into(store, file)
        before = store.read_records()[SERIES]
        lines = kraken_text(ROWS).splitlines()
        lines[5] = lines[5].replace(",", ",-", 1)
        file.write_text("\n".join(lines))

        for preferred in (False, True):
            import_into(store, file, skips_bad_rows=True, prefers_archive=preferred)

            assert stored(store) == ROWS
            assert store.read_records()[SERIES] == before


def test_what_is_made_from_a_series_is_no_longer_covered_where_a_file_changed_it(
    tmp_path: Path, file: Path
) -> None:
    with closing(SqliteStore(tmp_path / "store")) as store:
        ledger = Ledger(store)
        known = span(0, 60)
        basis = MergeBasis(MergeRules(("kraken",), 1), (SERIES,))
        ledger.replace([Replacement(SERIES, known, frame(ROWS[:3]), known)])
        ledger.update({MERGED: SeriesRecord(merging=Merging(basis))})
        merged = frame(ROWS[:3]).with_columns(
            source_exchanges=pl.lit("kraken"), exchange_count=pl.lit(1, dtype=pl.Int64)
        )
        ledger.replace([Replacement(MERGED, known, merged, known, basis=basis)])

        import_into(store, file, prefers_archive=True)

        changed = IntervalSet((row[0], row[0] + MINUTE_MS) for row in ROWS[3:])
        assert store.read_records()[MERGED].covered == known - changed


def test_what_closed_just_now_is_to_be_read_again(tmp_path: Path, file: Path) -> None:
    with closing(SqliteStore(tmp_path / "store")) as store:
        import_into(store, file, now_ms=START_MS + 60 * MINUTE_MS + 6_000, refetch=2)

        record = store.read_records()[SERIES]
        assert record.covered == span(0, 60)
        assert record.provisional == span(58, 60)


def test_rejected_minutes_have_their_reason(tmp_path: Path, file: Path) -> None:
    lines = kraken_text(ROWS).splitlines()
    lines[5] = lines[5].replace(",", ",-", 1)
    file.write_text("\n".join(lines))
    with closing(SqliteStore(tmp_path / "store")) as store:
        import_into(store, file, skips_bad_rows=True)

        minute = IntervalSet.of(ROWS[5][0], ROWS[5][0] + MINUTE_MS)
        record = store.read_records()[SERIES]
        assert record.coverage.reasons == {GapReason.REJECTED: minute}
        assert not record.covered & minute
