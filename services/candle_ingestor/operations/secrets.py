"""Keeps secrets out of every text that leaves the process (rule F5)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST_MASKED_ANYWHERE = 4
_URL_USERINFO = re.compile(r"(?<=://)[^\s/\"'<>]+@")


class Redactor:
    """Masks known secrets in any text, also as URLs, JSON and Python write them.

    The login part of a URL (`redis://:password@host`) is masked whether known or not. A secret
    of fewer than 4 characters is masked only where it stands alone as a word, since it would
    otherwise blot out half of every text; an empty or blank one is none.
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            if secret and secret.strip():
                spellings |= _spellings(secret) | _spellings(secret.strip())
        patterns = [_pattern(text) for text in sorted(spellings, key=len, reverse=True)]
        self._known = re.compile("|".join(patterns)) if patterns else None

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `***`."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _URL_USERINFO.sub(f"{MASK}@", text)


class RedactingFormatter(logging.Formatter):
    """A formatter that masks what another one makes of a record: message, arguments, tracebacks."""

    def __init__(self, inner: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.redact(self._inner.format(record))


def redact_handlers(handlers: Iterable[logging.Handler], redactor: Redactor) -> None:
    """Wraps the formatter of each handler, so that nothing it writes holds a secret."""
    for handler in handlers:
        handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter(), redactor))


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }


def _pattern(text: str) -> str:
    if len(text) < _SHORTEST_MASKED_ANYWHERE:
        return rf"(?<!\w){re.escape(text)}(?!\w)"
    return re.escape(text)
