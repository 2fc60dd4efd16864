"""compose.yaml, as far as it can be judged without a container runtime."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
import yaml
from absl.flags import FLAGS
from influxd import free_port
from redis.backoff import ConstantBackoff
from redis.retry import Retry

SECRETS = {"INFLUXDB_PASSWORD", "INFLUXDB_TOKEN", "REDIS_PASSWORD", "GRAFANA_PASSWORD"}
PATHS = {"PATH": os.environ["PATH"]}
PASSWORD = "a \"quoted\\ 'pass'word $HOME `id` #€"


@pytest.fixture(scope="module")
def compose(project_root: Path) -> dict[str, Any]:
    text = (project_root / "compose.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_it_starts_the_pair_and_grafana_and_the_job_only_when_asked(
    services: dict[str, Any],
) -> None:
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"redis", "influxdb", "grafana"}
    assert services["candle-ingestor"]["profiles"] == ["job"]


def test_every_image_has_a_fixed_version(services: dict[str, Any], project_root: Path) -> None:
    for service in services.values():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+(-alpine)?", service["image"])
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    job = services["candle-ingestor"]
    assert job["image"] == f"candle-ingestor:{project['project']['version']}"
    assert (project_root / job["build"] / "Dockerfile").is_file()
    module = (project_root / "tools/influxd/go.mod").read_text(encoding="utf-8")
    version = services["influxdb"]["image"].partition(":")[2]
    assert f"influxdb/v2 v{version}" in module


def test_secrets_are_required_from_outside_and_stand_in_no_command(
    project_root: Path, services: dict[str, Any]
) -> None:
    text = (project_root / "compose.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))
    assert {name for name in used if re.search("PASSWORD|TOKEN", name)} == SECRETS
    for name in SECRETS:
        every = re.findall(rf"\$\{{{name}[^}}]*\}}", text)
        assert every
        assert all(re.fullmatch(r"\$\{\w+:\?set it in \.env, [^}]+\}", use) for use in every)
    for service in services.values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|TOKEN|AUTH", name):
                assert value.startswith("${"), name
        command = " ".join(service.get("command", ()))
        assert not any(re.search(rf"(?<!\$)\${{?{name}", command) for name in SECRETS)


def test_everything_long_running_is_healthy_before_others_rely_on_it(
    services: dict[str, Any],
) -> None:
    for service in services.values():
        if "profiles" not in service:
            assert service["healthcheck"]["test"]
            assert service["restart"] == "unless-stopped"
        for needed, how in service.get("depends_on", {}).items():
            assert "healthcheck" in services[needed]
            assert how == {"condition": "service_healthy"}
    assert set(services["candle-ingestor"]["depends_on"]) == {"redis", "influxdb"}


def test_ports_are_open_to_this_machine_only(services: dict[str, Any]) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_data_is_kept_in_named_volumes_and_mounted_files_exist(
    compose: dict[str, Any], project_root: Path
) -> None:
    named = set()
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source, _, mode = volume.partition(":")
            if source.startswith("."):
                assert (project_root / source).is_dir()
                assert mode.endswith(":ro")
            else:
                named.add(source)
    assert named == set(compose["volumes"])


def test_the_job_is_told_of_the_pair_and_every_flag_of_it_exists(services: dict[str, Any]) -> None:
    import_module("candle_ingestor.flags")
    job = services["candle-ingestor"]
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in job["command"])
    assert [name for name in flags if name not in FLAGS] == []
    assert flags["store"] == "influxdb"
    assert flags["redis_host"] in services
    influxdb = services["influxdb"]["environment"]
    for reader in (job["environment"], services["grafana"]["environment"]):
        assert reader["INFLUXDB_URL"] == "http://influxdb:8086"
        for name, set_up in (("ORG", "ORG"), ("BUCKET", "BUCKET"), ("TOKEN", "ADMIN_TOKEN")):
            assert reader[f"INFLUXDB_{name}"] == influxdb[f"DOCKER_INFLUXDB_INIT_{set_up}"]


def test_the_page_makes_every_secret_that_compose_requires(project_root: Path) -> None:
    page = (project_root / "docs/dashboards.md").read_text(encoding="utf-8")
    (loop,) = re.findall(r"for name in (.+); do\n.*\ndone > \.env", page)
    assert set(loop.split()) == SECRETS


@pytest.fixture
def composed_redis(
    services: dict[str, Any], tmp_path: Path, missing_real_part: Callable[[str], NoReturn]
) -> Iterator[int]:
    """The port of a Redis that was started with the very command of compose.yaml."""
    if shutil.which("redis-server") is None:
        missing_real_part("redis-server; on Debian: apt-get install redis-server")
    *shell, script = services["redis"]["command"]
    port = free_port()
    # Compose turns `$$` into `$`.
    here = f"redis-server - --bind 127.0.0.1 --port {port}"
    script = script.replace("$$", "$").replace("redis-server -", here, 1)
    environment = {**PATHS, "REDISCLI_AUTH": PASSWORD}
    with subprocess.Popen(
        [*shell, script], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        yield port
        process.terminate()


@pytest.fixture
def composed_client(composed_redis: int) -> Iterator[redis.Redis]:
    with redis.Redis(
        host="127.0.0.1",
        port=composed_redis,
        password=PASSWORD,
        retry=Retry(ConstantBackoff(0.05), 200),
        retry_on_error=[redis.ConnectionError],
    ) as client:
        client.ping()
        yield client


def test_redis_asks_for_the_password_whatever_characters_it_has(
    composed_redis: int, composed_client: redis.Redis
) -> None:
    assert composed_client.config_get("appendonly") == {"appendonly": "yes"}
    never_again = Retry(ConstantBackoff(0), 0)
    stranger = redis.Redis(host="127.0.0.1", port=composed_redis, retry=never_again)
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


@pytest.mark.usefixtures("composed_client")
@pytest.mark.parametrize(("password", "is_healthy"), [(PASSWORD, True), ("another", False)])
def test_redis_is_healthy_when_it_answers_who_has_the_password(
    composed_redis: int, services: dict[str, Any], password: str, is_healthy: bool
) -> None:
    kind, check = services["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    check = check.replace("redis-cli", f"redis-cli -h 127.0.0.1 -p {composed_redis}")
    environment = {**PATHS, "REDISCLI_AUTH": password}
    done = subprocess.run(
        ["sh", "-c", check], env=environment, capture_output=True, check=False, timeout=20
    )
    assert (done.returncode == 0) is is_healthy


def test_the_password_of_redis_is_in_no_process_list(composed_client: redis.Redis) -> None:
    pid = composed_client.info("server")["process_id"]
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"redis-server" in command
    assert PASSWORD.encode() not in command
