"""What is proved of an InfluxDB before a run begins."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from influxd import InfluxServer
from misbehaving_proxy import Fault, MisbehavingProxy

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000
IMPATIENT = Patience(tries=1)

OpenStore = Callable[..., InfluxDbStore]


@pytest.fixture
def open_store(bucket: InfluxDbConnection) -> Iterator[OpenStore]:
    opened: list[InfluxDbStore] = []

    def open_one(*, create_bucket: bool = False, **changes: Any) -> InfluxDbStore:
        connection = replace(bucket, **changes)
        opened.append(InfluxDbStore(connection, create_bucket=create_bucket, patience=IMPATIENT))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def bucket_id(server: InfluxServer, bucket: InfluxDbConnection) -> str:
    found = server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]
    return found[0]["id"]


def everything_in(server: InfluxServer, bucket: InfluxDbConnection) -> str:
    span = "start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z"
    return server.flux(f'from(bucket: "{bucket.bucket}") |> range({span})').strip()


def test_a_check_leaves_nothing_behind(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    open_store().check()

    assert everything_in(influx_server, bucket) == ""


def test_a_token_for_one_bucket_is_enough(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    token = influx_server.make_token(bucket_id(influx_server, bucket), "read", "write")

    open_store(token=token).check()

    assert everything_in(influx_server, bucket) == ""


@pytest.mark.parametrize("action", ["read", "write"])
def test_a_token_that_may_not_both_read_and_write_is_refused(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection, action: str
) -> None:
    token = influx_server.make_token(bucket_id(influx_server, bucket), action)

    with pytest.raises(StoreRefusedError, match="--influxdb_token"):
        open_store(token=token).check()

    assert everything_in(influx_server, bucket) == ""


def test_a_bucket_that_is_not_there_is_refused_with_what_to_do(open_store: OpenStore) -> None:
    for changes in ({"bucket": "no such bucket"}, {"org": "no such org"}):
        with pytest.raises(StoreRefusedError, match=r"no such .*--create_bucket"):
            open_store(**changes).check()


def test_the_bucket_is_made_where_that_is_asked_for(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    name = f"{bucket.bucket}-new"
    for _ in range(2):
        open_store(create_bucket=True, bucket=name).check()

    store = open_store(bucket=name)
    store.write_state("s", {"k": 1})
    store.require_retention(0, NOW_MS)
    assert store.read_state("s") == {"k": 1}
    path = f"/api/v2/buckets/{bucket_id(influx_server, replace(bucket, bucket=name))}"
    assert influx_server.call("DELETE", path)[0] == 204


def test_a_bucket_cannot_be_made_in_an_org_that_is_not_there(open_store: OpenStore) -> None:
    with pytest.raises(StoreRefusedError, match="no such org"):
        open_store(create_bucket=True, org="nowhere").check()


def test_a_bucket_cannot_be_made_with_a_token_for_another(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    token = influx_server.make_token(bucket_id(influx_server, bucket), "read", "write")
    store = open_store(create_bucket=True, token=token, bucket="another")

    with pytest.raises(StoreRefusedError, match="--influxdb_token"):
        store.check()


def test_two_runs_may_make_the_bucket_at_once(
    influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    name = f"{bucket.bucket}-new"
    made: list[str] = []
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        proxy.next(
            "/api/v2/orgs",
            Fault(
                is_forwarded=True,
                on_request=lambda _: made.append(influx_server.make_bucket(name)),
                keep_bytes=10_000,
            ),
        )
        connection = replace(bucket, url=proxy.url, bucket=name)
        with closing(InfluxDbStore(connection, create_bucket=True, patience=IMPATIENT)) as store:
            store.check()

    (made_id,) = made
    assert influx_server.call("DELETE", f"/api/v2/buckets/{made_id}")[0] == 204


def test_a_bucket_with_a_slash_in_its_name_is_like_any_other(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    names = [f"{bucket.bucket}/a'b\\c d", f"{bucket.bucket}/ü/&?#%"]
    ids = [influx_server.make_bucket(name) for name in names]

    for number, name in enumerate(names):
        store = open_store(bucket=name)
        store.check()
        store.write_state("s", {"k": number})
    for number, name in enumerate(names):
        assert open_store(bucket=name).read_state("s") == {"k": number}

    for made_id in ids:
        assert influx_server.call("DELETE", f"/api/v2/buckets/{made_id}")[0] == 204


def test_a_mapping_that_leads_queries_to_another_bucket_is_found_out(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    """Else the job would write here and read there."""
    other = influx_server.make_bucket(f"{bucket.bucket}-other")
    mapping = {
        "orgID": influx_server.org_id(),
        "bucketID": other,
        "database": bucket.bucket,
        "retention_policy": "autogen",
        "default": True,
    }
    made = influx_server.answer("POST", "/api/v2/dbrps", mapping)

    with pytest.raises(StoreRefusedError, match="DBRP mapping"):
        open_store().check()

    influx_server.call("DELETE", f"/api/v2/dbrps/{made['id']}?orgID={influx_server.org_id()}")
    influx_server.call("DELETE", f"/api/v2/buckets/{other}")
    open_store().check()
    assert everything_in(influx_server, bucket) == ""


def test_a_token_of_another_organization_is_found_out(
    open_store: OpenStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    """An operator's token writes into any organization, and queries its own."""
    name = f"{bucket.bucket}-org"
    org_id = influx_server.answer("POST", "/api/v2/orgs", {"name": name})["id"]
    body = {"orgID": org_id, "name": bucket.bucket, "retentionRules": []}
    influx_server.answer("POST", "/api/v2/buckets", body)

    with pytest.raises(StoreRefusedError, match="token is of another organization"):
        open_store(org=name).check()

    assert influx_server.call("DELETE", f"/api/v2/orgs/{org_id}")[0] == 204


