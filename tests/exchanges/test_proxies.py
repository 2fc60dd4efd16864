import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.proxies import Proxies

BOTH = {"HTTP_PROXY": "http://plain:3128", "HTTPS_PROXY": "http://me:s3cret%40@secure:3129"}
KRAKEN = "https://api.kraken.com/0/public/OHLC?pair=XBTUSD"


def test_the_proxy_is_that_of_the_scheme() -> None:
    proxies = Proxies.from_environment(BOTH)
    assert proxies.proxy_for(KRAKEN) == BOTH["HTTPS_PROXY"]
    assert proxies.proxy_for("http://exchange.internal/x") == BOTH["HTTP_PROXY"]


def test_without_variables_exchanges_are_asked_directly() -> None:
    proxies = Proxies.from_environment({"HTTPS_PROXY": ""})
    assert proxies.proxy_for(KRAKEN) is None
    assert proxies.shown() is None
    assert proxies.secrets == ()


def test_small_letters_win_and_a_scheme_may_be_left_out() -> None:
    proxies = Proxies.from_environment({**BOTH, "https_proxy": "small:8080"})
    assert proxies.proxy_for(KRAKEN) == "http://small:8080"


@pytest.mark.parametrize(
    ("excepted", "is_direct"),
    [
        ("api.kraken.com", True),
        ("kraken.com", True),
        (".kraken.com", True),
        ("*.kraken.com", True),
        ("localhost, KRAKEN.com", True),
        ("*", True),
        ("raken.com", False),
        ("com.kraken", False),
        ("", False),
        (",", False),
    ],
)
def test_hosts_of_no_proxy_are_asked_directly(excepted: str, is_direct: bool) -> None:
    proxies = Proxies.from_environment({**BOTH, "NO_PROXY": excepted})
    assert (proxies.proxy_for(KRAKEN) is None) == is_direct


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"])
def test_this_machine_is_asked_directly(host: str) -> None:
    assert Proxies.from_environment(BOTH).proxy_for(f"http://{host}:8000/x") is None


@pytest.mark.parametrize(
    "text", ["socks5://s3cret@proxy:1080", "http://", "http://proxy:s3cret", "://", "http://p:0"]
)
def test_what_is_no_http_proxy_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is no address of a proxy") as caught:
        Proxies.from_environment({"HTTPS_PROXY": text})
    assert "s3cret" not in str(caught.value)


def test_the_login_is_in_no_text_and_among_the_secrets() -> None:
    proxies = Proxies.from_environment({**BOTH, "NO_PROXY": "internal"})
    assert proxies.secrets == ("s3cret@",)
    assert proxies.shown() == "plain:3128 for http, secure:3129 for https; not for internal"
    assert "s3cret" not in repr(proxies)
