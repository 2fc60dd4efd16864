"""Rules E1 to E4 above the partition writer, on the real SQLite store. Minutes after START_MS."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from minutes import BITSTAMP, KRAKEN, MERGED, candles, ms, span
from settling import keep, keep_flat, settle_merge, settling_of, ticker_of

from candle_ingestor.config import ExportConfig
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY
from candle_ingestor.model.months import Month
from candle_ingestor.model.series_record import Listing, Precision
from candle_ingestor.settle.exporting import Exporter, target_of
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker
from candle_ingestor.stores.sqlite.store import SqliteStore

FEBRUARY, MARCH = Month(2024, 2), Month(2024, 3)
FEBRUARY_START = -29 * 1440
ONE = ticker_of(KRAKEN, BITSTAMP, minimum=1)
TWO = ticker_of(KRAKEN, BITSTAMP, minimum=2)
NOW = 100
"""Minutes of March that are over."""


def config(root: Path, *, restate: bool = False, exchange_candles: bool = False) -> ExportConfig:
    return ExportConfig(True, root, exchange_candles, 2, 8, restate)


def export(
    ledger: Ledger,
    ticker: Ticker,
    root: Path,
    *,
    restate: bool = False,
    exchange_candles: bool = False,
    everything: bool = False,
    mends: bool = False,
    is_killed: bool = False,
) -> TickerOutcome:
    wanted = config(root, restate=restate, exchange_candles=exchange_candles)
    wanted = replace(wanted, mends=mends)
    exporter = Exporter(wanted, ledger, ms(NOW))
    outcome = TickerOutcome("BTC/USD")
    exporter.export(ticker, outcome, everything=everything)
    if not is_killed:
        exporter.finish()
    return outcome


def told(root: Path, month: Month = FEBRUARY) -> dict[str, object]:
    """What the manifest says of the month's rows, completeness and gaps."""
    manifest = json.loads((root / "aggregated/BTCUSD/manifest.json").read_text())
    entry = manifest["months"][str(month)]
    reasons = sorted({gap["reason"] for gap in entry["gaps"]})
    return {"rows": entry["rows"], "complete": entry["complete"], "gaps": reasons}


def opens(root: Path, month: Month = FEBRUARY) -> list[str]:
    path = root / f"aggregated/BTCUSD/{month.year}/{month}.csv"
    return [line.split(",")[1] for line in path.read_text().splitlines()[1:]]


def fill(ledger: Ledger, *exchanges: str, prices: dict[int, float] | None = None) -> None:
    """February and the begun March, known of these exchanges, with a few trades."""
    for series in (KRAKEN, BITSTAMP):
        if series.exchange in exchanges:
            keep(ledger, series, span(FEBRUARY_START, NOW), prices or {-2: 10.0, -1: 10.0, 5: 10.0})


def backlog(ledger: Ledger, root: Path) -> dict[Month, int]:
    return dict(ledger.record(MERGED).exports.backlog[target_of(root)])


def test_every_month_that_is_looked_at_is_counted(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, "kraken", "bitstamp")
    settle_merge(ledger, ONE)
    counted: list[int] = []
    exporter = Exporter(config(tmp_path, exchange_candles=True), ledger, ms(NOW), counted.append)

    assert exporter.months_of(ONE, everything=True) == 6
    exporter.export(ONE, TickerOutcome("BTC/USD"), everything=True)
    assert sum(counted) == 6
    assert max(counted) == 1
    exporter.finish()
    assert exporter.months_of(ONE) == 0


def test_months_are_exported_and_then_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, "kraken", "bitstamp")
    settle_merge(ledger, ONE)

    first = export(ledger, ONE, tmp_path)
    second = export(ledger, ONE, tmp_path)

    folder = tmp_path / "aggregated/BTCUSD"
    assert first.files_written == [f"{folder}/2024/{month}.csv" for month in (FEBRUARY, MARCH)]
    assert second.files_written == []
    assert told(tmp_path) == {"rows": 2, "complete": True, "gaps": []}
    assert told(tmp_path, MARCH) == {"rows": 1, "complete": False, "gaps": []}
    assert ledger.record(MERGED).exports.digits == (2, 8)
    assert backlog(ledger, tmp_path) == {}


