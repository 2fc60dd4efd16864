"""What the command export writes for other tools, to the last digit."""

import os
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from bridged import COVERED, BridgedStore, Row
from job_server import JobServer
from minutes import BITCOIN, KRAKEN, MERGED, ms

from candle_ingestor.commands import bridging
from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import StopSignal

FORMATS = ("freqtrade", "nautilus", "lean")
COLUMNS = ("open", "high", "low", "close", "volume")
LAST = (
    ("nautilus", "2024-03-01T00-01-00-000000000Z_2024-04-01T00-00-00-000000000Z.parquet"),
    ("lean", "20240301_trade.zip"),
)


def test_freqtrade_gets_open_times_and_the_floats_nearest_to_the_decimals(
    bridged: BridgedStore,
) -> None:
    assert bridged.export("freqtrade")[0] == 0

    path = bridged.output / "aggregated/BTC_USD-1m.feather"
    frame = pl.read_ipc(path)
    assert dict(frame.schema) == {
        "date": pl.Datetime("ms", "UTC"),
        **dict.fromkeys(COLUMNS, pl.Float64()),
    }
    found = frame.with_columns(pl.col("date").dt.epoch("ms")).rows()
    assert found == [(row[0], *map(float, row[1:])) for row in bridged.stored]
    assert path.read_bytes().startswith(b"ARROW1")


def test_nautilus_gets_closes_and_fixed_point_of_sixteen_digits_in_a_file_a_month(
    bridged: BridgedStore,
) -> None:
    assert bridged.export("nautilus")[0] == 0

    folder = bridged.output / "data/bar/BTCUSD.AGGREGATED-1-MINUTE-LAST-EXTERNAL"
    february = "2024-02-01T00-01-00-000000000Z_2024-03-01T00-00-00-000000000Z.parquet"
    march = "2024-03-01T00-01-00-000000000Z_2024-04-01T00-00-00-000000000Z.parquet"
    assert sorted(path.name for path in folder.iterdir()) == [february, march]
    found: list[tuple[int, ...]] = []
    for name in (february, march):
        assert (
            pl.read_parquet_metadata(folder / name).items()
            >= {
                "bar_type": "BTC/USD.AGGREGATED-1-MINUTE-LAST-EXTERNAL",
                "instrument_id": "BTC/USD.AGGREGATED",
                "price_precision": "2",
                "size_precision": "8",
            }.items()
        )
        frame = pl.read_parquet(folder / name)
        assert frame.columns == [*COLUMNS, "ts_event", "ts_init"]
        assert (frame["ts_event"] == frame["ts_init"]).all()
        raw = frame.select(*COLUMNS).rows()
        values = [tuple(int.from_bytes(value, "little") for value in row) for row in raw]
        found += [(t, *v) for t, v in zip(frame["ts_event"].to_list(), values, strict=True)]
    assert found == [
        ((row[0] + 60_000) * 1_000_000, *(int(Decimal(text).scaleb(16)) for text in row[1:]))
        for row in bridged.stored
    ]
    assert pl.read_parquet(folder / february)["ts_event"][-1] == ms(0) * 1_000_000


def test_lean_gets_a_zip_a_day_with_milliseconds_since_midnight_and_decimals(
    bridged: BridgedStore,
) -> None:
    assert bridged.export("lean")[0] == 0

    folder = bridged.output / "crypto/aggregated/minute/btcusd"
    days = sorted(path.name for path in folder.iterdir())
    assert days == ["20240228_trade.zip", "20240229_trade.zip", "20240301_trade.zip"]
    found: list[Row] = []
    for name in days:
        date = name.removesuffix("_trade.zip")
        midnight = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp()
        with zipfile.ZipFile(folder / name) as archive:
            assert archive.namelist() == [f"{date}_btcusd_minute_trade.csv"]
            lines = archive.read(archive.namelist()[0]).decode().splitlines()
        for line in lines:
            time, *values = line.split(",")
            assert len(values) == 5
            found.append((int(midnight) * 1000 + int(time), *values))  # type: ignore[arg-type]
    assert found == bridged.stored


