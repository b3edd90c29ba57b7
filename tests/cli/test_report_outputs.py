"""`dagtop report RUN` tells what tasks returned, as the report of the run itself does."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

GRAPH = """
from dagtop import Graph

graph = Graph("outputs")


@graph.task
def rows():
    return [1, 2, 3]


@graph.task
def nothing():
    return None


@graph.task
def login():
    return {"user": "me", "password": "s3same-0pen"}


@graph.task
def text():
    return "hello"


@graph.task
def fails():
    raise OSError("no")
"""


def told(path: Path) -> dict[str, object]:
    return {task["name"]: task.get("output") for task in json.loads(path.read_text("utf-8"))["tasks"]}


def test_outputs_of_a_kept_run_are_told_like_those_of_a_live_one(dagtop_here, write):
    folder = write("outputs.py", GRAPH).parent
    assert dagtop_here("run", "outputs.py", "--report", "live.json").code == 1
    assert dagtop_here("report", "last", "kept.json").code == 0
    kept = told(folder / "kept.json")
    assert kept == told(folder / "live.json")
    assert kept["rows"] == {"type": "list", "size": 3, "text": "[1, 2, 3]"}
    assert kept["fails"] is None
    assert "s3same-0pen" not in (folder / "kept.json").read_text("utf-8")


def test_an_output_that_is_damaged_is_told_to_be_and_the_others_are_told(dagtop_here, write, tmp_path):
    folder = write("outputs.py", GRAPH).parent
    assert dagtop_here("run", "outputs.py", "--db", "runs.db").code == 1
    with sqlite3.connect(folder / "runs.db") as connection:
        connection.execute("UPDATE outputs SET crc = crc + 1 WHERE task = ?", (b"rows",))
    connection.close()
    done = dagtop_here("report", "last", "kept.json", "--db", "runs.db")
    assert done.code == 0, done.err
    kept = told(folder / "kept.json")
    assert kept["rows"]["text"] == "(the stored output cannot be read)"
    assert "hello" in kept["text"]["text"]
