"""Recordings served as they stand: the digits of the file, verbatim, in every dialect."""

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from exchange_facts import FACTS

from exchange_simulator import (
    ExchangeSimulator,
    RecordingError,
    SimulatorClock,
    SimulatorConfig,
)

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
START_MS = 1_700_000_040_000 // HOUR_MS * HOUR_MS  # 2023-11-14T22:00:00Z
SAMPLES = Path(__file__).resolve().parents[1] / "data"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
# Market files by folder, each with the minutes of its candles.
MARKETS = {
    SAMPLES / "market_minutes": 1,
    SAMPLES / "market_hours": 60,
    RECORDED / "market_2023_03_1m": 1,
    RECORDED / "market_2019_06_1h": 60,
}
SIMULATED = (
    *("binance_BTC-USDT", "binanceus_BTC-USDT", "coinbase_BTC-USD", "coinbasepro_BTC-USD"),
    *("cryptocom_BTC-USD", "kraken_BTC-USD"),
)

PRICES = ["23133.2,23146.4,23133.2,23146.0", "23146,23152.3,2.31447e4,23144.70", "1,1,1,1"]
VOLUMES = ["0.26833389999999996", "6e-05", "0.0", "1E+2", "12"]


def csv_rows(count: int, step_ms: int = MINUTE_MS, start_ms: int = START_MS) -> list[str]:
    """Rows in every way a source writes numbers, each third one missing."""
    return [
        f"{start_ms + i * step_ms},{PRICES[i % 3]},{VOLUMES[i % 5]}"
        for i in range(count)
        if i % 3 != 1 or i < 2
    ]


def wire_tuple(row: str) -> tuple[Any, ...]:
    time, *numbers = row.split(",")
    return (int(time), *numbers)


@pytest.mark.parametrize("name", ["coinbase", "coinbasepro", "coinbaseexchange"])
async def test_files_of_coinbases_older_names_serve_coinbaseexchange(
    tmp_path: Path, write_recording: Any, start_simulator: Any, connect: Any, name: str
) -> None:
    write_recording(tmp_path / f"{name}_BTC-USD.csv.gz", csv_rows(20))
    simulator = await start_simulator(recordings=(tmp_path,))
    assert list(await connect(simulator, "coinbaseexchange").load_markets()) == ["BTC/USD"]


async def test_every_recorded_digit_goes_on_the_wire_as_it_stands(
    tmp_path: Path,
    write_recording: Any,
    start_simulator: Any,
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    exchange: str,
) -> None:
    rows = csv_rows(100)
    write_recording(tmp_path / f"{exchange}_BTC-{FACTS[exchange].wire_quote}.csv.gz", rows)
    simulator = await start_simulator(
        recordings=(tmp_path,), now_ms=START_MS + 100 * MINUTE_MS + 12_345
    )
    url = wires[exchange].url(START_MS, START_MS + 100 * MINUTE_MS)
    async with http.get(simulator.base_url(exchange) + url) as answer:
        text = await answer.text()
    served = wires[exchange].candles(text)
    assert sorted(served) == [wire_tuple(row) for row in rows]
    assert ('"0.26833389999999996"' in text) == (not FACTS[exchange].sends_numbers)


async def test_rows_that_a_recording_lacks_are_not_filled(
    tmp_path: Path, write_recording: Any, start_simulator: Any, connect: Any
) -> None:
    rows = csv_rows(60)
    write_recording(tmp_path / "binance_BTC-USDT.csv.gz", rows)
    simulator = await start_simulator(recordings=(tmp_path,), now_ms=START_MS + DAY_MS)
    served = await connect(simulator, "binance").fetch_ohlcv("BTC/USDT", "1m", START_MS, 1000)
    assert [row[0] for row in served] == [wire_tuple(row)[0] for row in rows]


async def test_only_the_recorded_markets_are_listed_with_the_files_finest_digits(
    tmp_path: Path, write_recording: Any, start_simulator: Any, connect: Any, exchange: str
) -> None:
    write_recording(tmp_path / f"{exchange}_BTC-{FACTS[exchange].wire_quote}.csv.gz", csv_rows(60))
    simulator = await start_simulator(recordings=(tmp_path,))
    markets = await connect(simulator, exchange).load_markets()
    symbol = f"BTC/{FACTS[exchange].wire_quote}"
    assert [name for name, market in markets.items() if market["spot"]] == [symbol]
    precision = markets[symbol]["precision"]
    # Neither the last 0 of 23144.70 nor the volume's float noise is precision.
    facts = FACTS[exchange]
    stated = (0.1, 1e-8) if facts.states_steps else facts.bitcoin_steps
    assert (precision["price"], precision["amount"]) == stated