def test_lean_gets_hours_in_one_zip_and_its_own_name_of_a_market(bridged: BridgedStore) -> None:
    hours = [(ms(0) + (row[0] - ms(0)) * 60, *row[1:]) for row in bridged.stored]
    market = Series("coinbaseexchange", BITCOIN, Timeframe(60))
    bridged.put(market, hours)

    code, _ = bridged.export(
        "lean",
        exchanges=["coinbaseexchange"],
        candle_granularity_minutes=60,
        export_exchange_candles=True,
        symbols="BTC/USD",
    )

    assert code == 0
    with zipfile.ZipFile(bridged.output / "crypto/coinbase/hour/btcusd_trade.zip") as archive:
        assert archive.namelist() == ["btcusd.csv"]
        lines = archive.read("btcusd.csv").decode().splitlines()
    past = [row for row in hours if row[0] < ms(60)]
    assert len(lines) == len(past) > 1000
    first = datetime.fromtimestamp(past[0][0] / 1000, UTC)
    assert lines[0] == ",".join((f"{first:%Y%m%d %H:%M}", *past[0][1:]))


@pytest.mark.parametrize("export_format", FORMATS)
def test_gaps_are_told_beside_and_time_without_trade_is_none(
    bridged: BridgedStore, export_format: str
) -> None:
    bridged.export(export_format, export_exchange_candles=True)

    said = bridged.told()
    assert said["rows"] == len(bridged.stored)
    assert (said["first_timestamp"], said["last_timestamp"]) == (
        "2024-02-28T23:00:00Z",
        "2024-03-01T00:59:00Z",
    )
    assert (said["known_from"], said["known_until"]) == (
        "2024-02-01T00:00:00Z",
        "2024-03-01T01:39:00Z",
    )
    assert said["gaps"] == [
        gap("2024-02-01T00:00:00Z", "2024-02-28T23:00:00Z", "not_fetched"),
        gap("2024-02-29T23:00:00Z", "2024-02-29T23:10:00Z", "fetch_failed"),
        gap("2024-03-01T01:00:00Z", "2024-03-01T01:39:00Z", "not_fetched"),
    ]
    assert bridged.told(KRAKEN)["gaps"] == said["gaps"]


@pytest.mark.parametrize("export_format", FORMATS)
def test_what_is_right_already_is_not_touched(bridged: BridgedStore, export_format: str) -> None:
    bridged.export(export_format)
    before = bridged.files()

    code, printed = bridged.export(export_format)

    assert code == 0
    assert bridged.files() == before
    assert "0 files written" in printed