@pytest.mark.parametrize("version", ["1.8.10", "v1.11.5", "3.0.0", "v10.2.0"])
def test_another_version_is_refused_by_name(
    bucket: InfluxDbConnection, influx_server: InfluxServer, version: str
) -> None:
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        proxy.always("/ping", Fault(status=204, headers={"X-Influxdb-Version": version}))
        store = InfluxDbStore(replace(bucket, url=proxy.url), patience=IMPATIENT)

        with closing(store), pytest.raises(StoreRefusedError, match=version) as caught:
            store.check()

    assert "InfluxDB 2.x is needed" in str(caught.value)
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("version", ["nightly-2026-01-01", "dev"])
def test_a_version_that_tells_nothing_is_warned_about(
    bucket: InfluxDbConnection,
    influx_server: InfluxServer,
    caplog: pytest.LogCaptureFixture,
    version: str,
) -> None:
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        proxy.always("/ping", Fault(status=204, headers={"X-Influxdb-Version": version}))
        with closing(InfluxDbStore(replace(bucket, url=proxy.url))) as store:
            store.check()

    assert version in caplog.text


def test_a_server_that_is_no_influxdb_is_refused(
    bucket: InfluxDbConnection, influx_server: InfluxServer
) -> None:
    with MisbehavingProxy(influx_server.url).serving() as proxy:
        proxy.always("/ping", Fault(status=200, body=b"PONG"))
        store = InfluxDbStore(replace(bucket, url=proxy.url), patience=IMPATIENT)

        with closing(store), pytest.raises(StoreRefusedError, match="no InfluxDB"):
            store.check()


def test_a_retention_shorter_than_the_backfill_is_refused(influx_server: InfluxServer) -> None:
    with (
        influx_server.bucket(retention_seconds=30 * 86_400) as connection,
        closing(InfluxDbStore(connection)) as store,
    ):
        store.require_retention(NOW_MS - 30 * DAY_MS, NOW_MS)

        with pytest.raises(StoreRefusedError) as caught:
            store.require_retention(NOW_MS - 30 * DAY_MS - 1, NOW_MS)

    for part in ("30 days", connection.bucket, "retention", "--backfill_start_date"):
        assert part in str(caught.value)


def test_a_bucket_that_keeps_points_forever_takes_any_backfill(open_store: OpenStore) -> None:
    open_store().require_retention(0, NOW_MS)


def test_retention_of_a_bucket_that_is_not_there_is_a_refusal(open_store: OpenStore) -> None:
    with pytest.raises(StoreRefusedError, match="--create_bucket"):
        open_store(bucket="nothing").require_retention(0, NOW_MS)


GOOD = InfluxDbConnection("http://localhost:8086", "s3cret-token", "org", "bucket")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8086",
        "ftp://localhost",
        "http://",
        "http://localhost:99999",
        "http://localhost:0",
        "http://[::1",
        "http://localhost/?token=s3cret-token",
        "http://local host",
        "http://user:s3cret-token@localhost",
    ],
)
def test_a_url_that_is_no_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--influxdb_url") as caught:
        replace(GOOD, url=url)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " \n", "s3cret token", "s3cret\ntoken", "s3cret-tökën"])
def test_a_text_that_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--influxdb_token .*INFLUXDB_TOKEN") as caught:
        replace(GOOD, token=token)

    assert "s3cret" not in str(caught.value)


def test_white_space_around_a_token_is_none_of_it() -> None:
    assert replace(GOOD, token=" s3cret-token\n") == GOOD


@pytest.mark.parametrize("value", ["", "a\nb"])
@pytest.mark.parametrize("name", ["org", "bucket"])
def test_a_missing_name_is_refused_with_its_flag(name: str, value: str) -> None:
    change: dict[str, Any] = {name: value}
    with pytest.raises(ConfigurationError, match=f"--influxdb_{name} .*INFLUXDB_{name.upper()}"):
        replace(GOOD, **change)


def test_nothing_made_of_a_connection_shows_its_token() -> None:
    for text in (repr(GOOD), str(GOOD), f"{GOOD}"):
        assert "s3cret" not in text
        assert "localhost:8086" in text


def test_naming_a_bucket_loads_no_client() -> None:
    """The flags are read with it, also by runs that keep candles elsewhere."""
    program = (
        "import sys, candle_ingestor.stores.influxdb.connection;"
        "print(sorted({'influxdb_client', 'urllib3', 'polars'} & sys.modules.keys()))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    told = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )

    assert told.stdout == "[]\n"
