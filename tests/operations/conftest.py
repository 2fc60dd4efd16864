import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest


@pytest.fixture
def answering_with() -> Iterator[Callable[[bytes], int]]:
    """`answering_with(line)`: the port of a server that answers everything so."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, line: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Who does not like the answer closes the connection.
            with connection, suppress(ConnectionError):
                while connection.recv(4096):
                    connection.sendall(line)

    def start(line: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, line)))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()
