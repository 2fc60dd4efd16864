"""How long servers ask to be left alone."""

import pytest

from candle_ingestor.operations.retry_after import retry_after_seconds, wait_seconds

SENT = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"RETRY-AFTER": "0"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT", "Date": SENT}, 90.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:20:00 GMT", "date": SENT}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT", "Date": "soon"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30 -0000", "Date": SENT}, None),
        ({"Retry-After": "soon", "Date": SENT}, None),
        ({"Retry-After": "-5", "Date": SENT}, None),
        ({"Retry-After": "1.5", "Date": SENT}, None),
        ({"Retry-After": "", "Date": SENT}, None),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_seconds(headers) == seconds


def test_what_was_asked_for_is_waited_and_a_little_of_the_backoff() -> None:
    assert wait_seconds(None, 4.0) == 4.0
    assert wait_seconds(20.0, 4.0) == 20.4
    assert wait_seconds(0.0, 4.0) == 0.4
