"""Values of variables that are no words of Flux, on the real server."""

from typing import Any

import pytest

HOSTILE = (
    'BTC/USD" or true or "',
    "BTC/USD/ or true or r.currency_pair =~ /x",
    "BTC/USD$/ or true or r.currency_pair =~ /",
    "BTC/USD|SOL/USD",
    ".*",
    "(",
    "\\",
    "BTC/USD\\",
    "${1 + 1}",
    '${die(msg: "no")}',
    "v.defaultBucket",
    "[[symbol]]",
    "// BTC/USD",
    "BTC/USD'",
)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("board", ["symbol", "freshness_and_coverage"])
def test_a_hostile_value_of_a_variable_finds_nothing_and_breaks_nothing(
    grafana: Any, boards: dict[str, Any], board: str, value: str
) -> None:
    for panel in boards[board]["panels"]:
        for target in panel["targets"]:
            for name in ("symbol", "timeframe"):
                if f"${{{name}:regex}}" in target["query"]:
                    frames = grafana.query(target["query"], **{name: value})
                    assert [frame.rows for frame in frames if frame.rows] == [], panel["title"]
    (symbols,) = (v["query"] for v in boards[board]["templating"]["list"] if v["name"] == "symbol")
    assert grafana.query(symbols, timeframe=value) == []


def test_a_symbol_of_any_characters_is_found_and_no_other_one(
    grafana: Any, influx_server: Any
) -> None:
    names = ('A.B/U"S${D}', 'AxB/U"S${D}', "A.B/U'S(", "A|B/USD", "Ä/€")
    with influx_server.bucket() as connection:
        lines = []
        for number, name in enumerate(names):
            tag = name.replace(" ", "\\ ")
            tags = f"currency_pair={tag},timeframe=1m"
            fields = f"open={number}.5,high=9,low=0,close=1,volume=1"
            lines.append(f"candles,{tags} {fields} {grafana.start_ms}")
        influx_server.write(connection.bucket, *lines, precision="ms")
        shown = grafana.at(bucket=connection.bucket)
        for number, name in enumerate(names):
            frame = shown.only("symbol", "Candles of $symbol", symbol=name)
            assert frame.row["open"] == number + 0.5
