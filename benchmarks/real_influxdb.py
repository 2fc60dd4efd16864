"""A real InfluxDB to measure against."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from influxd import (
    HOW_TO_GET_ONE,
    InfluxdProcess,
    InfluxServer,
    find_influxd,
    outside_server,
)

NO_SERVER = f"There is no server to measure against: {HOW_TO_GET_ONE}"


@contextmanager
def influx_server() -> Iterator[InfluxServer | None]:
    """The server that the environment names, else one of our own; None where there is none."""
    outside, binary = outside_server(), find_influxd()
    if outside is not None or binary is None:
        yield outside
        return
    with tempfile.TemporaryDirectory() as folder:
        process = InfluxdProcess(binary, Path(folder))
        try:
            process.start()
            yield process.server
        finally:
            process.stop()
