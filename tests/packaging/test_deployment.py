import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from absl.flags import FLAGS


@pytest.fixture(scope="module")
def manifests(project_root: Path) -> dict[str, Any]:
    text = (project_root / "k8s" / "cronjob.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def job(manifests: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]
    return spec


@pytest.fixture(scope="module")
def pod(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    [only] = pod["containers"]
    assert isinstance(only, dict)
    return only


@pytest.fixture(scope="module")
def flags(container: dict[str, Any]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in container["args"])


def test_it_runs_every_five_minutes_and_never_twice_at_once(manifests: dict[str, Any]) -> None:
    spec = manifests["CronJob"]["spec"]
    assert spec["schedule"] == "*/5 * * * *"
    assert spec["concurrencyPolicy"] == "Forbid"


def test_a_run_stops_itself_before_kubernetes_stops_it(
    job: dict[str, Any], pod: dict[str, Any], flags: dict[str, str]
) -> None:
    assert float(flags["max_run_seconds"]) < job["activeDeadlineSeconds"]
    assert pod["terminationGracePeriodSeconds"] == 30


def test_every_flag_of_the_cron_job_exists(flags: dict[str, str]) -> None:
    importlib.import_module("candle_ingestor.flags")
    assert [name for name in flags if name not in FLAGS] == []


def test_secrets_come_from_secrets_only(container: dict[str, Any], flags: dict[str, str]) -> None:
    sources = {entry["name"]: entry for entry in container["env"]}
    for name in ("INFLUXDB_TOKEN", "REDIS_PASSWORD"):
        assert "value" not in sources[name]
        assert sources[name]["valueFrom"]["secretKeyRef"]["name"] == "candle-ingestor"
    assert not {"influxdb_token", "redis_password"} & flags.keys()


def test_it_runs_unprivileged_and_writes_only_to_its_volumes(
    pod: dict[str, Any], container: dict[str, Any], flags: dict[str, str], manifests: dict[str, Any]
) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert set(container["resources"]) == {"requests", "limits"}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert flags["data_root"].startswith(mounts["data"] + "/")
    # Candles go to InfluxDB, so no other flag names a file.
    assert flags["store"] == "influxdb"
    [data] = [volume for volume in pod["volumes"] if volume["name"] == "data"]
    claim = manifests["PersistentVolumeClaim"]["metadata"]["name"]
    assert data["persistentVolumeClaim"]["claimName"] == claim


def test_the_image_is_that_of_this_version(project_root: Path, container: dict[str, Any]) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    assert container["image"] == f"candle-ingestor:{project['project']['version']}"
