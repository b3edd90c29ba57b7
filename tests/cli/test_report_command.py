"""`dagtop report` and `--report`: every form of a real run, its escalations as tickets, and no secret in any of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from dagtop.observe.report import FORMATS

GRAPH = """
from dagtop import Breaker, Graph

api = Breaker("api", failure_threshold=1, recovery_timeout=0.01)
graph = Graph("etl", inputs={"api_token": "t0ken-of-the-graph"}, breakers=[api])


@graph.task
async def extract():
    return {"password": "s3same-0pen"}


@graph.task(retries=1, circuit="api")
def load(extract):
    print("logging in with ghp_0123456789abcdefghijABCDEFGHIJ012345")
    raise ValueError(f"cannot log in with password={extract['password']}, t0ken-of-the-graph, value-of-the-environment")


@graph.task(depends_on=[load])
def mart(): ...
"""
SECRETS = ("s3same-0pen", "ghp_0123456789", "t0ken-of-the-graph", "value-of-the-environment")
NAMES = [f"out{ending}" for ending in FORMATS]


def test_every_form_is_written_of_the_run_and_of_what_was_kept_of_it_and_no_secret_is_in_any(
    dagtop_here, write, monkeypatch
):
    folder = write("etl.py", GRAPH).parent
    monkeypatch.setenv("ETL_SECRET", "value-of-the-environment")
    live = [option for name in NAMES for option in ("--report", f"live-{name}")]
    ran = dagtop_here("run", "etl.py", *live)
    assert ran.code == 1, ran.err
    kept = dagtop_here("report", "last", *NAMES, "--escalations", "tickets")
    assert kept.code == 0, kept.err
    assert "escalations: 1 escalation in tickets" in kept.err

    written = [folder / f"{prefix}{name}" for name in NAMES for prefix in ("", "live-")]
    tickets = list((folder / "tickets").iterdir())
    for path in (*written, *tickets):
        text = path.read_text("utf-8")
        assert [secret for secret in SECRETS if secret in text] == [], path.name
    for form in ("svg", "mmd", "dot"):
        assert (folder / f"out.{form}").read_bytes() == (folder / f"live-out.{form}").read_bytes()
    told = json.loads((folder / "out.json").read_text("utf-8"))
    (task,) = [task for task in told["tasks"] if task["name"] == "load"]
    assert task["log"][0]["text"] == "logging in with «redacted»"
    assert [move["state"] for move in told["breakers"]] == ["open", "half_open", "open"]
    suite = ET.parse(folder / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")

    (ticket,) = tickets
    assert ticket.name == "ESC-1-load.md"
    lines = ticket.read_text("utf-8").splitlines()
    assert lines[0] == "## ESC-1: load failed"
    assert "- error: `ValueError: cannot log in with password=«redacted», «redacted», «redacted»`" in lines


def test_escalations_go_into_a_folder_of_the_runs_name_and_two_folders_are_refused(dagtop_here, write):
    folder = write("etl.py", GRAPH).parent
    assert dagtop_here("run", "etl.py").code == 1
    assert dagtop_here("report", "last", "--escalations").code == 0
    assert len(list(folder.glob("escalations-*/ESC-1-load.md"))) == 1
    refused = dagtop_here("report", "last", "one", "two", "--escalations")
    assert refused.code == 2
    assert "there are 2 folders for them; give one" in refused.err


def test_a_run_without_escalations_says_so_and_makes_no_folder(dagtop_here, write):
    folder = write("etl.py", 'from dagtop import Graph\n\ngraph = Graph("g")\ngraph.add("one", lambda: 1)\n').parent
    assert dagtop_here("run", "etl.py").code == 0
    told = dagtop_here("report", "last", "--escalations")
    assert told.code == 0
    assert "the run has none" in told.err
    assert list(folder.glob("escalations-*")) == []
