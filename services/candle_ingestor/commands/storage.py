"""The configured store, locked against a second run (rule C6)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from candle_ingestor.config import Config
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.redis_run_lock import RedisRunLock, lock_name_of
from candle_ingestor.operations.run_lock import FileRunLock, lock_path_of
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.stores.base import Store
from candle_ingestor.stores.sqlite import SqliteStore


@dataclass(frozen=True)
class OpenStore:
    """A store that no other run writes to.

    `when_lock_lost(tell)` is a context in which `tell` hears why, should that no longer hold; it
    may be called on another thread.
    """

    store: Store
    when_lock_lost: Callable[[Callable[[str], object]], AbstractContextManager[None]]


def make_store(config: Config, *, may_create: bool = True, stop: StopSignal | None = None) -> Store:
    """The store, not yet asked anything. A server that is down is not waited for beyond `stop`.

    Raises:
        ConfigurationError: if the folder of a SQLite file cannot be written.
    """
    if config.influxdb is not None:
        create_bucket = config.create_bucket and may_create
        # Loaded only where it is used: its client takes a third of a second.
        influxdb = import_module("candle_ingestor.stores.influxdb")
        store: Store = influxdb.InfluxDbStore(
            config.influxdb,
            create_bucket=create_bucket,
            patience=None
            if stop is None
            else influxdb.Patience(sleep=stop.wait, is_to_stop=stop.is_grace_over),
        )
        return store
    require_writable("--sqlite_path", config.sqlite_path.parent)
    return SqliteStore(config.sqlite_path)


@contextmanager
def open_store(config: Config, clock: Clock, stop: StopSignal | None = None) -> Iterator[OpenStore]:
    """The configured store, with the run lock held.

    Raises:
        RunLockHeldError: if another run holds the lock.
        StoreError: if the store cannot be used; that is found out here, before any request.
    """
    with ExitStack() as stack:
        store = make_store(config, stop=stop)
        stack.callback(store.close)
        lock = _make_lock(config, clock.now_ms())
        stack.enter_context(lock)
        store.check()
        if isinstance(lock, RedisRunLock):
            yield OpenStore(store, lock.when_lost)
        else:
            yield OpenStore(store, lambda _: nullcontext())


def _make_lock(config: Config, now_ms: int) -> FileRunLock | RedisRunLock:
    if config.influxdb is None:
        return FileRunLock(lock_path_of(config.sqlite_path), started_ms=now_ms)
    influxdb = config.influxdb
    name = lock_name_of(influxdb.url, influxdb.org, influxdb.bucket, config.service_identifier)
    if config.uses_redis:
        return RedisRunLock(config.redis, name, started_ms=now_ms)
    # Without Redis the lock holds on this machine only, which is where a person runs it.
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"candle-ingestor-{digest}.lock"
    return FileRunLock(path, started_ms=now_ms)
