import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.symbols.requests import SymbolRequest
from candle_ingestor.symbols.sources import from_file, from_flag
from candle_ingestor.symbols.start_date import AbsoluteDay

BITCOIN = Symbol("BTC", "USD")
ETHER = Symbol("ETH", "USD")

WriteFile = Callable[[str, str | bytes], Path]


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_a_flag_names_symbols_with_commas() -> None:
    symbols = from_flag(" BTC/USD, ethusd,,nonsense,BTC-USD,")

    assert [request.symbol for request in symbols.requests] == [BITCOIN, ETHER]
    assert [item.shown for item in symbols.rejected] == ["'nonsense'"]
    assert symbols.duplicates == 1
    assert symbols.source == "--symbols"


@pytest.mark.parametrize("text", ["", " , ,"])
def test_a_flag_without_a_symbol_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--symbols names no symbol"):
        from_flag(text)


def test_a_flag_of_nonsense_only_is_an_error_that_names_some_of_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_flag("foo,bar,baz,qux,quux")

    message = str(caught.value)
    assert "'foo'" in message
    assert "'baz'" in message
    assert "and 2 more" in message


def test_a_json_file_holds_texts_and_objects(write_file: WriteFile) -> None:
    path = write_file("symbols.json", '["BTC/USD", {"symbol": "ethusd", "tier": 2}]')

    symbols = from_file(path)

    assert symbols.requests == (SymbolRequest(BITCOIN), SymbolRequest(ETHER, 2))
    assert str(path) in symbols.source


def test_a_json_object_may_hold_the_list(write_file: WriteFile) -> None:
    path = write_file("symbols.JSON", b'\xef\xbb\xbf{"symbols": ["BTC/USD"]}')

    assert from_file(path).requests == (SymbolRequest(BITCOIN),)


@pytest.mark.parametrize("table", ["symbol", "symbols"])
def test_a_toml_file_holds_tables(write_file: WriteFile, table: str) -> None:
    path = write_file(
        "symbols.toml",
        f"""
        [[{table}]]
        symbol = "BTC/USD"
        history_start = 2020-01-01
        price_decimal_digits = 2

        [[{table}]]
        symbol = "ETH/USD"
        history_start = "2020-01-01"
        """,
    )
    start = AbsoluteDay(date(2020, 1, 1))

    assert from_file(path).requests == (
        SymbolRequest(BITCOIN, history_start=start, price_decimal_digits=2),
        SymbolRequest(ETHER, history_start=start),
    )


def test_a_toml_file_may_hold_a_list_and_tables(write_file: WriteFile) -> None:
    path = write_file(
        "symbols.toml", 'symbols = ["BTC/USD"]\n[[symbol]]\nsymbol = "ETH/USD"\ntier = 1\n'
    )

    assert from_file(path).requests == (SymbolRequest(BITCOIN), SymbolRequest(ETHER, 1))


def test_a_text_file_holds_a_symbol_a_line(write_file: WriteFile) -> None:
    path = write_file(
        "symbols.txt", "# mine\r\nBTC/USD\r\n\r\n  ethusd  # the other\r\nnonsense\r\n"
    )

    symbols = from_file(path)

    assert symbols.requests == (SymbolRequest(BITCOIN), SymbolRequest(ETHER))
    assert [item.shown for item in symbols.rejected] == ["'nonsense'"]
    assert symbols.notes == ()


def test_a_csv_file_holds_a_symbol_a_row(write_file: WriteFile) -> None:
    path = write_file(
        "symbols.csv",
        b"\xef\xbb\xbfSymbol, tier, history_start, price_decimal_digits\n"
        b"# mine\n"
        b"BTC/USD, 1, 2020-01-01, 2\n"
        b"\n"
        b'"ETH/USD",large,,\n'
        b"SOL/USD\n"
        b"DOGE/USD,,,two\n",
    )

    symbols = from_file(path)

    assert symbols.requests == (
        SymbolRequest(BITCOIN, 1, AbsoluteDay(date(2020, 1, 1)), 2),
        SymbolRequest(ETHER, "large"),
        SymbolRequest(Symbol("SOL", "USD")),
    )
    assert [item.reason for item in symbols.rejected] == [
        "has the price_decimal_digits 'two', not a whole number"
    ]
    assert symbols.notes == ()


