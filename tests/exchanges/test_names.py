import ccxt
import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.names import RENAMED, resolve_names


def test_ccxt_ids_are_taken_as_they_are_and_in_their_order() -> None:
    assert resolve_names(["kraken", " Binance ", "BITSTAMP"], ccxt.exchanges) == (
        ("kraken", "binance", "bitstamp"),
        (),
    )


def test_former_names_keep_working_with_a_warning() -> None:
    names, warnings = resolve_names(["coinbasepro", "huobi", "kraken"], ccxt.exchanges)

    assert names == ("coinbaseexchange", "htx", "kraken")
    assert [("coinbasepro" in w, "coinbaseexchange" in w) for w in warnings[:1]] == [(True, True)]
    assert len(warnings) == 2


@pytest.mark.parametrize(("former", "today"), RENAMED.items())
def test_every_former_name_is_gone_from_ccxt_and_its_successor_is_there(
    former: str, today: str
) -> None:
    assert former not in ccxt.exchanges
    assert today in ccxt.exchanges
    assert today not in RENAMED


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "--exchanges is empty"),
        (["krakn"], "'krakn' is no exchange that ccxt knows; did you mean kraken?"),
        (["coinbsepro"], "did you mean coinbasepro?"),
        (["zzzzzz"], "see ccxt's list"),
        ([""], "'' is no exchange"),
        (["kraken", "binance", "Kraken"], "names kraken twice"),
        (["coinbasepro", "coinbaseexchange"], "names coinbaseexchange twice"),
        (["x" * 500], "x" * 40 + "…' is no exchange"),
    ],
)
def test_other_names_are_refused(names: list[str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_names(names, ccxt.exchanges)

    assert complaint in str(caught.value)
    assert "--exchanges" in str(caught.value)
    assert len(str(caught.value)) < 200
