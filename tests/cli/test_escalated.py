"""B15 on the command line: a run that was kept tells why it failed, live and from its report."""

from __future__ import annotations

import json

GRAPH = """
from dagtop import Graph, Retry

graph = Graph("orders")


@graph.task
async def extract():
    return [{"cost": 1}]


@graph.task(retries=Retry(retries=1, backoff="none"))
def load(extract):
    return [row["price"] for row in extract]


@graph.task
def mart(load):
    return load
"""


def test_B15_plain_output_json_and_the_report_of_the_stored_run_agree(dagtop_here, write):
    folder = write("orders.py", GRAPH).parent
    plain = dagtop_here("run", "orders.py", "--plain")
    assert plain.code == 1
    assert "load: bad output of an upstream task. It cannot take what extract gave it: KeyError: 'price'" in plain.out
    assert "- Will not run because of it: mart." in plain.out
    assert "→ Look at what extract returned, mend extract, then restart that with downstream." in plain.out

    run = plain.out.split()[2]
    stored = dagtop_here("report", run, "out.json", "out.html")
    assert stored.code == 0, stored.err
    (told,) = json.loads((folder / "out.json").read_text("utf-8"))["escalations"]
    assert (told["task"], told["cause"], told["attempt_count"]) == ("load", "bad_input", 2)
    assert "What can be done" in (folder / "out.html").read_text("utf-8")

    wire = dagtop_here("run", "orders.py", "--json", "--no-journal")
    (event,) = [line for line in map(json.loads, wire.out.splitlines()) if line["type"] == "task.escalated"]
    assert event["task"] == "load"
    assert event["report"]["summary"] == told["summary"]
    assert event["report"]["state"] == "failed"
    assert event["report"]["escalated_at"].endswith("Z")
    assert event["report"]["attempts"][0]["failure"]["traceback"].startswith("Traceback")