def test_a_change_is_brought_to_each_root_by_the_next_export_to_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    keep_flat(ledger, KRAKEN, -10, NOW)
    settle_merge(ledger, ticker_of(KRAKEN))
    for root in (here, there):
        export(ledger, ticker_of(KRAKEN), root)
    keep_flat(ledger, KRAKEN, -1, 0, 12.0)
    settle_merge(ledger, ticker_of(KRAKEN))

    for root in (there, here, there):
        export(Ledger(ledger.store), ticker_of(KRAKEN), root)

    for root in (here, there):
        assert opens(root) == ["1000"] * 9 + ["1200"]


def test_each_format_of_a_root_is_brought_in_line_by_the_next_export_in_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    only = ticker_of(KRAKEN)
    keep_flat(ledger, KRAKEN, -10, NOW)
    settle_merge(ledger, only)
    both = replace(config(tmp_path), formats=tuple(ExportFormat))
    parquet = replace(config(tmp_path), formats=(ExportFormat.PARQUET,))
    table = tmp_path / "parquet/exchange=aggregated/symbol=BTCUSD/timeframe=1m"
    february = table / "year=2024/month=02/candles.parquet"

    first = export_as(both, ledger, only)
    keep_flat(ledger, KRAKEN, -1, 0, 12.0)
    settle_merge(ledger, only)
    second = export_as(parquet, ledger, only)

    assert str(february) in first
    assert len(first) == 4
    assert second == [str(february)]
    exports = ledger.record(MERGED).exports
    assert exports.backlog == {
        target_of(tmp_path): {FEBRUARY: ms(-1)},
        f"{tmp_path} (parquet)": {},
    }
    assert opens(tmp_path) == ["1000"] * 10
    assert pl.read_parquet(february)["open"].to_list() == [1000] * 9 + [1200]
    assert len(export_as(both, ledger, only)) == 1
    assert opens(tmp_path) == ["1000"] * 9 + ["1200"]


def test_a_fill_is_kept_by_exports_that_ask_for_none_and_another_is_refused(
    ledger: Ledger, tmp_path: Path
) -> None:
    only = ticker_of(KRAKEN)
    keep(ledger, KRAKEN, span(-10, NOW), {-9: 10.0, 3: 11.0})
    settle_merge(ledger, only)

    export_as(replace(config(tmp_path), fill=Fill.FLAT), ledger, only)
    keep(ledger, KRAKEN, span(0, NOW), {2: 12.0, 3: 11.0})
    settle_merge(ledger, only)
    export_as(config(tmp_path), ledger, only)

    assert opens(tmp_path) == ["1000"] * 9
    assert opens(tmp_path, MARCH)[:5] == ["1000", "1000", "1200", "1100", "1100"]
    assert list(ledger.record(MERGED).exports.backlog) == [f"{tmp_path} (flat)"]
    exporter = Exporter(replace(config(tmp_path), fill=Fill.NONE), ledger, ms(NOW))
    outcome = TickerOutcome("BTC/USD")
    exporter.export(only, outcome)
    assert "--fill=none is asked for; leave --fill out to keep it" in outcome.errors[0]

    shutil.rmtree(tmp_path / "aggregated")
    export_as(replace(config(tmp_path), fill=Fill.NONE), ledger, only)
    assert list(ledger.record(MERGED).exports.backlog) == [target_of(tmp_path)]
    assert opens(tmp_path) == ["1000"]


def export_as(wanted: ExportConfig, ledger: Ledger, ticker: Ticker) -> list[str]:
    exporter = Exporter(wanted, ledger, ms(NOW))
    outcome = TickerOutcome("BTC/USD")
    exporter.export(ticker, outcome)
    exporter.finish()
    assert outcome.errors == []
    return outcome.files_written


def test_a_month_whose_rows_fell_below_the_minimum_is_exported_so(
    ledger: Ledger, tmp_path: Path
) -> None:
    keep_flat(ledger, KRAKEN, -10, NOW)
    keep_flat(ledger, BITSTAMP, 0, NOW)
    record = ledger.record(BITSTAMP)
    coverage = record.coverage.with_reasons({GapReason.BEYOND_REACH: span(-10, 0)})
    ledger.update({BITSTAMP: replace(record, coverage=coverage)})
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)
    assert told(tmp_path)["rows"] == 10

    settle_merge(ledger, TWO, everything=True)
    export(ledger, TWO, tmp_path)

    found = told(tmp_path)
    assert found["rows"] == 0
    assert GapReason.BELOW_MINIMUM in found["gaps"]  # type: ignore[operator]
    assert told(tmp_path, MARCH)["rows"] == NOW


