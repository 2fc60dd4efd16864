"""What is wrong with an InfluxDB is said before the work, and never with a secret."""

import time
from typing import Any

import pytest
from bucket_contents import contents_of, rows_of
from influxd import InfluxServer
from logged import levels_of

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import ExchangeSimulator, Fault

BAD_CONFIGURATION = 2
DEPENDENCY_DOWN = 3
EXCHANGES = ("coinbaseexchange", "binanceus")
NOT_THERE = "there-is-no-such-bucket"
WRONG_TOKEN = "a-wrong-token-4711"


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(
        now_ms=ms_of("2024-05-03T02:00:10"), exchanges=EXCHANGES
    )
    return simulator


@pytest.fixture
def job(new_influxdb_job: Any, market: ExchangeSimulator, bucket: InfluxDbConnection) -> Any:
    """A job for half a day of hours."""
    one = new_influxdb_job(
        bucket,
        now=market.clock.now_ms(),
        exchanges=",".join(EXCHANGES),
        symbols="BTC/USD",
        backfill_start_date="2024-05-02",
        candle_granularity_minutes=60,
    )
    one.use(market)
    return one


def assert_refused(
    job: Any, market: ExchangeSimulator, exit_code: int, *words: str, **flags: Any
) -> None:
    """A run ends with one line that has these words, before any exchange is asked."""
    finished = job.run(**flags)
    assert finished.exit_code == exit_code, finished.errors
    for word in words:
        assert word in finished.complaint
    complaints = [
        line
        for line, level in zip(
            finished.errors.splitlines(), levels_of(finished.errors), strict=True
        )
        if level == "ERROR" and "Failed to connect to InfluxDB after retries: " not in line
    ]
    assert complaints == [finished.complaint], "more than one complaint"
    for secret in job.environment.values():
        assert secret not in finished.errors + finished.output
    assert all(market.requests.other_request_count(exchange) == 0 for exchange in EXCHANGES)


def test_a_wrong_token_is_final(job: Any, market: ExchangeSimulator) -> None:
    job.environment["INFLUXDB_TOKEN"] = WRONG_TOKEN
    assert_refused(
        job, market, DEPENDENCY_DOWN, "HTTP 401", "check --influxdb_token or INFLUXDB_TOKEN"
    )


@pytest.mark.parametrize(
    ("missing", "words"),
    [("token", "--influxdb_token is empty"), ("org", "--influxdb_org is not given")],
)
def test_a_missing_part_of_the_address_is_named(
    job: Any, market: ExchangeSimulator, missing: str, words: str
) -> None:
    job.environment["INFLUXDB_TOKEN"] *= missing != "token"
    job.settings |= {} if missing == "token" else {f"influxdb_{missing}": None}
    job.environment = {name: value for name, value in job.environment.items() if value}
    assert_refused(
        job,
        market,
        BAD_CONFIGURATION,
        words,
        f"INFLUXDB_{missing.upper()}",
    )


