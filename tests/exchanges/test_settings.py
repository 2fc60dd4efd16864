from pathlib import Path

import ccxt
import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.names import WITHOUT_CCXT
from candle_ingestor.exchanges.settings import (
    ExchangeSettings,
    keys_from_environment,
    read_settings_file,
)
from exchange_simulator import DIALECTS
from exchange_simulator.settings import write_settings


def read(tmp_path: Path, text: str) -> dict[str, ExchangeSettings]:
    path = tmp_path / "exchanges.toml"
    path.write_text(text)
    return read_settings_file(path, ccxt.exchanges)


def test_a_table_an_exchange_says_how_to_talk_to_it(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [kraken]
        base_url = "http://127.0.0.1:8080/kraken/"
        requests_per_minute = 30
        request_delay_ms = 12.5
        [kraken.options]
        adjustForTimeDifference = true

        [bitstamp]
        requests_per_minute = 0
        """,
    )

    assert found == {
        "kraken": ExchangeSettings(
            "http://127.0.0.1:8080/kraken", 30, 12.5, {"adjustForTimeDifference": True}
        ),
        "bitstamp": ExchangeSettings(requests_per_minute=0),
    }


def test_former_names_and_capitals_mean_the_same_exchange(tmp_path: Path) -> None:
    found = read(tmp_path, "[coinbasepro]\nrequest_delay_ms = 1\n[Kraken]\nrequest_delay_ms = 2")

    assert list(found) == ["coinbaseexchange", "kraken"]


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == {}


def test_what_the_simulator_writes_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "simulated.toml"
    write_settings(path, "http://127.0.0.1:5000", DIALECTS)

    found = read_settings_file(path, [*ccxt.exchanges, *WITHOUT_CCXT])

    assert found["kraken"].base_url == "http://127.0.0.1:5000/kraken"
    assert list(found) == list(DIALECTS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[kraken", "no TOML"),
        ("kraken = 3", "expected a table such as"),
        ("[krakn]", "'krakn' is no exchange that ccxt knows; did you mean kraken"),
        ("[kraken]\n[KRAKEN]", "another table is for kraken too"),
        ("[gdax]\n[coinbasepro]", "another table is for coinbaseexchange too"),
        ("[kraken]\nbase_urls = 'x'", "unknown key 'base_urls'; known are base_url"),
        ("[kraken]\napiKey = 'x'", "unknown key 'apiKey'"),
        ("[kraken]\nbase_url = 'ftp://x'", "base_url must be an http or https address"),
        ("[kraken]\nbase_url = 'localhost:80'", "base_url must be"),
        ("[kraken]\nbase_url = 5", "base_url must be"),
        ("[kraken]\nrequests_per_minute = -1", "requests_per_minute must be a number"),
        ("[kraken]\nrequests_per_minute = 'many'", "requests_per_minute must be a number"),
        ("[kraken]\nrequests_per_minute = true", "requests_per_minute must be a number"),
        ("[kraken]\nrequests_per_minute = inf", "requests_per_minute must be a number"),
        ("[kraken]\nrequest_delay_ms = nan", "request_delay_ms must be a number"),
        ("[kraken]\noptions = [1]", "options must be a table"),
    ],
)
def test_nonsense_is_refused_with_file_and_table(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        read(tmp_path, text)

    assert "--exchange_settings_file" in str(caught.value)
    assert "exchanges.toml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigurationError, match=f"cannot read {path}"):
            read_settings_file(path, ccxt.exchanges)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="no TOML"):
        read_settings_file(binary, ccxt.exchanges)


def test_keys_come_from_the_environment() -> None:
    environment = {
        "BINANCE__APIKEY": "key",
        "BINANCE__SECRET": "secret",
        "KUCOIN__PASSWORD": "phrase",
        "COINBASEPRO__APIKEY": "old name",
        "KRAKEN__APIKEY": "",
        "KRAKEN__NONSENSE": "x",
        "BITSTAMP__UID": "not asked for",
        "PATH": "/bin",
        "__APIKEY": "x",
    }

    found = keys_from_environment(environment, ("binance", "kucoin", "coinbaseexchange", "kraken"))

    assert found == {
        "binance": {"apiKey": "key", "secret": "secret"},
        "kucoin": {"password": "phrase"},
        "coinbaseexchange": {"apiKey": "old name"},
    }


def test_keys_are_in_no_text_made_of_the_settings() -> None:
    settings = ExchangeSettings(keys={"apiKey": "hush", "secret": "hush"})

    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_a_table_of_ids_says_which_coin_a_ticker_means_to_coingecko(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.toml"
    path.write_text('[coingecko.ids]\nbtc = "bitcoin"\nUSDC = "usd-coin"\n')

    found = read_settings_file(path, ["coingecko"])["coingecko"]

    assert found.ids == {"BTC": "bitcoin", "USDC": "usd-coin"}
    assert found.shown() == "ids {'BTC': 'bitcoin', 'USDC': 'usd-coin'}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[coingecko]\nids = 5", "ids must be a table of tickers"),
        ("[coingecko.ids]\nBTC = 5", "ids must be a table of tickers"),
        ('[coingecko.ids]\nBTC = "bit/coin?"', "ids must be a table of tickers"),
        ('[kraken.ids]\nBTC = "bitcoin"', "unknown key 'ids'"),
    ],
)
def test_ids_that_are_none_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "exchanges.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        read_settings_file(path, ["coingecko", "kraken"])
