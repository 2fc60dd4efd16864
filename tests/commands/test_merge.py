"""How the command merge ends."""

from types import SimpleNamespace
from typing import Any

import pytest
from minutes import BITSTAMP, KRAKEN, MERGED_TETHER
from rich.console import Console
from settling import ticker_of

from candle_ingestor.commands import merge
from candle_ingestor.commands.stored import StoredSettled
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.operations.clock import SystemClock
from candle_ingestor.settle.outcome import MergeCounts, TickerOutcome


def config_without_csv() -> Config:
    values = {name: FLAGS[name].default for group in GROUPS.values() for name in group}
    given: Any = SimpleNamespace(**values | {"export_csv": False})
    return config_from_flags(given, {})


def test_a_symbol_that_could_not_be_merged_is_told_of_and_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = TickerOutcome("BTC/USDT", errors=["an unforeseen failure: [a bug]"])
    done = TickerOutcome("BTC/USD", MergeCounts(candles=7))
    outcomes = {ticker_of(KRAKEN, merged=MERGED_TETHER): failed, ticker_of(BITSTAMP): done}
    settled = StoredSettled(outcomes, seconds=1.0, stop_reason=None)
    monkeypatch.setattr(merge, "settle_stored", lambda *_, **__: settled)

    code = merge.merge(config_without_csv(), SystemClock(), Console(width=200))

    assert code == 1
    shown = capsys.readouterr().out
    assert "BTC/USDT: an unforeseen failure: [a bug]" in shown
    assert "Merged 1 symbol again in 1.0 s: 7 merged candles changed." in shown


def test_a_merge_that_was_stopped_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {ticker_of(BITSTAMP): TickerOutcome("BTC/USD", MergeCounts(candles=7))}
    settled = StoredSettled(outcomes, seconds=1.0, stop_reason="SIGTERM")
    monkeypatch.setattr(merge, "settle_stored", lambda *_, **__: settled)

    assert merge.merge(config_without_csv(), SystemClock(), Console(width=200)) == 0

    shown = capsys.readouterr().out
    assert "Stopped by SIGTERM after 1.0 s: 7 merged candles changed so far." in shown
    assert "The same command goes on from there." in shown
    assert "Merged 1" not in shown