def test_a_bucket_that_is_not_there_is_named_and_made_where_that_is_asked_for(
    job: Any, market: ExchangeSimulator, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    name = f"{bucket.bucket}-made"
    job.settings["influxdb_bucket"] = name
    assert_refused(job, market, DEPENDENCY_DOWN, f"bucket '{name}'", "--create_bucket")

    dry = job.run(run_mode="dry", create_bucket="true")
    assert dry.exit_code == DEPENDENCY_DOWN
    path = f"/api/v2/buckets?name={name}"
    assert influx_server.answer("GET", path)["buckets"] == []

    job.run_well(create_bucket="true")
    (made,) = influx_server.answer("GET", path)["buckets"]
    assert len(contents_of(influx_server, name)["candles"]) == 26
    influx_server.answer("DELETE", f"/api/v2/buckets/{made['id']}")


def test_retention_shorter_than_the_backfill_is_refused(
    job: Any, market: ExchangeSimulator, influx_server: InfluxServer
) -> None:
    with influx_server.bucket(retention_seconds=24 * 3600) as connection:
        job.settings["influxdb_bucket"] = connection.bucket
        assert_refused(
            job,
            market,
            DEPENDENCY_DOWN,
            "keeps points for 1 days",
            "from 2024-05-02T00:00:00Z on",
            "lengthen the bucket's retention",
            "--backfill_start_date",
        )
        assert rows_of(influx_server, connection.bucket, "candles") == []


def test_a_dry_run_fails_where_retention_is_shorter_than_the_backfill_and_only_there(
    job: Any, influx_server: InfluxServer
) -> None:
    with influx_server.bucket(retention_seconds=24 * 3600) as connection:
        job.settings |= {"influxdb_bucket": connection.bucket, "run_mode": "dry"}
        finished = job.run()
        assert finished.exit_code == DEPENDENCY_DOWN, finished.errors
        [failed] = [line for line in finished.output.splitlines() if line.startswith("FAIL")]
        for words in (
            f"bucket '{connection.bucket}'",
            "keeps points for 1 days",
            "from 2024-05-02T00:00:00Z on",
            "--backfill_start_date",
        ):
            assert words in failed

        # Two hours before now are kept.
        short = job.run_well(backfill_start_date="2024-05-03")
        assert "FAIL" not in short.output


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_the_run_may_take(
    job: Any, market: ExchangeSimulator, closed_port: int
) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    started = time.monotonic()
    assert_refused(
        job,
        market,
        DEPENDENCY_DOWN,
        f"InfluxDB at {url}",
        "check that it runs, and --influxdb_url",
        influxdb_url=url,
        max_run_seconds=0.1,
    )
    assert time.monotonic() - started < 20


def test_something_else_at_the_url_is_said_to_be_no_influxdb(
    job: Any, market: ExchangeSimulator
) -> None:
    url = market.url
    assert_refused(job, market, DEPENDENCY_DOWN, url, "--influxdb_url", influxdb_url=url)


@pytest.fixture
def secrets(job: Any, redis_client: Any, redis_server: Any) -> dict[str, str]:
    """Every secret a job can be given, given to the job."""
    keys = {
        "COINBASEEXCHANGE__APIKEY": "api-key-4711",
        "COINBASEEXCHANGE__SECRET": "YXBpLXNlY3JldC00NzEx",
        "COINBASEEXCHANGE__PASSWORD": "api-passphrase-4711",
        "BINANCEUS__APIKEY": "api-key-4712",
        "BINANCEUS__SECRET": "api-secret-4712",
    }
    job.environment |= keys
    job.environment |= {"REDIS_HOST": redis_server.host, "REDIS_PORT": str(redis_server.port)}
    job.environment["REDIS_PASSWORD"] = redis_server.password
    return {name: job.environment[name] for name in ("INFLUXDB_TOKEN", "REDIS_PASSWORD", *keys)}


def test_no_secret_shows_up_anywhere(
    job: Any,
    market: ExchangeSimulator,
    secrets: dict[str, str],
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    redis_client: Any,
    closed_port: int,
) -> None:
    redis_client.set("top_cryptocurrencies", '["BTC/USD"]')
    job.settings |= {"verbosity": 1, "symbols": None}
    down = f"http://127.0.0.1:{closed_port}"
    ways: dict[str, tuple[int, dict[str, Any]]] = {
        "well": (0, {}),
        "dry": (0, {"run_mode": "dry"}),
        "no bucket": (DEPENDENCY_DOWN, {"influxdb_bucket": NOT_THERE}),
        "no server": (DEPENDENCY_DOWN, {"influxdb_url": down, "max_run_seconds": 0.1}),
        "dry without a bucket": (
            DEPENDENCY_DOWN,
            {"run_mode": "dry", "influxdb_bucket": NOT_THERE},
        ),
        "no Redis": (DEPENDENCY_DOWN, {"redis_port": closed_port}),
        "a login in the URL": (
            BAD_CONFIGURATION,
            {"influxdb_url": f"http://me:{secrets['BINANCEUS__SECRET']}@localhost:8086"},
        ),
    }
    told = {"help": job.run_well("--help").output}
    for way, (exit_code, flags) in ways.items():
        finished = job.run(**flags)
        assert finished.exit_code == exit_code, f"{way}: {finished.errors}"
        told[way] = finished.output + finished.errors
        told[f"report of {way}"] = repr(finished.report)
    market.set_faults([Fault("all", "403", 1)])
    refused = job.run(now=market.clock.now_ms() + 7_200_000)
    assert refused.exit_code != 0
    told["refused"] = refused.output + refused.errors + repr(refused.report)
    told["runs"] = repr(rows_of(influx_server, bucket.bucket, "ingestion_runs"))
    told |= {str(p): p.read_text("latin-1") for p in job.folder.rglob("*") if p.is_file()}
    told["Redis keys"] = repr(redis_client.keys("*"))

    assert len(told) > 2 * len(ways) + 3
    shown = [(way, name) for way, text in told.items() for name in secrets if secrets[name] in text]
    assert shown == []


def test_what_an_older_ingestor_left_is_honoured_and_its_candles_are_left_alone(
    job: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    ms_of: Any,
) -> None:
    stopped_ms = ms_of("2024-05-02T20:00")
    key = "service_identifier=candle_ingestor,key=BTC/USD-catch_up"
    ns = 1_000_000
    old = [
        f"candles,currency_pair=BTC/USD open=1,high=2,low=1,close=2,volume=3 {ms * ns}"
        for ms in range(stopped_ms - 3_600_000, stopped_ms + 1, 60_000)
    ]
    states = [
        f"processing_state,{key} last_processed_timestamp_ms={value}i {written * ns}"
        for value, written in (
            (stopped_ms - 60_000, ms_of("2024-05-02T20:00:07.123")),
            (stopped_ms, ms_of("2024-05-02T20:01:07.456")),
        )
    ]
    influx_server.write(bucket.bucket, *old, *states)
    before = rows_of(influx_server, bucket.bucket, "candles")

    finished = job.run_well(backfill_start_date="skip", candle_granularity_minutes=1)

    rows = rows_of(influx_server, bucket.bucket, "candles")
    olds = [row for row in rows if row["timeframe"] is None]
    assert olds == [
        {**row, "exchange_count": None, "source_exchanges": None, "timeframe": None}
        for row in before
    ]
    new = [row["time"] for row in rows if row["timeframe"] == "1m"]
    assert stopped_ms - 120_000 <= min(new) <= stopped_ms + 60_000
    assert max(new) == ms_of("2024-05-03T01:59")
    assert finished.ticker("BTC/USD")["gaps"] == []
    newest = max(rows_of(influx_server, bucket.bucket, "processing_state"), key=lambda r: r["time"])
    assert newest["last_processed_timestamp_ms"] == ms_of("2024-05-03T01:59")

    job.run_well(backfill_start_date="skip", candle_granularity_minutes=1)
    assert rows_of(influx_server, bucket.bucket, "candles") == rows


def test_the_token_of_one_bucket_is_enough(
    job: Any, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    (found,) = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]
    token = influx_server.make_token(found["id"], "read", "write")
    job.environment["INFLUXDB_TOKEN"] = token
    job.run_well()
    assert len(contents_of(influx_server, bucket.bucket)["candles"]) == 26
