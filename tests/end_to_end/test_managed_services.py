"""Services as a cloud or a company offers them: behind TLS, with a login, through a proxy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from bucket_contents import contents_of
from certificates import Certificates
from forward_proxy import PASSWORD, running_proxy
from influxd import InfluxdProcess

from candle_ingestor.commands import stored
from candle_ingestor.commands.storage import OpenStore, open_store
from candle_ingestor.config import Config, config_from_flags
from candle_ingestor.flags import FLAGS, GROUPS
from candle_ingestor.operations.clock import Clock, SystemClock
from candle_ingestor.operations.run_lock import RunLockLostError
from candle_ingestor.operations.stopping import StopSignal
from exchange_simulator import ExchangeSimulator

EXCHANGES = ("coinbaseexchange", "binanceus")
KEY = "top_cryptocurrencies"
DEPENDENCY_DOWN = 3
BAD_CONFIGURATION = 2


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(
        now_ms=ms_of("2024-05-03T02:00:10"), exchanges=EXCHANGES
    )
    return simulator


def flags_for(market: ExchangeSimulator) -> dict[str, Any]:
    return {
        "now": market.clock.now_ms(),
        "exchanges": ",".join(EXCHANGES),
        "backfill_start_date": "2024-05-02",
        "candle_granularity_minutes": 60,
    }


def all_texts(job: Any, finished: Any) -> str:
    files = [path.read_bytes().decode("utf-8", "replace") for path in job.folder.rglob("*.json")]
    return "\n".join([finished.output, finished.errors, *files])


@pytest.fixture(scope="module")
def influxdb_with_tls(
    influxd_binary: Path,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InfluxdProcess]:
    process = InfluxdProcess(influxd_binary, tmp_path_factory.mktemp("influxd"), certificates)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def redis_with_tls(start_redis: Callable[..., Any], certificates: Certificates) -> Iterator[Any]:
    server = start_redis(certificates)
    yield server
    server.end()


def test_a_run_with_redis_and_influxdb_behind_tls(
    new_influxdb_job: Any,
    market: ExchangeSimulator,
    influxdb_with_tls: InfluxdProcess,
    redis_with_tls: Any,
    redis_client_of: Any,
    certificates: Certificates,
) -> None:
    redis = redis_with_tls.connection
    with redis_client_of(redis) as client:
        client.set(KEY, '["BTC/USD"]')
    server = influxdb_with_tls.server
    with server.bucket() as bucket:
        job = new_influxdb_job(bucket, **flags_for(market))
        job.use(market)
        password = quote(redis.password, safe="")
        job.environment["REDIS_URL"] = f"rediss://:{password}@127.0.0.1:{redis.port}/0"

        untrusted = job.run(redis_ca_file=certificates.ca_file)
        assert untrusted.exit_code == DEPENDENCY_DOWN
        assert "give that one's certificate with --influxdb_ca_file" in untrusted.complaint
        job.environment["INFLUXDB_CA_FILE"] = str(certificates.ca_file)
        untrusted = job.run()
        assert untrusted.exit_code == DEPENDENCY_DOWN
        assert "give that one's certificate with --redis_ca_file" in untrusted.complaint

        done = job.run_well(redis_ca_file=certificates.ca_file)
        assert len(contents_of(server, bucket.bucket)["candles"]) == 26
        dry = job.run_well(redis_ca_file=certificates.ca_file, run_mode="dry")
        broken = job.run(redis_url=f"rediss://:{password}@127.0.0.1:{redis.port}?x=1")
        assert broken.exit_code == BAD_CONFIGURATION
        for finished in (untrusted, done, dry, broken):
            shown = all_texts(job, finished)
            assert not [word for word in (redis.password, password, bucket.token) if word in shown]
    assert f"127.0.0.1:{redis.port} (TLS)" in dry.output


def test_exchanges_are_asked_through_the_proxy_of_the_environment(
    new_job: Any, market: ExchangeSimulator
) -> None:
    """That a tunnel to an address with TLS carries candles is shown in tests/exchanges/ccxt."""
    job = new_job("behind_proxy", symbols="BTC/USD", **flags_for(market))
    job.use(market)
    port = urlsplit(market.base_url(EXCHANGES[0])).port
    assert port is not None
    # A host that the proxy can find, and nobody else.
    settings = job.settings["exchange_settings_file"]
    settings.write_text(settings.read_text().replace("127.0.0.1", "exchange.test"))
    with running_proxy({"exchange.test": port}) as proxy:
        done = job.run_well(environment={"HTTP_PROXY": proxy.url, "NO_PROXY": "elsewhere.test"})
        assert len(job.stored.merged("BTC/USD", "1h")) == 26
        assert [line for line in proxy.asked if line.startswith("GET http://exchange.test")]
        assert f"through a proxy: 127.0.0.1:{proxy.port} for http" in done.errors
        assert PASSWORD not in all_texts(job, done)


def test_this_machine_is_asked_directly_whatever_the_environment_says(
    new_job: Any, market: ExchangeSimulator, closed_port: int
) -> None:
    job = new_job("direct", symbols="BTC/USD", **flags_for(market))
    job.use(market)
    job.run_well(environment={"HTTP_PROXY": f"http://127.0.0.1:{closed_port}"})


def test_a_command_without_requests_fails_too_when_its_lock_is_lost(
    new_job: Any, market: ExchangeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease takes seconds to be missed, and a merge takes less: the loss is told at once."""
    job = new_job("merging", symbols="BTC/USD", **flags_for(market))
    job.use(market)
    job.run_well()
    before = job.stored.merged("BTC/USD", "1h").keys()
    gone = "the run lock is lost"

    @contextmanager
    def told_at_once(tell: Callable[[RunLockLostError], object]) -> Iterator[None]:
        tell(RunLockLostError(gone))
        yield

    @contextmanager
    def open_without_lock(config: Config, clock: Clock, stop: StopSignal) -> Iterator[OpenStore]:
        with open_store(config, clock, stop) as opened:
            yield OpenStore(opened.store, told_at_once)

    monkeypatch.setattr(stored, "open_store", open_without_lock)
    names = [name for group in GROUPS.values() for name in group]
    values: Any = SimpleNamespace(
        **{name: FLAGS[name].default for name in names}
        | {"exchanges": list(EXCHANGES), "symbols": "BTC/USD", "candle_granularity_minutes": 60}
        | {"high_low": "extremes", "sqlite_path": str(job.folder / "data/candles.sqlite")}
    )
    config = config_from_flags(values, {})
    clock = SystemClock(market.clock.now_ms())
    with pytest.raises(RunLockLostError, match=gone):
        stored.settle_stored("merge", config, clock, merges=True, exports=False)
    # The next run goes on.
    job.run_well(high_low="extremes")
    assert job.stored.merged("BTC/USD", "1h").keys() == before
