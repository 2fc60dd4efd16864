import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.redis_connection import RedisConnection, parse_redis_url

SOURCE = "--redis_url"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://cache", RedisConnection("cache")),
        ("redis://cache:7000/", RedisConnection("cache", 7000)),
        ("redis://cache/3", RedisConnection("cache", database=3)),
        ("redis://:pw@cache", RedisConnection("cache", password="pw")),
        ("redis://jobs@cache", RedisConnection("cache", username="jobs")),
        ("REDISS://jobs:p%40%2Fw@Cache:6380/2\n", None),
        ("redis://[::1]:6380", RedisConnection("::1", 6380)),
    ],
)
def test_a_url_says_where_redis_is(url: str, found: RedisConnection | None) -> None:
    wanted = found or RedisConnection(
        "cache", 6380, "p@/w", username="jobs", database=2, is_tls=True
    )
    parsed = parse_redis_url(url, SOURCE)
    assert parsed.named_by == SOURCE
    for name in ("host", "port", "password", "username", "database", "is_tls"):
        assert getattr(parsed, name) == getattr(wanted, name), name


@pytest.mark.parametrize(
    "url",
    [
        "cache:6379",
        "http://cache",
        "unix:///run/redis.sock",
        "redis://",
        "redis://:s3cret@",
        "redis://cache:port",
        "redis://cache:99999",
        "redis://cache/first",
        "redis://cache/-1",
        "redis://cache/1/2",
        "redis://u:s3cret@cache?ssl_cert_reqs=none",
        "redis://u:s3cret#word@cache",
        "redis://u:s3cret/word@cache",
        "redis://u:s3cret?word@cache",
        "redis://[::1",
    ],
)
def test_what_is_no_address_of_a_redis_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--redis_url is no address") as caught:
        parse_redis_url(url, SOURCE)
    assert "rediss://USER:PASSWORD@HOST:PORT/DATABASE" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_not_as_usual_is_told_with_the_address() -> None:
    connection = parse_redis_url("rediss://jobs:s3cret@cache:6380/2", SOURCE)
    assert str(connection) == "Redis at cache:6380 (TLS, user jobs, database 2)"
    assert "s3cret" not in f"{connection!r} {connection.client_command()}"


def test_the_command_of_a_redis_on_this_machine_needs_no_options() -> None:
    assert RedisConnection().client_command() == "redis-cli"
