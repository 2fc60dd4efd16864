import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.operations.secrets import Redactor, redact_handlers

TOKEN = "Zx9/+secret=token=="
PASSWORD = "p@ss 'w\"ord\\1"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose handler is redacted, and what it writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    redact_handlers([handler], Redactor([TOKEN, PASSWORD]))
    logger = logging.getLogger("a test of secrets")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)
    handler.close()


def test_a_secret_is_masked_wherever_it_stands() -> None:
    redactor = Redactor([TOKEN, PASSWORD])

    assert redactor.redact(f"token={TOKEN};{PASSWORD}{PASSWORD}.") == "token=***;******."


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, "pässwörd€", "multi\nline\ttext"])
def test_a_secret_is_masked_however_it_is_spelled(secret: str) -> None:
    redactor = Redactor([secret])

    for text in (
        json.dumps({"password": secret}),
        json.dumps({"password": secret}, ensure_ascii=False),
        repr([secret]),
        f"https://example.org/?token={quote_plus(secret)}&x=1",
    ):
        masked = redactor.redact(text)
        assert "***" in masked
        assert secret not in masked
        assert len(masked) < len(text)


def test_of_two_secrets_the_longer_is_masked_whole() -> None:
    redactor = Redactor(["secret", "secret-and-more", "more"])

    assert redactor.redact("secret-and-more secret") == "*** ***"


def test_a_secret_with_blanks_around_it_is_masked_without_them_too() -> None:
    assert Redactor([" token-1 \n"]).redact("Token token-1") == "Token ***"


@pytest.mark.parametrize("secrets", [[], [None], [""], ["", None, "  ", "    "]])
def test_without_secrets_the_text_stays(secrets: list[str | None]) -> None:
    text = "a text with    four blanks, and nothing to hide"

    assert Redactor(secrets).redact(text) == text


def test_a_short_secret_is_masked_as_a_word_only() -> None:
    redactor = Redactor(["abc", "1"])

    assert redactor.redact("password=abc, abc1, cabc: (1) 10 21") == (
        "password=***, abc1, cabc: (***) 10 21"
    )


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://:pw@host:6379/0", "redis://***@host:6379/0"),
        ("rediss://user:p@w@host", "rediss://***@host"),
        (
            "see http://user:pw@a.org/x and https://b.org/y",
            "see http://***@a.org/x and https://b.org/y",
        ),
        ('{"url": "influx://token@host"}', '{"url": "influx://***@host"}'),
        ("https://a.org/path@2?mail=me@b.org", "https://a.org/path@2?mail=me@b.org"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_the_login_part_of_a_url_is_masked_though_unknown(text: str, masked: str) -> None:
    assert Redactor([]).redact(text) == masked


def test_log_messages_and_arguments_are_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log

    logger.warning("connecting to %s with %r", "redis://:pw@host", {"password": PASSWORD})

    written = stream.getvalue()
    assert written == "WARNING connecting to redis://***@host with {'password': '***'}\n"


def test_exceptions_with_their_causes_are_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log

    try:
        try:
            raise ValueError(f"bad token {TOKEN}")
        except ValueError as error:
            raise RuntimeError(f"refused {PASSWORD!r}") from error
    except RuntimeError:
        logger.exception("failed for %s", TOKEN, stack_info=True)

    written = stream.getvalue()
    assert written.startswith("ERROR failed for ***\n")
    assert "ValueError: bad token ***\n" in written
    assert "RuntimeError: refused '***'\n" in written or 'RuntimeError: refused "***"' in written
    assert "Traceback" in written


def test_a_record_is_left_as_it_is_for_others(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, _ = log
    records: list[logging.LogRecord] = []

    def keep(record: logging.LogRecord) -> bool:
        records.append(record)
        return True

    logger.addFilter(keep)
    logger.warning("token %s", TOKEN)
    logger.removeFilter(keep)

    assert [record.args for record in records] == [(TOKEN,)]


letters = st.text("abcdefgh", min_size=4)


@given(st.text(), letters, st.text())
def test_no_secret_of_some_length_ever_comes_through(before: str, secret: str, after: str) -> None:
    assert secret not in Redactor([secret]).redact(before + secret + after)