async def test_longer_candles_come_exactly_from_the_recorded_ones(
    tmp_path: Path,
    write_recording: Any,
    start_simulator: Any,
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    exchange: str,
) -> None:
    start_ms = START_MS // DAY_MS * DAY_MS
    rows = [wire_tuple(row) for row in csv_rows(200, start_ms=start_ms)]
    write_recording(
        tmp_path / f"{exchange}_BTC-{FACTS[exchange].wire_quote}.csv.gz",
        csv_rows(200, start_ms=start_ms),
    )
    simulator = await start_simulator(recordings=(tmp_path,), now_ms=start_ms + 12 * HOUR_MS)
    url = wires[exchange].url(start_ms, start_ms + 4 * HOUR_MS, minutes=60)
    async with http.get(simulator.base_url(exchange) + url) as answer:
        served = sorted(wires[exchange].candles(await answer.text()))
    expected = []
    for open_ms in range(start_ms, start_ms + 4 * HOUR_MS, HOUR_MS):
        part = [row for row in rows if open_ms <= row[0] < open_ms + HOUR_MS]
        columns = [[Decimal(row[i]) for row in part] for i in range(1, 6)]
        first, high, low, close, volume = columns
        expected.append((open_ms, first[0], max(high), min(low), close[-1], sum(volume)))
    assert [(row[0], *map(Decimal, row[1:])) for row in served] == expected


async def test_a_timeframe_shorter_than_the_recordings_is_the_exchanges_error(
    tmp_path: Path,
    write_recording: Any,
    start_simulator: Any,
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    exchange: str,
) -> None:
    write_recording(
        tmp_path / f"{exchange}_BTC-{FACTS[exchange].wire_quote}.csv.gz",
        csv_rows(60, step_ms=HOUR_MS),
    )
    now_ms = START_MS + 100 * HOUR_MS
    simulator = await start_simulator(recordings=(tmp_path,), now_ms=now_ms)
    wire = wires[exchange]
    async with http.get(
        simulator.base_url(exchange) + wire.url(START_MS, START_MS + HOUR_MS, minutes=5)
    ) as answer:
        text = await answer.text()
    assert FACTS[exchange].timeframe_words in text
    async with http.get(
        simulator.base_url(exchange) + wire.url(START_MS, START_MS + 4 * HOUR_MS, minutes=60)
    ) as answer:
        served = wire.candles(await answer.text())
    expected = [START_MS + hour * HOUR_MS for hour in (0, 1, 2, 3)]
    assert sorted(row[0] for row in served)[:4] == expected


async def test_the_unfinished_recorded_candle_has_moved_part_of_the_way(
    tmp_path: Path, write_recording: Any, start_simulator: Any, connect: Any
) -> None:
    rows = [f"{START_MS},100,110,90,104,8.5", f"{START_MS + MINUTE_MS},104,120,100,112,40"]
    write_recording(tmp_path / "coinbase_BTC-USD.csv.gz", rows)
    simulator = await start_simulator(recordings=(tmp_path,), now_ms=START_MS + 90_000)
    client = connect(simulator, "coinbaseexchange")
    served = await client.fetch_ohlcv("BTC/USD", "1m", START_MS, 10)
    assert served == [
        [START_MS, 100, 110, 90, 104, 8.5],
        [START_MS + MINUTE_MS, 104, 112, 102, 108, 20],
    ]
    simulator.clock.set(START_MS + MINUTE_MS)
    served = await client.fetch_ohlcv("BTC/USD", "1m", START_MS, 10)
    assert [row[0] for row in served] == [START_MS]


