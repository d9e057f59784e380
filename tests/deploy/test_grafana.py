"""deploy/grafana: dashboards are whole, and ask for what a node exposes."""
import json
import pathlib
import re

import pytest

from promql_names import result_labels, unknown_names

BOARDS = sorted((pathlib.Path(__file__).resolve().parents[2] / "deploy/grafana").glob("*.json"))
PANELS = {"row", "stat", "timeseries"}


@pytest.fixture(params=BOARDS, ids=lambda path: path.name)
def board(request):
    return json.loads(request.param.read_text())


def queries(board):
    return [(panel["title"], target) for panel in board["panels"] for target in panel.get("targets", [])]


def test_there_are_dashboards_with_names_of_their_own():
    boards = [json.loads(path.read_text()) for path in BOARDS]
    assert len(boards) == len({one["uid"] for one in boards}) == len({one["title"] for one in boards}) > 0


def layout_findings(board):
    panels = board["panels"]
    ids = [panel["id"] for panel in panels]
    findings = [f"id {one} is used twice" for one in set(ids) if ids.count(one) > 1]
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        if panel["type"] not in PANELS or place["x"] + place["w"] > 24:
            findings.append(f"{panel['title']}: kind or width")
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])):
            if taken.setdefault(cell, panel["title"]) != panel["title"]:
                findings.append(f"{panel['title']} lies over {taken[cell]}")
                break
    return findings


def test_panels_have_ids_and_places_of_their_own(board):
    assert layout_findings(board) == []


def test_overlapping_panels_are_noticed(board):
    board["panels"][2]["gridPos"] = board["panels"][1]["gridPos"]
    assert len(layout_findings(board)) == 1


def test_queries_go_to_the_chosen_data_source(board):
    variables = {one["name"] for one in board["templating"]["list"]}
    assert {"datasource", "job", "instance"} <= variables
    assert len(queries(board)) >= 20
    for title, target in queries(board):
        assert target["datasource"]["uid"] == "${datasource}", title
        used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
        assert {"job", "instance"} <= used <= variables, title


def test_metrics_and_labels_of_panels_are_exposed(board, exposed):
    findings = {title: unknown_names(target["expr"], exposed) for title, target in queries(board)}
    assert {title: found for title, found in findings.items() if found} == {}


def test_legends_name_labels_that_results_have(board, exposed):
    for title, target in queries(board):
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert named <= result_labels(target["expr"], exposed), title


def test_variables_ask_for_what_is_exposed(board, exposed):
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", one["definition"]).groups()
            assert unknown_names(selector, exposed) == [] and label in result_labels(selector, exposed)
