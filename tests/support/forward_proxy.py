"""A real HTTP proxy of the kind that companies have: forwards requests, tunnels CONNECT."""

import base64
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import urllib3

USER = "clerk"
PASSWORD = "proxy-s3cret@word"


@dataclass
class ForwardProxy:
    """`asked` are the requests it saw, as `GET http://host/path` or `CONNECT host:port`.

    Hosts are looked up in `routes`, each to a port of this machine.
    """

    routes: Mapping[str, int]
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD.replace('@', '%40')}@127.0.0.1:{self.port}"

    def port_of(self, host: str | None) -> int | None:
        return self.routes.get(host or "")


@contextmanager
def running_proxy(routes: Mapping[str, int]) -> Iterator[ForwardProxy]:
    proxy = ForwardProxy(routes)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(proxy)) as server:
        server.daemon_threads = True
        server.block_on_close = False
        proxy.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _handler_of(proxy: ForwardProxy) -> type[BaseHTTPRequestHandler]:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    pool = urllib3.PoolManager(retries=False, maxsize=10)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if not self.may_go_on(url.hostname):
                return
            target = f"http://127.0.0.1:{proxy.port_of(url.hostname)}{url.path}?{url.query}"
            headers = {"Host": url.netloc, "Accept": self.headers.get("Accept", "*/*")}
            answer = pool.request("GET", target, headers=headers)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            if not self.may_go_on(host):
                return
            port = proxy.port_of(host)
            assert port is not None
            with socket.create_connection(("127.0.0.1", port)) as target:
                self.send_response(200, "Connection established")
                self.end_headers()
                _tunnel(self.connection, target)
            self.close_connection = True

        def may_go_on(self, host: str | None) -> bool:
            proxy.asked.append(f"{self.command} {self.path}")
            if self.headers.get("Proxy-Authorization") != f"Basic {login}":
                return self.refuse(407)
            return True if proxy.port_of(host) else self.refuse(502)

        def refuse(self, status: int) -> bool:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    to = {one: other, other: one}
    while True:
        for ready in select.select(list(to), [], [])[0]:
            received = ready.recv(65536)
            if not received:
                return
            to[ready].sendall(received)
