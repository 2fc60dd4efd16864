"""A verification as a person reads it, of values that the test chooses."""

from io import StringIO

from rich.console import Console

from candle_ingestor.commands.verify_table import print_verification
from candle_ingestor.verify.asking import ExchangeChecked
from candle_ingestor.verify.report import VerifyReport


def test_an_exchange_that_could_not_be_asked_is_named_with_why() -> None:
    report = VerifyReport(None, None, None, None, repairs=False)
    report.exchanges["bitstamp"] = ExchangeChecked("bitstamp", 5, "connection refused")
    output = StringIO()

    print_verification(report, Console(file=output))

    assert output.getvalue() == "bitstamp could not be asked for all: connection refused\n"


def test_what_was_not_compared_is_no_agreement() -> None:
    report = VerifyReport(None, None, None, None, repairs=False)
    report.other_roots = ["/a b"]
    output = StringIO()

    print_verification(report, Console(file=output))

    assert report.status == "not_compared"
    assert output.getvalue() == (
        "/a b: not compared; --data_root='/a b' compares it\nNothing was compared.\n"
    )
