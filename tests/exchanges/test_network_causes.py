"""The cause of a network fault, with the real ccxt over real sockets."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import ccxt.async_support as ccxt_async
import pytest

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import NetworkFaultError
from candle_ingestor.exchanges.network_causes import network_cause
from candle_ingestor.exchanges.settings import ExchangeSettings

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The host and port of a server that talks so to each who connects."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def message_of(address: str, *, proxy: str | None = None, seconds: float = 5.0) -> str:
    """What is said when Kraken's markets are asked for at the address."""
    client = CcxtClient("kraken", ExchangeSettings(address), timeout_seconds=seconds)
    client._client.aiohttp_proxy = proxy
    try:
        with pytest.raises(NetworkFaultError) as caught:
            await client.fetch_markets()
    finally:
        await client.close()
    return str(caught.value)


async def hears_only(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def test_a_closed_port(closed_port: int) -> None:
    said = await message_of(f"http://127.0.0.1:{closed_port}")

    assert said == f"kraken: connection refused by 127.0.0.1:{closed_port}"


async def test_a_name_that_nobody_knows() -> None:
    said = await message_of("https://exchange.invalid")

    assert said == "kraken: cannot resolve the name exchange.invalid"


async def test_a_server_that_stalls() -> None:
    async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(stall) as server:
        said = await message_of(f"http://{server}", seconds=0.2)

    assert said == f"kraken: timed out after 0.2 s, waiting for {server}"


async def test_a_server_that_stalls_before_tls_is_there() -> None:
    async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(stall) as server:
        said = await message_of(f"https://{server}", seconds=0.2)

    assert said == f"kraken: timed out after 0.2 s, waiting for {server}"


async def test_a_server_that_closes() -> None:
    async with listening(hears_only) as server:
        said = await message_of(f"http://{server}")

    assert said == f"kraken: {server} closed the connection without an answer"


async def test_a_server_that_resets() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with listening(reset) as server:
        said = await message_of(f"http://{server}")

    assert said == f"kraken: {server} closed the connection without an answer"


async def test_a_server_that_closes_in_the_middle_of_its_answer() -> None:
    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hears_only(reader, writer)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"result"')
        await writer.drain()

    async with listening(begin) as server:
        said = await message_of(f"http://{server}")

    assert said == f"kraken: {server} closed the connection before its answer was whole"


async def test_a_server_that_speaks_no_http() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hears_only(reader, writer)
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()

    async with listening(babble) as server:
        said = await message_of(f"http://{server}")

    assert said == f"kraken: no HTTP answer from {server}: Bad status line"


@pytest.fixture
def self_signed(tmp_path: Path, missing_real_part: Callable[[str], NoReturn]) -> ssl.SSLContext:
    openssl = shutil.which("openssl")
    if openssl is None:
        missing_real_part("openssl; on Debian: apt-get install openssl")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "server.key", "-out", "server.pem"),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    return context


async def test_a_certificate_that_nobody_signed(self_signed: ssl.SSLContext) -> None:
    async with listening(hears_only, self_signed) as server:
        said = await message_of(f"https://{server}")

    assert said.startswith(f"kraken: the TLS certificate of {server} is not trusted: self")
    assert said.count(server) == 1


async def test_a_server_that_speaks_no_tls() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(refuse) as server:
        said = await message_of(f"https://{server}")

    assert said == f"kraken: TLS with {server} failed: it speaks no TLS there"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there(scheme: str, closed_port: int) -> None:
    proxy = f"127.0.0.1:{closed_port}"
    said = await message_of(f"{scheme}://api.kraken.com", proxy=f"http://user:secret@{proxy}")

    assert said == f"kraken: connection refused by the proxy {proxy}"


async def test_a_proxy_whose_name_nobody_knows() -> None:
    said = await message_of("https://api.kraken.com", proxy="http://proxy.invalid:3128")

    assert said == (
        "kraken: cannot resolve the name proxy.invalid:3128, that of a proxy or a redirection on "
        "the way to api.kraken.com"
    )


async def test_another_host_that_a_server_sends_to_is_no_proxy(closed_port: int) -> None:
    elsewhere = f"127.0.0.1:{closed_port}"

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hears_only(reader, writer)
        location = f"Location: http://{elsewhere}/\r\n"
        writer.write(f"HTTP/1.1 302 Found\r\n{location}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with listening(redirect) as server:
        said = await message_of(f"http://{server}")

    assert said == f"kraken: connection refused by {elsewhere}"


async def test_a_proxy_that_refuses() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hears_only(reader, writer)
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with listening(refuse) as proxy:
        said = await message_of("https://api.kraken.com", proxy=f"http://{proxy}")

    assert said == (
        "kraken: the proxy does not lead to api.kraken.com: "
        "it answered 407 Proxy Authentication Required"
    )


async def test_neither_a_login_nor_a_query_of_an_address_is_told(closed_port: int) -> None:
    said = await message_of(f"http://user:secret@127.0.0.1:{closed_port}")

    assert said == f"kraken: connection refused by 127.0.0.1:{closed_port}"


def test_what_an_exchange_answered_is_no_network_fault() -> None:
    assert network_cause(ccxt_async.RequestTimeout('kraken {"code": -1007}'), 10.0) is None
    assert network_cause(KeyError("result"), 10.0) is None
