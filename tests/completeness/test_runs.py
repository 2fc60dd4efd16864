"""Which runs are running, and which died."""

from typing import Any

from candle_ingestor.completeness.runs import figures_of, running_by_lock, with_interrupted


def run(run_id: str, status: str, service: str | None = "s") -> dict[str, Any]:
    report = {"run_id": run_id, "status": status, "started_ms": 0}
    return report if service is None else {**report, "service_identifier": service}


def service_of(report: Any) -> str:
    return str(report.get("service_identifier") or "own")


def test_only_the_newest_run_of_a_lock_may_be_running() -> None:
    runs = [
        run("5", "ok", "a"),
        run("4", "running", "b"),
        run("3", "running", "a"),
        run("2", "running", "b"),
        run("1", "running", None),
    ]

    running = running_by_lock(runs, service_of)

    assert {lock: each["run_id"] for lock, each in running.items()} == {"b": "4", "own": "1"}


def test_a_run_that_neither_ended_nor_lives_is_interrupted() -> None:
    runs = [run("3", "running"), run("2", "running"), run("1", "failed")]

    told = with_interrupted(runs, {"3"})

    assert [each["status"] for each in told] == ["running", "interrupted", "failed"]
    assert [each["status"] for each in runs] == ["running", "running", "failed"]


def test_the_figures_of_a_report_of_an_earlier_version_name_no_service() -> None:
    assert figures_of(run("1", "running", None))["service_identifier"] is None