def test_a_complete_month_changes_only_by_a_restatement_and_stays_to_be_done_until_then(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, "kraken", "bitstamp")
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)
    fill(ledger, "kraken", prices={-2: 20.0, 5: 10.0})
    settle_merge(ledger, ONE)

    refused = export(ledger, ONE, tmp_path)

    assert refused.files_written == []
    assert refused.errors == []
    assert backlog(ledger, tmp_path) == {FEBRUARY: ms(-2)}
    export(Ledger(ledger.store), ONE, tmp_path, restate=True)
    assert opens(tmp_path) == ["1500", "1000"]
    assert backlog(Ledger(ledger.store), tmp_path) == {}


def test_restating_takes_the_rows_of_a_complete_month_below_the_minimum_out(
    ledger: Ledger, tmp_path: Path
) -> None:
    keep(ledger, KRAKEN, span(FEBRUARY_START, NOW), {-2: 10.0, 5: 10.0})
    only = ticker_of(KRAKEN)
    settle_merge(ledger, only)
    export(ledger, only, tmp_path)
    assert told(tmp_path) == {"rows": 1, "complete": True, "gaps": []}

    settle_merge(ledger, TWO, everything=True)
    export(ledger, TWO, tmp_path, restate=True)

    # What bitstamp lacks was never asked for.
    assert told(tmp_path) == {"rows": 0, "complete": False, "gaps": ["not_fetched"]}


def test_a_month_is_not_complete_while_a_source_can_still_be_filled(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, "kraken")
    keep(ledger, BITSTAMP, span(-100, NOW), {})
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)
    assert told(tmp_path) == {"rows": 2, "complete": False, "gaps": []}

    fill(ledger, "bitstamp")
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)

    assert told(tmp_path)["complete"]


def test_what_a_source_can_never_fill_keeps_no_month_open(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, "kraken")
    reasons = {
        GapReason.NOT_LISTED_YET: span(FEBRUARY_START, -500),
        GapReason.BEYOND_REACH: span(-500, -100),
    }
    known = span(-100, NOW)
    ledger.replace([Replacement(BITSTAMP, known, candles({}), known, EMPTY, reasons)])
    settle_merge(ledger, ONE)

    export(ledger, ONE, tmp_path)

    assert told(tmp_path)["complete"]


def test_a_month_is_not_complete_while_a_source_is_provisional_in_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, "kraken", "bitstamp")
    keep(ledger, BITSTAMP, span(-3, 0), {-1: 9.0}, span(-1, 0))
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)
    assert not told(tmp_path)["complete"]

    keep(ledger, BITSTAMP, span(-3, 0), {-2: 8.0, -1: 8.0})
    settle_merge(ledger, ONE)
    export(ledger, ONE, tmp_path)

    assert told(tmp_path)["complete"]
    assert opens(tmp_path) == ["900", "900"]


@pytest.mark.parametrize("days_ago", [1, 40])
def test_a_source_that_was_delisted_long_ago_keeps_no_month_open(
    ledger: Ledger, tmp_path: Path, days_ago: int
) -> None:
    fill(ledger, "kraken")
    end = -1440 * days_ago
    keep(ledger, BITSTAMP, span(end - 100, end), {}, span(end - 1, end))
    record = ledger.record(BITSTAMP)
    ledger.update({BITSTAMP: replace(record, listing=Listing(is_delisted=True))})
    settle_merge(ledger, ONE)

    export(ledger, ONE, tmp_path)

    assert told(tmp_path)["complete"] == (days_ago == 40)


def test_an_export_that_was_killed_before_it_was_noted_is_looked_at_again(
    store: SqliteStore, tmp_path: Path
) -> None:
    ledger = Ledger(store)
    keep_flat(ledger, KRAKEN, -10, NOW)
    only = ticker_of(KRAKEN)
    settle_merge(ledger, only)
    export(ledger, only, tmp_path)
    keep_flat(ledger, KRAKEN, -1, 0, 12.0)
    settle_merge(ledger, only)

    export(Ledger(store), only, tmp_path, is_killed=True)
    assert backlog(Ledger(store), tmp_path) == {FEBRUARY: ms(-1)}
    again = export(Ledger(store), only, tmp_path)

    assert again.files_written == []
    assert opens(tmp_path)[-1] == "1200"
    assert backlog(Ledger(store), tmp_path) == {}