@pytest.mark.parametrize(
    ("name", "content", "notes"),
    [
        (
            "a.json",
            '["BTC/USD", {"symbol": "ETH/USD", "tire": 1}, {"symbol": "SOL/USD", "tire": 2}]',
            ["passed over the unknown key 'tire' in 2 entries; did you mean tier? known are"],
        ),
        (
            "a.json",
            '{"symbols": ["BTC/USD"], "exchange": "kraken"}',
            ["passed over the unknown key 'exchange'; known are symbols"],
        ),
        (
            "a.toml",
            'symbos = ["ETH/USD"]\n[[symbol]]\nsymbol = "BTC/USD"\ndigits = 2\n',
            [
                "passed over the unknown key 'symbos'; did you mean symbols? known are symbols, s",
                "passed over the unknown key 'digits'; known are symbol, tier, history_start, ",
            ],
        ),
        (
            "a.csv",
            "symbol,name\nBTC/USD,Bitcoin\n",
            ["passed over the unknown key 'name'; known are symbol, tier, history_start, price_d"],
        ),
    ],
)
def test_unknown_keys_are_named_with_what_is_known(
    write_file: WriteFile, name: str, content: str, notes: list[str]
) -> None:
    symbols = from_file(write_file(name, content))

    assert symbols.requests[0] == SymbolRequest(BITCOIN)
    assert len(symbols.notes) == len(notes)
    for found, beginning in zip(symbols.notes, notes, strict=True):
        assert found.startswith(beginning)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.json", '["BTC/USD",\n  "ETH/USD"', "line 2, column 12"),
        ("a.json", "", "line 1, column 1"),
        ("a.json", '"BTC/USD"', "a list such as"),
        ("a.json", '{"pairs": []}', "a list such as"),
        ("a.json", "[" * 100_000, "cannot be used"),
        ("a.json", b"\xff\xfe[]", "UTF-8"),
        ("a.json", "[]", "names no symbol"),
        ("a.json", '["nonsense"]', "'nonsense' ends with no known quote"),
        ("a.toml", 'symbols = ["BTC/USD"\n', "end of document"),
        ("a.toml", 'symbols = ["BTC/USD"]\ntier 1', "line 2, column 6"),
        ("a.toml", 'symbols = "BTC/USD"', "tables are wanted"),
        ("a.toml", 'pairs = ["BTC/USD"]', "tables are wanted"),
        ("a.toml", "symbols = []", "names no symbol"),
        ("a.yaml", "- BTC/USD", ".json, .toml, .csv or .txt"),
        ("a.csv", "", "the first line must name a column symbol"),
        ("a.csv", "BTC/USD\nETH/USD\n", "a list without a header ends in .txt"),
        ("a.csv", "symbol,tier\nBTC/USD,1,2\n", "line 2 has 3 cells, the first line 2"),
        ("a.csv", "symbol\n" + "x" * 200_000, "malformed CSV at line 2"),
        ("a.csv", "symbol\n", "names no symbol"),
        ("a.txt", "# nothing yet\n\n", "names no symbol"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(
    write_file: WriteFile, name: str, content: str | bytes, part: str
) -> None:
    path = write_file(name, content)

    with pytest.raises(ConfigurationError) as caught:
        from_file(path)

    message = str(caught.value)
    assert part in message
    assert f"--symbols_file={path}" in message
    assert "\n" not in message


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json cannot be read: No such file"):
        from_file(tmp_path / "none.json")


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()

    with pytest.raises(ConfigurationError, match=r"folder\.toml cannot be read: Is a directory"):
        from_file(tmp_path / "folder.toml")


def test_hostile_symbols_in_a_file_are_rejected_and_the_rest_kept(write_file: WriteFile) -> None:
    hostile = ['x") |> drop()', "${HOME}", "a'; DROP TABLE series; --", "q" * 10_000]
    path = write_file("symbols.json", json.dumps([*hostile, "BTC/USD"]))

    symbols = from_file(path)

    assert symbols.requests == (SymbolRequest(BITCOIN),)
    assert len(symbols.rejected) == len(hostile)
