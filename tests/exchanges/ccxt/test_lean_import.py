"""How much of ccxt a process loads, and that whoever wants all of it gets it."""

import subprocess
import sys

import pytest

LEAN = "import sys; from candle_ingestor.exchanges.ccxt.client import CcxtClient; "


def answer_of(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_client_loads_no_other_exchange_than_its_own() -> None:
    script = LEAN + (
        "from candle_ingestor.exchanges.ccxt.answers import strict_class; strict_class('kraken'); "
        "print([name for name in ('kraken', 'binance', 'bitstamp')"
        " if f'ccxt.async_support.{name}' in sys.modules or f'ccxt.{name}' in sys.modules])"
    )

    assert answer_of(script) == "['kraken']"


@pytest.mark.parametrize("package", ["ccxt", "ccxt.async_support"])
def test_whoever_asks_for_more_of_ccxt_gets_all_of_it(package: str) -> None:
    script = f"import {package} as whole; print(whole.exchanges[0], whole.binance.__module__)"

    assert answer_of(LEAN + script) == answer_of(script)


def test_a_name_that_ccxt_does_not_have_is_told_as_ever() -> None:
    script = LEAN + "import ccxt; print(hasattr(ccxt, 'no_such_name'))"

    assert answer_of(script) == "False"