def test_everything_is_compared_where_that_is_asked_for(ledger: Ledger, tmp_path: Path) -> None:
    keep_flat(ledger, KRAKEN, -10, NOW)
    only = ticker_of(KRAKEN)
    settle_merge(ledger, only)
    export(ledger, only, tmp_path)
    path = tmp_path / "aggregated/BTCUSD/2024/2024-02.csv"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-5])

    left_alone = export(ledger, only, tmp_path)
    assert (left_alone.files_written, left_alone.errors) == ([], [])
    named = export(ledger, only, tmp_path, everything=True)
    assert f"{path} is not the file that its manifest tells of" in named.errors[0]
    assert path.read_bytes() == whole[:-5]

    export(ledger, only, tmp_path, everything=True, mends=True)
    assert path.read_bytes() == whole


def test_only_the_months_of_a_span_are_exported_and_the_others_wait(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, "kraken", "bitstamp")
    settle_merge(ledger, ONE)
    march = replace(config(tmp_path), span=MARCH.interval)
    for everything in (True, False):
        exporter = Exporter(march, ledger, ms(NOW))
        outcome = TickerOutcome("BTC/USD")
        assert exporter.months_of(ONE, everything=everything) == everything
        exporter.export(ONE, outcome, everything=everything)
        exporter.finish()
        assert len(outcome.files_written) == everything
        assert backlog(ledger, tmp_path) == {FEBRUARY: FEBRUARY.start_ms}

    assert len(export(ledger, ONE, tmp_path).files_written) == 1
    assert told(tmp_path)["complete"] is True
    assert backlog(ledger, tmp_path) == {}


def test_each_exchange_s_own_candles_are_exported_where_that_is_asked_for(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill(ledger, "kraken")
    settle_merge(ledger, ONE)

    export(ledger, ONE, tmp_path, exchange_candles=True)

    assert (tmp_path / "kraken/BTCUSD/2024/2024-02.csv").exists()
    assert (tmp_path / "aggregated/BTCUSD/2024/2024-02.csv").exists()


def test_a_series_that_cannot_be_exported_fails_its_ticker(ledger: Ledger, tmp_path: Path) -> None:
    keep_flat(ledger, KRAKEN, -10, NOW)
    only = ticker_of(KRAKEN)
    settle_merge(ledger, only)
    folder = tmp_path / "aggregated/BTCUSD"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")

    outcome = export(ledger, only, tmp_path)

    assert len(outcome.errors) == 1
    assert "manifest.json" in outcome.errors[0]
    assert ledger.record(MERGED).exports.backlog == {}


def test_rounding_by_digits_that_were_fixed_before_is_warned_of(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    only = ticker_of(KRAKEN)
    keep(ledger, KRAKEN, span(-10, NOW), {})
    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(0, 8))})
    settle_merge(ledger, only)
    by_the_markets = ExportConfig(True, tmp_path, False, None, None, False)
    Exporter(by_the_markets, ledger, ms(NOW)).export(only, TickerOutcome("BTC/USD"))
    assert caplog.messages == []

    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(2, 8))})
    Exporter(by_the_markets, ledger, ms(NOW)).export(only, TickerOutcome("BTC/USD"))

    (warning,) = caplog.messages
    assert "with 0 price digits, as before, and its markets have 2" in warning
    assert "--price_decimal_digits=2 to another --data_root" in warning


@pytest.mark.parametrize(("own", "digits"), [((1, 3), (1, 3)), ((None, None), (8, 8))])
def test_without_digits_asked_for_the_markets_own_are_used_and_stay(
    ledger: Ledger,
    tmp_path: Path,
    own: tuple[int | None, int | None],
    digits: tuple[int, int],
) -> None:
    only = ticker_of(KRAKEN)
    keep(ledger, KRAKEN, span(-10, NOW), {})
    ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(*own))})
    settle_merge(ledger, only)
    settling = settling_of(ledger, only, closed_end_ms=ms(NOW))
    for root in ("first", "second"):
        exports = ExportConfig(True, tmp_path / root, False, None, None, False)
        settling.rules = replace(settling.rules, exports=exports)
        settling.export()
        ledger.update({KRAKEN: replace(ledger.record(KRAKEN), precision=Precision(5, 5))})

    for root in ("first", "second"):
        text = (tmp_path / root / "aggregated/BTCUSD/manifest.json").read_text()
        manifest = json.loads(text)
        assert manifest["price_decimal_digits"] == digits[0]
        assert manifest["volume_decimal_digits"] == digits[1]
