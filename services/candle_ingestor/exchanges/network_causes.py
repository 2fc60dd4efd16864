"""Why no whole answer arrived, in words: clients tell little more than which address they asked."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp

from candle_ingestor.exchanges.errors import shown_text

_ADDRESS = re.compile(r"https?://\S+")
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
_DEFAULT_PORTS = (80, 443)
_CLOSED = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


def network_cause(error: BaseException, timeout_seconds: float | None) -> str | None:
    """What kept an answer away, with the host's name once; None where it was no network fault.

    The chain of causes of what a client raised is searched. `timeout_seconds` is how long a request
    was waited for, None where that is not known.
    """
    address = next(filter(None, (_ADDRESS.search(str(link)) for link in _chain(error))), None)
    asked = _host_of(address.group()) if address else None
    for link in _chain(error):
        words = _words(link, asked, timeout_seconds)
        if words is not None:
            return shown_text(words)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    seen: list[BaseException] = []
    while link is not None and link not in seen:
        yield link
        seen.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _words(link: BaseException, asked: str | None, timeout_seconds: float | None) -> str | None:
    server = asked or "the server"
    if isinstance(link, TimeoutError):
        how_long = f" after {timeout_seconds:g} s" if timeout_seconds is not None else ""
        return f"timed out{how_long}, waiting for {server}"
    if isinstance(link, aiohttp.ClientConnectorError):
        return _words_of_connecting(link, asked)
    if isinstance(link, ssl.SSLError):
        return _words_of_tls(link, server)
    if isinstance(link, socket.gaierror):
        return f"cannot resolve the name {server}"
    if isinstance(link, aiohttp.ClientPayloadError):
        return f"{server} closed the connection before its answer was whole"
    if isinstance(link, aiohttp.ServerDisconnectedError):
        return f"{server} closed the connection without an answer"
    if isinstance(link, OSError):
        return _words_of_system(link, server)
    if isinstance(link, aiohttp.ClientError):
        return _words_of_http(link, server)
    return None


def _words_of_http(error: aiohttp.ClientError, server: str) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy does not lead to {server}: it answered {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"no HTTP answer from {server}: {error.message.partition(':')[0]}"
    # Its own words may hold the whole address.
    return f"no answer from {server}: {type(error).__name__}"


def _words_of_connecting(error: aiohttp.ClientConnectorError, asked: str | None) -> str:
    server = _shown(error.host, error.port)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # That of a proxy and that of a redirection look the same.
        on_the_way = (
            f", that of a proxy or a redirection on the way to {asked}"
            if asked not in (None, server)
            else ""
        )
        return f"cannot resolve the name {server}{on_the_way}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        server = f"the proxy {server}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _words_of_tls(error.certificate_error, server)
    fault = error.os_error
    if isinstance(fault, ssl.SSLError):
        return _words_of_tls(fault, server)
    return _words_of_system(fault, server)


def _words_of_tls(error: Exception, server: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the TLS certificate of {server} is not trusted: {error.verify_message}"
    if isinstance(error, ssl.CertificateError):
        return f"the TLS certificate of {server} is not trusted: {error}"
    reason = getattr(error, "reason", None) or error
    if reason in _NO_TLS:
        reason = "it speaks no TLS there"
    return f"TLS with {server} failed: {reason}"


def _words_of_system(error: OSError, server: str) -> str:
    if error.errno == errno.ECONNREFUSED:
        return f"connection refused by {server}"
    if error.errno in _CLOSED:
        return f"{server} closed the connection without an answer"
    if error.errno in _UNREACHABLE:
        return f"{server} cannot be reached: {error.strerror}"
    return f"no connection to {server}: {error.strerror or error}"


def _host_of(address: str) -> str | None:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    return _shown(parts.hostname, port) if parts.hostname else None


def _shown(host: str, port: int | None) -> str:
    """The host, and its port where that is not the one that everybody expects."""
    return host if port is None or port in _DEFAULT_PORTS else f"{host}:{port}"