@pytest.mark.parametrize("export_format", FORMATS)
def test_an_export_that_is_killed_at_any_file_leaves_each_as_before_or_after(
    bridged: BridgedStore, export_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridged.export(export_format)
    before = bridged.files()
    changed = [(row[0], *("0.05",) * 4, "7") for row in bridged.stored]
    bridged.put(KRAKEN, changed, COVERED)
    whole = bridged.output
    bridged.output = bridged.folder / "other"
    bridged.export(export_format)
    after = bridged.files()
    bridged.output = whole
    assert after.keys() == before.keys()
    fsync = os.fsync
    seen = set()
    for number in range(100):
        left = number

        def killed(descriptor: int) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            fsync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", killed)
            try:
                bridged.export(export_format)
                break
            except KeyboardInterrupt:
                pass
        files = bridged.files()
        assert files.keys() == before.keys()
        for name, (content, _) in files.items():
            assert content in (before[name][0], after[name][0]), name
        seen.add(tuple(content == after[name][0] for name, (content, _) in files.items()))
    else:
        pytest.fail("it never came to its end")
    assert {name: each[0] for name, each in bridged.files().items()} == {
        name: each[0] for name, each in after.items()
    }
    assert len(seen) > 1


def test_an_export_that_is_told_to_stop_says_so_and_the_next_one_goes_on(
    bridged: BridgedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopsAtTheSecondMonth(StopSignal):
        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            if self.asked == 2:
                self.request("SIGTERM")
            return super().is_set()

    with monkeypatch.context() as patch:
        patch.setattr(bridging, "StopSignal", StopsAtTheSecondMonth)
        code, printed = bridged.export("nautilus")
    assert code == 0
    assert "Stopped by SIGTERM" in printed
    assert "The same command goes on from there." in printed
    assert len(bridged.files()) == 1

    assert "1 file written" in bridged.export("nautilus")[1]
    assert bridged.told()["rows"] == len(bridged.stored)


def test_a_month_or_day_that_has_lost_its_candles_loses_its_file(bridged: BridgedStore) -> None:
    for export_format, lost in LAST:
        bridged.output = bridged.folder / export_format
        bridged.export(export_format, export_exchange_candles=True)
        assert lost in {Path(name).name for name in bridged.files()}
    of_february = [row for row in bridged.stored if row[0] < ms(0)]
    bridged.put(KRAKEN, of_february, COVERED)
    for export_format, lost in LAST:
        bridged.output = bridged.folder / export_format
        bridged.export(export_format, export_exchange_candles=True)
        assert lost not in {Path(name).name for name in bridged.files()}
        assert bridged.told()["rows"] == bridged.told(KRAKEN)["rows"] == len(of_february)


def test_a_span_leaves_out_the_months_that_do_not_touch_it(bridged: BridgedStore) -> None:
    bridged.export("lean", backfill_start_date="2024-03-01")
    assert {Path(name).name for name in bridged.files()} == {"gaps.json", "20240301_trade.zip"}

    code, printed = bridged.export("lean", backfill_end_date="2023-01-01")
    assert code == 1
    assert "knows nothing of aggregated BTC/USD 1m in the span" in printed


def test_an_exchange_that_is_asked_for_stands_in_place_of_what_is_merged(
    bridged: BridgedStore,
) -> None:
    bitstamp = Series("bitstamp", BITCOIN, Timeframe(1))
    bridged.export("freqtrade")
    bridged.put(bitstamp, bridged.stored[:100])
    bridged.export("freqtrade", exchanges=["bitstamp"])
    assert bridged.told(bitstamp)["rows"] == 100
    assert bridged.told()["rows"] == len(bridged.stored)

    code, printed = bridged.export("freqtrade", exchanges=["gemini"])
    assert code == 1
    assert "BTC/USD: the store holds no 1m candles of it on gemini" in printed


def test_a_folder_of_one_tool_is_refused_to_another(bridged: BridgedStore) -> None:
    bridged.export("lean")
    with pytest.raises(ConfigurationError, match=r"an export for lean.*give another --output"):
        bridged.export("freqtrade")
    (bridged.output / "gaps.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"remove it, or give another --output"):
        bridged.export("lean")


def test_only_the_command_export_takes_the_name_of_a_tool(job_server: JobServer) -> None:
    refused = job_server.run(["ingest", "--export_format=lean"], folder=Path.cwd(), environment={})
    assert refused.returncode == 2
    assert "--export_format=lean goes with export; ingest writes partitions" in refused.stderr


def test_nautilus_without_the_library_that_writes_it_says_what_to_install(
    bridged: BridgedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridging, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"needs the package pyarrow.* -m pip install"):
        bridged.export("nautilus")
    assert bridged.export("lean")[0] == 0


def test_a_folder_must_be_named(bridged: BridgedStore) -> None:
    with pytest.raises(ConfigurationError, match=r"needs --output.*--output=data/lean"):
        bridged.export("lean", output=None)


@pytest.mark.parametrize(
    ("export_format", "minutes", "said"),
    [("lean", 5, "Lean reads candles of 1m, 1h and 1d"), ("nautilus", 7, "no bars of 7m")],
)
def test_candles_that_a_tool_has_no_place_for_are_refused_with_what_to_do(
    bridged: BridgedStore, export_format: str, minutes: int, said: str
) -> None:
    length = Series("kraken", BITCOIN, Timeframe(minutes))
    start_ms = length.timeframe.floor_ms(ms(0))
    times = range(start_ms - 70 * length.timeframe.duration_ms, start_ms, minutes * 60_000)
    bridged.put(length, [(time, *("1",) * 5) for time in times])

    code, printed = bridged.export(export_format, candle_granularity_minutes=minutes)

    assert code == 1
    assert said in printed
    assert "--candle_granularity_minutes" in printed
    assert not bridged.output.exists()


def test_other_series_keep_their_place_in_the_gaps_file(bridged: BridgedStore) -> None:
    bridged.export("freqtrade", export_exchange_candles=True)
    bridged.export("freqtrade")
    assert bridged.told(KRAKEN)["rows"] == bridged.told(MERGED)["rows"]


def gap(start: str, end: str, reason: str) -> dict[str, str]:
    return {"start": start, "end": end, "reason": reason}
