from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import ccxt.async_support
import pytest
from flag_values import NOW_MS, complaint, config

from candle_ingestor.config.exchange_flags import known_exchanges
from candle_ingestor.model.merge_rules import HighLow, MergeRules
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.model.times import parse_time_ms

DAY_MS = 86_400_000


def test_without_any_flag_there_is_a_whole_configuration() -> None:
    found = config()

    assert found.exchanges.names == ("binanceus", "coinbaseexchange", "bitstamp")
    assert found.rules == MergeRules(found.exchanges.names, 3)
    assert found.is_minimum_detected
    assert found.candles.timeframe == Timeframe(1)
    assert found.candles.resolved(NOW_MS) == (parse_time_ms("2023-03-05T00:00:00Z"), None)
    assert found.candles.catch_up_initial_ms == 7 * DAY_MS
    assert found.candles.refetch_last_candles == 2
    assert found.store.sqlite_path == Path("data/candles.sqlite")
    assert found.export.csv
    assert found.redis.host == "localhost"
    assert found.redis.port == 6379
    assert found.redis.password is None
    assert found.symbols.redis_key == "top_cryptocurrencies"
    assert found.warnings == ()
    assert found.secrets == ()


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        config().run.fail_fast = True  # type: ignore[misc]


def test_flags_are_taken_over(tmp_path: Path) -> None:
    found = config(
        exchanges=["Kraken", "bitstamp"],
        min_exchanges_required=1,
        max_price_deviation_pct=2.5,
        high_low="extremes",
        quote_aliases=["usd:usdt", " EUR:USDC "],
        candle_granularity_minutes=60,
        backfill_start_date="2024-01-01",
        backfill_end_date="2024-02-01",
        catch_up_initial_days=0.5,
        run_report_path=str(tmp_path / "report.json"),
        redis_host="cache",
        redis_port=1234,
        redis_password="hush",
        redis_key_crypto_symbols="mine",
        refetch_last_candles=5,
    )

    assert found.exchanges.names == ("kraken", "bitstamp")
    assert found.rules == MergeRules(
        ("kraken", "bitstamp"), 1, 2.5, HighLow.EXTREMES, (("USD", "USDT"), ("EUR", "USDC"))
    )
    assert not found.is_minimum_detected
    assert found.candles.timeframe == Timeframe(60)
    assert found.candles.resolved(NOW_MS) == (
        parse_time_ms("2024-01-01T00:00:00Z"),
        parse_time_ms("2024-02-01T00:00:00Z"),
    )
    assert found.candles.catch_up_initial_ms == DAY_MS // 2
    assert found.run.run_report_path == tmp_path / "report.json"
    assert (found.redis.host, found.redis.port, found.redis.password) == ("cache", 1234, "hush")
    assert found.symbols.redis_key == "mine"
    assert found.candles.refetch_last_candles == 5


def test_where_a_flag_is_silent_the_environment_speaks() -> None:
    environment = {
        "REDIS_HOST": "cache",
        "REDIS_PORT": "7000",
        "REDIS_PASSWORD": "hush",
        "REDIS_KEY_CRYPTO_SYMBOLS": "coins",
    }

    found = config(environment)
    assert (found.redis.host, found.redis.port, found.redis.password) == ("cache", 7000, "hush")
    assert found.symbols.redis_key == "coins"

    found = config(environment, redis_host="other", redis_port=1, redis_key_crypto_symbols="mine")
    assert (found.redis.host, found.redis.port) == ("other", 1)
    assert found.symbols.redis_key == "mine"


def test_empty_variables_are_none() -> None:
    empty = dict.fromkeys(
        ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_KEY_CRYPTO_SYMBOLS"), ""
    )

    assert config(empty) == config()


def test_a_number_of_days_is_short_for_a_start() -> None:
    assert config(days=30).candles == config(backfill_start_date="30_days_ago").candles


def test_former_exchange_names_are_warned_about() -> None:
    found = config(exchanges=["coinbasepro", "kraken"])

    assert found.exchanges.names == ("coinbaseexchange", "kraken")
    assert len(found.warnings) == 1


def test_settings_and_keys_come_together_for_the_exchanges_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.toml"
    path.write_text('[kraken]\nbase_url = "http://127.0.0.1:1"\n[gemini]\nrequest_delay_ms = 5\n')

    found = config(
        {"KRAKEN__APIKEY": "hush-hush", "GEMINI__APIKEY": "not used"},
        exchanges=["kraken", "bitstamp"],
        exchange_settings_file=str(path),
    )

    assert list(found.exchanges.settings) == ["kraken", "bitstamp"]
    assert found.exchanges.settings["kraken"].base_url == "http://127.0.0.1:1"
    assert found.exchanges.settings["kraken"].keys == {"apiKey": "hush-hush"}
    assert found.exchanges.settings["bitstamp"].base_url is None
    assert found.secrets == ("hush-hush",)


def test_no_backfill_is_no_start() -> None:
    assert config(backfill_start_date="skip").candles.resolved(NOW_MS) == (None, None)


def test_relative_dates_move_with_the_day_of_each_run() -> None:
    candles = config(backfill_start_date="2_days_ago", backfill_end_date="1_day_ago").candles

    start_ms, end_ms = candles.resolved(NOW_MS)
    assert start_ms is not None
    assert end_ms == start_ms + DAY_MS
    assert candles.resolved(NOW_MS + DAY_MS) == (end_ms, end_ms + DAY_MS)


