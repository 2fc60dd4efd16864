"""An HTTP proxy in front of a real server that answers wrongly when told to."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3


@dataclass(frozen=True)
class Request:
    """One request as it came, its body as sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status, headers, body: an answer in place of the server's; the server is not asked.
        is_forwarded: whether the server is asked all the same, and its answer thrown away.
        is_dropped: the connection is closed instead of an answer.
        keep_bytes: of the server's own answer, cut short in the middle.
        on_request: called when the request has come, before anything else.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_forwarded: bool = False
    is_dropped: bool = False
    keep_bytes: int | None = None
    on_request: Callable[[Request], object] | None = None


class MisbehavingProxy:
    """Forwards to `target` what no fault is waiting for, and remembers every request."""

    def __init__(self, target: str) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._target = target
        self._faults: dict[str, deque[Fault]] = {}
        self._standing: dict[str, Callable[[Request], Fault]] = {}
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(retries=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, path: str, *faults: Fault) -> None:
        """The next requests of this path meet these faults, one each."""
        self._faults.setdefault(path, deque()).extend(faults)

    def always(self, path: str, fault: Fault | Callable[[Request], Fault]) -> None:
        """Every request of this path meets the fault."""
        self._standing[path] = fault if callable(fault) else lambda _: fault

    def heal(self) -> None:
        """From now on all is well."""
        self._faults.clear()
        self._standing.clear()

    def paths(self, method: str = "POST") -> list[str]:
        """The paths of the requests so far, without their queries."""
        return [
            request.path.partition("?")[0] for request in self.requests if request.method == method
        ]

    @contextmanager
    def serving(self) -> Iterator["MisbehavingProxy"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
            self._pool.clear()

    def _fault_of(self, request: Request) -> Fault | None:
        path = request.path.partition("?")[0]
        with self._lock:
            self.requests.append(request)
            waiting = self._faults.get(path)
            if waiting:
                return waiting.popleft()
            standing = self._standing.get(path)
        return standing(request) if standing is not None else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with proxy._lock:
                    proxy.connections += 1

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = proxy._answer(Request(self.command, self.path, dict(self.headers), body))
                if answer is None or len(answer.body) != answer.length:
                    self.close_connection = True
                if answer is None:
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(answer.length))
                # A client that has stopped waiting is no failure of the proxy.
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        return Handler

    def _answer(self, request: Request) -> "_Answer | None":
        """What the client is sent; None to hang up on it."""
        fault = self._fault_of(request) or Fault(is_forwarded=True)
        if fault.on_request is not None:
            fault.on_request(request)
        answer = _Answer(fault.status or 0, fault.headers, fault.body, len(fault.body))
        if fault.is_forwarded or fault.keep_bytes is not None:
            forwarded = self._forward(request)
            answer = answer if fault.status is not None else forwarded
        if fault.keep_bytes is not None:
            answer = replace(answer, body=answer.body[: fault.keep_bytes])
        return None if fault.is_dropped else answer

    def _forward(self, request: Request) -> "_Answer":
        hop = {"host", "content-length", "connection", "accept-encoding"}
        response = self._pool.request(
            request.method,
            self._target + request.path,
            body=request.body,
            headers={k: v for k, v in request.headers.items() if k.lower() not in hop},
            redirect=False,
        )
        kept = ("Content-Type", "X-Influxdb-Version", "X-Influxdb-Build", "Retry-After")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        return _Answer(response.status, headers, response.data, len(response.data))


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    length: int
