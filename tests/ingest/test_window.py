from types import SimpleNamespace
from typing import Any

from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.ingest.plan import Window
from candle_ingestor.ingest.window import window_of
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.times import parse_time_ms
from candle_ingestor.symbols.requests import SymbolRequest
from candle_ingestor.symbols.start_date import parse_day

NOW_MS = parse_time_ms("2024-03-05T12:34:07Z")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BITCOIN = Symbol("BTC", "USD")


def config(**flags: Any) -> Config:
    names = [name for group in GROUPS.values() for name in group]
    values: Any = SimpleNamespace(**{name: FLAGS[name].default for name in names} | flags)
    return config_from_flags(values, {})


def window(history_start: str | None = None, now_ms: int = NOW_MS, **flags: Any) -> Window:
    day = None if history_start is None else parse_day(history_start)
    return window_of(config(**flags).candles, SymbolRequest(BITCOIN, history_start=day), now_ms)


def test_the_end_is_that_of_the_newest_candle_closed_and_settled() -> None:
    end_ms = parse_time_ms("2024-03-05T12:34:00Z")

    assert window(settle_seconds=5.0).end_ms == end_ms
    assert window(settle_seconds=7.0).end_ms == end_ms
    assert window(settle_seconds=7.5).end_ms == end_ms - MINUTE_MS
    assert window(candle_granularity_minutes=60).end_ms == parse_time_ms("2024-03-05T12:00:00Z")


def test_the_start_is_the_configured_day() -> None:
    found = window(backfill_start_date="2024-01-31")

    assert found.start_ms == parse_time_ms("2024-01-31T00:00:00Z")
    assert not found.is_bounded
    assert found.catch_up_initial_ms == 7 * DAY_MS


def test_a_symbol_may_have_a_history_start_of_its_own() -> None:
    assert window("2020-02-03").start_ms == parse_time_ms("2020-02-03T00:00:00Z")
    assert window("3_days_ago").start_ms == parse_time_ms("2024-03-02T00:00:00Z")


def test_a_history_start_before_1970_is_everything_there_is() -> None:
    assert window("60_years_ago").start_ms == 0


def test_without_backfill_no_history_start_counts() -> None:
    assert window("2020-02-03", backfill_start_date="skip").start_ms is None


def test_an_end_date_makes_a_bounded_download() -> None:
    found = window(backfill_start_date="2024-01-01", backfill_end_date="2024-02-01")

    assert found.is_bounded
    assert found.end_ms == parse_time_ms("2024-02-01T00:00:00Z")


def test_a_bounded_download_ends_no_later_than_the_newest_closed_candle() -> None:
    found = window(backfill_start_date="2024-01-01", backfill_end_date="2030-01-01")

    assert found.end_ms == parse_time_ms("2024-03-05T12:34:00Z")
    assert found.is_bounded


def test_an_end_within_a_longer_candle_takes_that_candle_in() -> None:
    found = window(
        backfill_start_date="2024-01-01",
        backfill_end_date="2024-02-01",
        candle_granularity_minutes=7,
    )

    assert found.end_ms % (7 * MINUTE_MS) == 0
    assert 0 <= found.end_ms - parse_time_ms("2024-02-01T00:00:00Z") < 7 * MINUTE_MS
