"""The operator's pages name messages, exit codes, keys and flags that there are."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
SHORTEST_FRAGMENT = 9

# Adjacent literals are one text, and what is put in differs.
JOINED = re.compile(r"""["']\s*(?:\+\s*)?f?["']""")
PUT_IN = re.compile(r"\{[^{}\n]*\}|%[sdr]|%\.\df")


def messages() -> list[str]:
    part = RUNBOOK.partition("## By message")[2].partition("## By what")[0]
    return re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)


@pytest.fixture(scope="module")
def source() -> str:
    files = sorted((ROOT / "services/candle_ingestor").rglob("*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return PUT_IN.sub("…", JOINED.sub("", text))


@pytest.mark.parametrize("message", messages())
def test_a_message_of_the_runbook_is_one_of_the_job_s(message: str, source: str) -> None:
    fragments = [fragment.strip(" (") for fragment in message.split("…")]
    told = [fragment for fragment in fragments if len(fragment) >= SHORTEST_FRAGMENT]
    assert told or len(message) >= SHORTEST_FRAGMENT
    for fragment in told:
        assert fragment in source, fragment


def test_the_runbook_has_every_exit_code_of_the_readme() -> None:
    of_readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("| exit code |")[2]
    codes = re.findall(r"^\| (\d+) \|", of_readme.partition("\n\n")[0], re.MULTILINE)
    assert len(codes) >= 5
    of_runbook = RUNBOOK.partition("## By exit code")[2].partition("## By message")[0]
    assert set(codes) <= set(re.findall(r"^\| (\d+) \|", of_runbook, re.MULTILINE))


def test_the_secret_of_the_page_is_the_one_that_the_cron_job_reads() -> None:
    documents = yaml.safe_load_all((ROOT / "k8s/cronjob.yaml").read_text(encoding="utf-8"))
    [job] = [document for document in documents if document["kind"] == "CronJob"]
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    references = [entry["valueFrom"]["secretKeyRef"] for entry in container["env"]]
    assert {reference["name"] for reference in references} == {"candle-ingestor"}
    assert "kubectl create secret generic candle-ingestor --from-env-file=secret.env" in DEPLOY
    written = DEPLOY.partition("cat > secret.env <<END\n")[2].partition("END\n")[0]
    keys = [line.partition("=")[0] for line in written.splitlines()]
    assert sorted(keys) == sorted(reference["key"] for reference in references)
    [image] = {container["image"]}
    assert f"docker build --tag REGISTRY/{image} ." in DEPLOY
