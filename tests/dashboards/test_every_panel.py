"""Every panel of every board on the real server: what it is given, and by whom."""

import math
from typing import Any

import pytest

from candle_ingestor.ingest.report import RunStatus

FRESHNESS = "freshness_and_coverage"
SERIES = ("Time", "Value")

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "symbol": {
        "Candles of $symbol": ("_time", "open", "high", "low", "close", "volume"),
        "Exchanges in each candle": SERIES,
        "Price spread between exchanges": SERIES,
        "Close by exchange": SERIES,
        "Volume by exchange": SERIES,
    },
    FRESHNESS: {
        "Most minutes behind": ("minutes_behind",),
        "Symbols": ("symbols",),
        "Symbols without a known minute": ("symbols",),
        "Holes in merged series": ("holes",),
        "Freshness by symbol": (
            "symbol",
            "known_until",
            "minutes_behind",
            "last_candle",
            "minutes_since_last_candle",
        ),
        "Coverage by series": (
            "symbol",
            "exchange",
            "known_from",
            "known_until",
            "known_minutes",
            "known_share",
            "holes",
            "fetch_failed",
            "beyond_reach",
            "not_listed_yet",
            "rejected",
        ),
        "Known minutes of $symbol": SERIES,
        "Gaps of $symbol": ("exchange", "from", "until", "minutes", "reason"),
    },
    "runs": {
        "Minutes since the last run": ("minutes",),
        "Last run": ("status",),
        "Failed runs": ("failed",),
        "Failed tickers in the last run": ("failed_tickers",),
        "Runs by status": SERIES,
        "Duration": SERIES,
        "Requests to exchanges": SERIES,
        "Candles": SERIES,
        "Runs": (
            "started",
            "status",
            "seconds",
            "tickers",
            "failed_tickers",
            "dropped_symbols",
            "unavailable_exchanges",
            "requests",
            "retries",
            "failed_pages",
            "candles",
            "rejected",
            "merged_candles",
            "gap_candles",
        ),
        "Errors of failed runs": ("started", "symbol", "error"),
    },
}
LABELS = {
    "Exchanges in each candle": "currency_pair",
    "Close by exchange": "exchange",
    "Volume by exchange": "exchange",
    "Known minutes of $symbol": "exchange",
    "Runs by status": "status",
    "Duration": "status",
    "Requests to exchanges": "count_of",
    "Candles": "count_of",
}


def test_every_panel_answers_with_its_columns_and_numbers_that_can_be_drawn(
    grafana: Any, boards: dict[str, Any]
) -> None:
    titles = {n: {panel["title"] for panel in b["panels"]} for n, b in boards.items()}
    assert titles == {name: set(columns) for name, columns in COLUMNS.items()}
    for name, panels in COLUMNS.items():
        for title, columns in panels.items():
            frames = grafana.panel(name, title)
            assert frames, title
            for frame in frames:
                assert set(frame.columns) == set(columns), title
                assert set(frame.labels) == ({LABELS[title]} if title in LABELS else set()), title
                assert frame.rows, title
                numbers = [x for cells in frame.columns.values() for x in cells]
                assert all(math.isfinite(x) for x in numbers if isinstance(x, float)), title


def test_the_columns_that_a_panel_orders_formats_or_draws_are_those_it_gets(
    boards: dict[str, Any],
) -> None:
    for name, board in boards.items():
        for panel in board["panels"]:
            columns = set(COLUMNS[name][panel["title"]])
            overrides = panel["fieldConfig"]["overrides"]
            named = {entry["matcher"]["options"] for entry in overrides}
            if panel["type"] == "timeseries":
                assert named in (set(), set(RunStatus))
                continue
            assert named <= columns
            for step in panel.get("transformations", ()):
                assert set(step["options"]["indexByName"]) == columns
            if panel["type"] == "candlestick":
                assert set(panel["options"]["fields"].values()) < columns
            if panel["type"] == "table":
                assert "transformations" in panel


def test_no_panel_over_an_empty_bucket_fails(empty_grafana: Any, boards: dict[str, Any]) -> None:
    for name, board in boards.items():
        for panel in board["panels"]:
            assert [f.rows for f in empty_grafana.panel(name, panel["title"]) if f.rows] == []
        for variable in board["templating"]["list"]:
            assert empty_grafana.query(variable["query"]) == []


def test_a_token_that_may_only_read_the_bucket_is_enough(
    grafana: Any, world: Any, influx_server: Any, boards: dict[str, Any]
) -> None:
    path = f"/api/v2/buckets?name={world.connection.bucket}"
    bucket_id = influx_server.answer("GET", path)["buckets"][0]["id"]
    reader = grafana.at(token=influx_server.make_token(bucket_id, "read"))
    for name, board in boards.items():
        for panel in board["panels"]:
            assert reader.panel(name, panel["title"])
        for variable in board["templating"]["list"]:
            assert reader.options(name, variable["name"])


@pytest.mark.parametrize("board", ["symbol", FRESHNESS])
def test_the_variables_offer_what_the_job_keeps(grafana: Any, board: str) -> None:
    assert grafana.options(board, "timeframe") == ["1m"]
    assert sorted(grafana.options(board, "symbol")) == ["BTC/USD", "ETH/USD", "SOL/USD"]