def test_the_exchanges_known_are_those_of_ccxt_and_coingecko() -> None:
    assert known_exchanges() == tuple(sorted([*ccxt.async_support.exchanges, "coingecko"]))


def test_what_is_known_is_read_again_only_when_that_is_asked_for() -> None:
    def read_again_ms(**flags: Any) -> int | None:
        return config(**flags).candles.refetch_ms

    assert read_again_ms() is None
    assert read_again_ms(refetch_days=3) == 3 * DAY_MS
    assert (read_again_ms(force=True, refetch_days=3) or 0) > NOW_MS


def test_closing_prices_are_not_mixed_with_candles_unless_that_is_allowed() -> None:
    assert config(exchanges=["coingecko"]).exchanges.names == ("coingecko",)
    mixed = ["kraken", "coingecko"]
    said = complaint(exchanges=mixed)
    assert said.startswith("--exchanges: coingecko has closing prices only")
    assert "not merged with the candles of kraken" in said
    allowed = config(exchanges=mixed, allow_price_only_sources=True).exchanges
    assert allowed.names == tuple(mixed)
    assert allowed.may_mix_price_only


def test_degraded_runs_end_well_unless_they_are_to_fail() -> None:
    assert not config().run.fail_when_degraded
    assert config(fail_when_degraded=True).run.fail_when_degraded


def test_how_progress_is_shown_is_part_of_the_run() -> None:
    assert config().run.progress == "auto"
    assert config(progress="off").run.progress == "off"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"exchanges": []}, "--exchanges is empty"),
        ({"exchanges": ["krakn"]}, "did you mean kraken?"),
        ({"exchanges": ["kraken", "kraken"]}, "names kraken twice"),
        (
            {"min_exchanges_required": 5},
            "--min_exchanges_required=5 is more than the 3 given by --exchanges=",
        ),
        ({"backfill_start_date": "2999-01-01"}, "lies in the future"),
        ({"backfill_start_date": "tomorrow"}, "--backfill_start_date"),
        ({"backfill_start_date": "2023-02-30"}, "--backfill_start_date"),
        ({"backfill_start_date": "55_years_ago"}, "'55_years_ago' lies before 1970"),
        ({"backfill_end_date": "55_years_ago"}, "'55_years_ago' lies before 1970"),
        ({"backfill_end_date": "tomorrow"}, "--backfill_end_date"),
        (
            {"backfill_start_date": "skip", "backfill_end_date": "2024-01-01"},
            "--backfill_end_date needs a --backfill_start_date",
        ),
        (
            {"backfill_start_date": "2024-01-01", "backfill_end_date": "2024-01-01"},
            "--backfill_end_date=2024-01-01 is not after the start",
        ),
        (
            {"backfill_start_date": "2024-01-02", "backfill_end_date": "2024-01-01"},
            "is not after the start",
        ),
        ({"symbols": "BTC/USD", "symbols_file": "x.json"}, "--symbols and --symbols_file"),
        ({"quote_aliases": ["USD"]}, "--quote_aliases: 'USD' is no pair"),
        ({"quote_aliases": ["USD:USD"]}, "is no pair"),
        ({"quote_aliases": [":USDT"]}, "is no pair"),
        ({"quote_aliases": ["USD:"]}, "is no pair"),
        ({"quote_aliases": ["USD:USDT:X"]}, "is no pair"),
        ({"max_price_deviation_pct": float("nan")}, "max_price_deviation_pct"),
        ({"max_price_deviation_pct": float("inf")}, "max_price_deviation_pct"),
        ({"max_run_seconds": float("nan")}, "--max_run_seconds=nan"),
        ({"max_run_seconds": float("inf")}, "--max_run_seconds=inf"),
        ({"settle_seconds": float("nan")}, "--settle_seconds=nan"),
        ({"catch_up_initial_days": float("inf")}, "--catch_up_initial_days=inf"),
        ({"request_timeout_seconds": float("inf")}, "--request_timeout_seconds=inf"),
        ({"api_call_delay_seconds": float("nan")}, "--api_call_delay_seconds=nan"),
        ({"markets_cache_hours": float("nan")}, "--markets_cache_hours=nan"),
        ({"sqlite_path": ""}, "--sqlite_path is empty"),
        ({"data_root": " "}, "--data_root is empty"),
        ({"exchange_settings_file": "/nowhere/x.toml"}, "cannot read /nowhere/x.toml"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_flag(
    flags: dict[str, Any], words: str
) -> None:
    message = complaint(**flags)

    assert words in message
    assert any(name in message for name in flags)


def test_a_key_of_the_older_service_is_passed_over_with_what_to_do() -> None:
    found = config(tiingo_api_key="hush-hush")

    assert "hush" not in str(found.warnings) + repr(found)
    assert "--tiingo_api_key is ignored" in found.warnings[0]
    assert "--exchanges" in found.warnings[0]


def test_a_home_folder_may_be_written_as_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A shell leaves it alone behind the `=` of a flag.
    monkeypatch.setenv("HOME", str(tmp_path))

    found = config(sqlite_path="~/candles.sqlite", data_root="~/csv", archive_dir="~/history")
    nobody = config(data_root="~nobody-of-that-name/x")

    assert found.store.sqlite_path == tmp_path / "candles.sqlite"
    assert found.export.data_root == tmp_path / "csv"
    assert found.archives.folder == tmp_path / "history"
    assert nobody.export.data_root == Path("~nobody-of-that-name/x")


def test_an_empty_archive_dir_is_no_folder() -> None:
    assert "--archive_dir is empty" in complaint(archive_dir="")
