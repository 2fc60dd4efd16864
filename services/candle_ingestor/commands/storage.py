"""The configured store, locked against a second run (rule C6)."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from candle_ingestor.config import Config
from candle_ingestor.errors import ConfigurationError, DependencyError
from candle_ingestor.operations.clock import Clock
from candle_ingestor.operations.run_lock import (
    FileRunLock,
    RunLockLostError,
    is_lock_held,
    lock_name_of,
    lock_path_of,
)
from candle_ingestor.operations.signals import stop_on_signals
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.operations.writable import require_writable
from candle_ingestor.stores.base import Store

if TYPE_CHECKING:
    from candle_ingestor.operations.redis_run_lock import RedisRunLock
    from candle_ingestor.stores.influxdb.connection import InfluxDbConnection

log = logging.getLogger(__name__)

_READING_TRIES = 3
_READING_SECONDS = 5.0

LOCK_LOST = "the loss of its run lock"
"""Why a run stops that another run may work beside."""


@dataclass(frozen=True)
class OpenStore:
    """A store that no other run writes to.

    `when_lock_lost(tell)` is a context in which `tell` hears why, should that no longer hold; it
    may be called on another thread.
    """

    store: Store
    when_lock_lost: Callable[[Callable[[RunLockLostError], object]], AbstractContextManager[None]]

    def stopped_without_lock(self, stop: StopSignal) -> AbstractContextManager[None]:
        """A context in which the loss of the lock stops the work as soon as it can."""

        def request(loss: RunLockLostError) -> None:
            stop.request(LOCK_LOST, is_urgent=True, failure=loss)

        return self.when_lock_lost(request)


def make_store(
    config: Config, clock: Clock, *, may_create: bool = True, stop: StopSignal | None = None
) -> Store:
    """The store, not yet asked anything. A server that is down is not waited for beyond `stop`.

    Raises:
        ConfigurationError: if the folder of a SQLite file cannot be written.
    """
    if config.store.influxdb is not None:
        create_bucket = config.store.create_bucket and may_create
        return _influxdb_store(config.store.influxdb, create_bucket, clock, stop)
    # A store's library is loaded with it: that of InfluxDB takes a third of a second.
    from candle_ingestor.stores.sqlite.store import SqliteStore

    require_writable("--sqlite_path", config.store.sqlite_path.parent)
    return SqliteStore(config.store.sqlite_path)


def run_lock_name(config: Config, service_identifier: str) -> str:
    """What tells the lock of a service's runs on the store from others.

    A file has one lock, and a bucket one for each service.
    """
    influxdb = config.store.influxdb
    if influxdb is None:
        return str(lock_path_of(config.store.sqlite_path))
    return lock_name_of(influxdb.url, influxdb.org, influxdb.bucket, service_identifier)


def is_run_there(config: Config, service_identifier: str) -> bool:
    """Whether a run of the service works on the store, as far as its lock can be seen from here.

    What cannot be seen counts as there: a lock that another machine's run holds, or one in a Redis
    that does not answer.
    """
    store = replace(config.store, service_identifier=service_identifier)
    config = replace(config, store=store)
    influxdb, path = config.store.influxdb, _lock_path(config)
    if influxdb is None:
        return is_lock_held(path)
    if config.names_redis:
        try:
            return _redis_lock(config, started_ms=0).is_held()
        except DependencyError as error:
            log.warning("Whether a run is there cannot be told: %s", error)
            return True
    return is_lock_held(path) if path.exists() else True


def make_reading_store(config: Config, clock: Clock) -> Store:
    """The store for a command that only reads: a person waits, so a server is soon given up."""
    if config.store.influxdb is not None:
        from candle_ingestor.stores.influxdb.patience import Patience
        from candle_ingestor.stores.influxdb.store import InfluxDbStore

        patience = Patience(tries=_READING_TRIES, seconds=_READING_SECONDS)
        return InfluxDbStore(config.store.influxdb, patience=patience, now_ms=clock.now_ms)
    from candle_ingestor.stores.sqlite.store import SqliteStore

    return SqliteStore(config.store.sqlite_path)


def is_store_there(config: Config, clock: Clock) -> bool:
    """Whether there is a store already; a bucket tells of itself when it is asked."""
    with closing(make_reading_store(config, clock)) as store:
        return store.size_bytes() != 0


def require_store(config: Config, clock: Clock) -> None:
    """Refuses to work on a store that is not there, before anything is made beside it.

    Raises:
        ConfigurationError: if there is none.
    """
    if not is_store_there(config, clock):
        path = config.store.sqlite_path
        found = "is empty" if path.exists() else "is not there"
        raise ConfigurationError(
            f"--sqlite_path: the store {path} {found}; name one that is, or run the command ingest "
            "first"
        )


@contextmanager
def open_store(config: Config, clock: Clock, stop: StopSignal) -> Iterator[OpenStore]:
    """The configured store, with the run lock held.

    From then on signals ask `stop`; before, where nothing is in hand, they end the process. An
    error that comes after the stop tells of it.

    Raises:
        RunLockHeldError: if another run holds the lock.
        StoreError: if the store cannot be used; that is found out here, before any request.
    """
    with ExitStack() as stack:
        store = make_store(config, clock, stop=stop)
        stack.callback(store.close)
        started_ms = clock.now_ms()
        if config.store.influxdb is not None and config.uses_redis:
            if not config.names_redis:
                # Of a Redis that nobody named, merge and export do not know.
                stack.enter_context(FileRunLock(_lock_path(config), started_ms=started_ms))
            redis_lock = stack.enter_context(_redis_lock(config, started_ms))
            opened = OpenStore(store, redis_lock.when_lost)
        else:
            stack.enter_context(FileRunLock(_lock_path(config), started_ms=started_ms))
            opened = OpenStore(store, lambda _: nullcontext())
        stack.enter_context(stop_on_signals(None, stop))
        stack.enter_context(stop.named_in_errors())
        store.check()
        yield opened


def _influxdb_store(
    connection: InfluxDbConnection, create_bucket: bool, clock: Clock, stop: StopSignal | None
) -> Store:
    from candle_ingestor.stores.influxdb.patience import Patience
    from candle_ingestor.stores.influxdb.store import InfluxDbStore

    patience = None if stop is None else Patience(sleep=stop.wait, is_to_stop=stop.is_grace_over)
    return InfluxDbStore(
        connection, create_bucket=create_bucket, patience=patience, now_ms=clock.now_ms
    )


def _redis_lock(config: Config, started_ms: int) -> RedisRunLock:
    from candle_ingestor.operations.redis_run_lock import RedisRunLock

    name = run_lock_name(config, config.store.service_identifier)
    return RedisRunLock(config.redis, name, started_ms=started_ms)


def _lock_path(config: Config) -> Path:
    name = run_lock_name(config, config.store.service_identifier)
    if config.store.influxdb is None:
        return Path(name)
    # Without Redis the lock holds on this machine only, which is where a person runs it.
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"candle-ingestor-{digest}.lock"
