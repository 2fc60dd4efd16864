"""The files of the boards, without a server."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

Board = dict[str, Any]


@pytest.fixture(scope="module")
def data_source(project_root: Path) -> dict[str, Any]:
    path = project_root / "dashboards/provisioning/datasources/influxdb.yaml"
    (source,) = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert isinstance(source, dict)
    return source


def queries(board: Board) -> Iterator[str]:
    for panel in board["panels"]:
        yield from (target["query"] for target in panel["targets"])
    yield from (variable["query"] for variable in board["templating"]["list"])


def test_there_is_a_board_of_a_symbol_of_freshness_and_of_runs(boards: dict[str, Board]) -> None:
    assert set(boards) == {"symbol", "freshness_and_coverage", "runs"}


def test_boards_have_ids_titles_and_a_schema_version_of_their_own(boards: dict[str, Board]) -> None:
    for name in ("uid", "title", "description"):
        values = [board[name] for board in boards.values()]
        assert all(values)
        assert len(set(values)) == len(values)
    for board in boards.values():
        assert board["schemaVersion"] >= 39
        assert "id" not in board
        assert board["timezone"] == "utc"


def test_every_panel_has_an_id_a_title_a_description_a_unit_and_a_query(
    boards: dict[str, Board],
) -> None:
    for board in boards.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles)
        for panel in board["panels"]:
            assert panel["title"]
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert len(panel["targets"]) == 1


def test_no_panel_overlaps_another_or_leaves_the_grid(boards: dict[str, Board]) -> None:
    for board in boards.values():
        places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
        for title, place in places:
            assert place["x"] >= 0, title
            assert place["x"] + place["w"] <= 24, title
            assert place["w"] > 0, title
            assert place["h"] > 0, title
        for (one, a), (other, b) in combinations(places, 2):
            apart = (
                a["x"] + a["w"] <= b["x"]
                or b["x"] + b["w"] <= a["x"]
                or a["y"] + a["h"] <= b["y"]
                or b["y"] + b["h"] <= a["y"]
            )
            assert apart, f"{one} lies on {other}"


def test_everything_asks_the_provisioned_data_source(
    boards: dict[str, Board], data_source: dict[str, Any]
) -> None:
    wanted = {"type": data_source["type"], "uid": data_source["uid"]}
    for board in boards.values():
        asked = [variable["datasource"] for variable in board["templating"]["list"]]
        for panel in board["panels"]:
            asked += [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == wanted for source in asked)


def test_every_query_reads_the_bucket_of_the_data_source(boards: dict[str, Board]) -> None:
    for board in boards.values():
        for query in queries(board):
            buckets = re.findall(r"bucket: *([^,)\s]+)", query)
            assert buckets
            assert set(buckets) == {"v.defaultBucket"}


def test_variables_reach_a_query_only_as_escaped_text_of_a_whole_regular_expression(
    boards: dict[str, Board],
) -> None:
    """In a string, a quote, a backslash or `${` in a value would be read as Flux."""
    for board in boards.values():
        names = [variable["name"] for variable in board["templating"]["list"]]
        for query in queries(board):
            safe = re.compile(r"=~ /\^\$\{(\w+):regex\}\$/")
            assert set(safe.findall(query)) <= set(names)
            rest = safe.sub("", query)
            assert not re.search(r"\$\w|\$\{|\[\[", rest), rest


def test_a_variable_is_asked_for_after_those_that_it_depends_on(boards: dict[str, Board]) -> None:
    for board in boards.values():
        known: list[str] = []
        for variable in board["templating"]["list"]:
            assert set(re.findall(r"\$\{(\w+)", variable["query"])) <= set(known)
            known.append(variable["name"])


def test_grafana_replaces_no_name_in_a_query_that_is_not_meant(boards: dict[str, Board]) -> None:
    """It replaces `x.bucket` for any x."""
    replaced = ("timeRangeStart", "timeRangeStop", "windowPeriod", "bucket", "defaultBucket")
    for board in boards.values():
        for query in queries(board):
            for owner, name in re.findall(r"([a-zA-Z]+)\.([a-zA-Z]+)", query):
                assert owner == "v" or name not in (*replaced, "organization"), f"{owner}.{name}"


def test_candles_are_never_asked_for_finer_than_they_are(boards: dict[str, Board]) -> None:
    for panel in boards["symbol"]["panels"]:
        assert panel["interval"] == "$timeframe"


def test_the_provider_of_the_boards_takes_them_from_where_compose_mounts_them(
    project_root: Path,
) -> None:
    path = project_root / "dashboards/provisioning/dashboards/candles.yaml"
    (provider,) = yaml.safe_load(path.read_text(encoding="utf-8"))["providers"]
    compose = yaml.safe_load((project_root / "compose.yaml").read_text(encoding="utf-8"))
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    targets = {target: project_root / source for source, target in mounts.items()}
    assert targets[provider["options"]["path"]] == project_root / "dashboards/boards"
    assert targets["/etc/grafana/provisioning"] == project_root / "dashboards/provisioning"


def test_the_data_source_speaks_flux_and_takes_everything_from_variables_that_compose_sets(
    project_root: Path, data_source: dict[str, Any]
) -> None:
    assert data_source["jsonData"]["version"] == "Flux"
    values = (
        data_source["url"],
        data_source["jsonData"]["organization"],
        data_source["jsonData"]["defaultBucket"],
        data_source["secureJsonData"]["token"],
    )
    compose = yaml.safe_load((project_root / "compose.yaml").read_text(encoding="utf-8"))
    environment = compose["services"]["grafana"]["environment"]
    assert [value.strip("${}") for value in values] == [
        "INFLUXDB_URL",
        "INFLUXDB_ORG",
        "INFLUXDB_BUCKET",
        "INFLUXDB_TOKEN",
    ]
    assert {value.strip("${}") for value in values} <= set(environment)


def test_the_page_on_dashboards_names_every_board(
    project_root: Path, boards: dict[str, Board]
) -> None:
    page = (project_root / "docs/dashboards.md").read_text(encoding="utf-8")
    for board in boards.values():
        assert f"**{board['title']}**" in page