async def test_shift_to_now_moves_a_directory_as_one_by_whole_candles(
    tmp_path: Path, write_recording: Any, start_simulator: Any, now_ms: int
) -> None:
    write_recording(tmp_path / "coinbase_BTC-USD.csv.gz", csv_rows(60))
    write_recording(tmp_path / "kraken_BTC-USD.csv.gz", csv_rows(30))
    simulator = await start_simulator(recordings=(tmp_path,), shift_to_now=True)
    found = {
        exchange: simulator.true_candles(exchange, "BTC/USD", MINUTE_MS, 0, 2 * now_ms)
        for exchange in ("coinbaseexchange", "kraken")
    }
    newest_ms = found["coinbaseexchange"][-1].open_ms
    assert newest_ms + MINUTE_MS == now_ms // MINUTE_MS * MINUTE_MS
    shift_ms = newest_ms - (START_MS + 59 * MINUTE_MS)
    for exchange, count in (("coinbaseexchange", 60), ("kraken", 30)):
        expected = [wire_tuple(row) for row in csv_rows(count)]
        assert [(c.open_ms - shift_ms, c.volume) for c in found[exchange]] == [
            (row[0], Decimal(row[5])) for row in expected
        ]


def refused(directory: Path, **settings: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        ExchangeSimulator(
            SimulatorConfig(recordings=(directory,), **settings), clock=SimulatorClock(START_MS)
        )
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{START_MS + 120_000},1,1,1,1", "line 4: not a candle row"),
        (f"{START_MS + 120_000},1,1,1,1,NaN", "line 4: not a candle row"),
        (f"{START_MS + 120_000},1,1,1,1,.5", "line 4: not a candle row"),
        (f"{START_MS + 120_000},1,1,1,1,", "line 4: not a candle row"),
        ("", "line 4: not a candle row"),
        (f"{START_MS},1,1,1,1,1", "line 4: open times must ascend"),
        (f"{START_MS + 60_000},1,1,1,1,1", "line 4: open times must ascend"),
        (f"{START_MS + 150_000},1,1,1,1,1", "line 4: 1699999350000 is not on the grid"),
        (f"{START_MS + 60_007},1,1,1,1,1", "smallest step of 7 ms"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, write_recording: Any, row: str, message: str
) -> None:
    rows = [f"{START_MS},1,1,1,1,1", f"{START_MS + 60_000},1,1,1,1,1", row]
    path = write_recording(
        tmp_path / "kraken_BTC-USD.csv.gz", [*rows, rows[0]] if not row else rows
    )
    text = refused(tmp_path)
    assert message in text
    assert str(path) in text


def test_files_that_are_no_recordings_are_named(tmp_path: Path, write_recording: Any) -> None:
    good = csv_rows(5)
    assert "no such directory" in refused(tmp_path / "nowhere")
    assert "holds no recording" in refused(tmp_path)
    write_recording(tmp_path / "kraken_BTC-USD.csv.gz", good[:1])
    assert "1 rows" in refused(tmp_path)
    write_recording(tmp_path / "kraken_BTC-USD.csv.gz", good)
    write_recording(tmp_path / "bitso_BTC-USD.csv.gz", good)
    assert "holds no recording" in refused(tmp_path, exchanges=("bitstamp",))
    (tmp_path / "bitstamp_BTC-USD.csv.gz").write_bytes(gzip.compress(b"time,open\n"))
    assert "line 1: expected the header" in refused(tmp_path)
    (tmp_path / "bitstamp_BTC-USD.csv.gz").write_bytes(gzip.compress(b"x" * 99)[:-9])
    assert "cannot be read as gzip CSV" in refused(tmp_path)
    (tmp_path / "bitstamp_BTC-USD.csv.gz").rename(tmp_path / "bitstamp-btc.csv.gz")
    assert "EXCHANGE_BASE-QUOTE.csv.gz" in refused(tmp_path)


def test_two_recordings_of_one_market_are_an_error_that_names_both(
    tmp_path: Path, write_recording: Any
) -> None:
    write_recording(tmp_path / "coinbase_BTC-USD.csv.gz", csv_rows(5))
    write_recording(tmp_path / "coinbasepro_BTC-USD.csv.gz", csv_rows(5))
    text = refused(tmp_path)
    assert "coinbase_BTC-USD" in text
    assert "coinbasepro_BTC-USD" in text


def test_a_recording_of_an_exchange_that_is_not_simulated_is_skipped_with_a_note(
    tmp_path: Path, write_recording: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recording(tmp_path / "bitso_BTC-USD.csv.gz", csv_rows(5))
    write_recording(tmp_path / "kraken_BTC-USD.csv.gz", csv_rows(5))
    ExchangeSimulator(SimulatorConfig(recordings=(tmp_path,)))
    assert "bitso_BTC-USD.csv.gz" in capsys.readouterr().err


def market_files() -> Iterator[Any]:
    for folder, minutes in MARKETS.items():
        for name in SIMULATED:
            path = folder / f"{name}.csv.gz"
            if path.exists():
                yield pytest.param(path, minutes, id=f"{folder.name}-{name}")


def recorded_rows(path: Path) -> list[Any]:
    lines = gzip.decompress(path.read_bytes()).decode().split()[1:]
    return [wire_tuple(line) for line in lines]


def recorded_answer(path: Path) -> Any:
    return json.loads(path.read_text())["methods"]["fetchOHLCV"][0]["httpResponse"]


@pytest.mark.parametrize(("path", "minutes"), list(market_files()))
async def test_a_market_file_is_served_verbatim(
    start_simulator: Callable[..., Any],
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    tmp_path: Path,
    path: Path,
    minutes: int,
) -> None:
    exchange = path.name.partition("_")[0]
    exchange = "coinbaseexchange" if exchange.startswith("coinbase") else exchange
    rows = recorded_rows(path)
    if exchange == "kraken":
        rows = rows[-600:]
    step_ms = minutes * MINUTE_MS
    # Only this file, since reading the others takes longer than the test.
    (tmp_path / path.name).symlink_to(path)
    simulator = await start_simulator(recordings=(tmp_path,), now_ms=rows[-1][0] + step_ms)
    served: list[Any] = []
    start_ms = rows[0][0]
    while start_ms <= rows[-1][0]:
        end_ms = start_ms + 290 * step_ms
        url = wires[exchange].url(start_ms, end_ms, minutes)
        async with http.get(simulator.base_url(exchange) + url) as answer:
            page = wires[exchange].candles(await answer.text())
        served += sorted(row for row in page if row[0] < end_ms)
        start_ms = end_ms
    assert served == rows


def answer_files() -> Iterator[Any]:
    for kind, folder in (("sample", SAMPLES), ("recorded", RECORDED)):
        for exchange in FACTS:
            path = folder / "answers" / f"{exchange}.json"
            if path.exists():
                yield pytest.param(path, id=f"{kind}-{exchange}")


@pytest.mark.parametrize("path", list(answer_files()))
async def test_answers_have_the_shape_of_the_exchanges_own(
    simulator: ExchangeSimulator,
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    path: Path,
    now_ms: int,
) -> None:
    wanted = recorded_answer(path)
    url = wires[path.stem].url(now_ms - 9 * HOUR_MS, now_ms, minutes=60)
    async with http.get(simulator.base_url(path.stem) + url) as answer:
        served = await answer.json()
    assert shape(served, {"XXBTZUSD": "PAIR"}) == shape(wanted, {"XBTUSDT": "PAIR"})


def test_the_samples_are_those_that_their_script_makes(tmp_path: Path) -> None:
    spec = spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    sys.modules[spec.name] = script  # Its data classes look their module up.
    try:
        spec.loader.exec_module(script)
        script.write_all(tmp_path)
    finally:
        del sys.modules[spec.name]
    paths = sorted(SAMPLES.glob("*/*.csv.gz"))
    made = sorted(tmp_path.glob("*/*.csv.gz"))
    assert [path.relative_to(SAMPLES) for path in paths] == [p.relative_to(tmp_path) for p in made]
    for path, remade in zip(paths, made, strict=True):
        # Not the compressed bytes, which differ between versions of the library.
        assert gzip.decompress(path.read_bytes()) == gzip.decompress(remade.read_bytes())


def shape(value: Any, names: dict[str, str]) -> Any:
    """Keys and JSON types; lists by their first element if all are alike, else one by one."""
    if isinstance(value, dict):
        return {names.get(key, key): shape(item, names) for key, item in value.items()}
    if isinstance(value, list):
        shapes = [shape(item, names) for item in value]
        rows = bool(shapes) and isinstance(value[0], list | dict)
        return shapes[:1] if rows and all(item == shapes[0] for item in shapes) else shapes
    return "number" if isinstance(value, int | float) else type(value).__name__
