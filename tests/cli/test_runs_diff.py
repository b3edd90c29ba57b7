"""`dagtop diff A B`: two runs of a graph file that has changed in between."""

from __future__ import annotations

import json

import pytest
from dagtop.journal.compare import compare
from dagtop.journal.compare_facts import Facts, TaskFacts
from dagtop.ports.journal import RunSummary
from dagtop_app.commands.diffing import json_text, lines_of

SUMMARY = RunSummary(run="r\x1b", graph="\x1b[1m", source="", started_at=0.0, state="failed")

BEFORE = """
    from dagtop import Graph
    graph = Graph("etl", max_parallel=4, pools={"db": 2})

    @graph.task(retries=1)
    def extract(password="hunter22-first", day=1): return 1

    @graph.task(pool="db")
    def load(extract): raise ValueError("the key hunter22-first is wrong \\x1b[31m")

    @graph.task
    def old(extract): ...
"""
AFTER = """
    from dagtop import Graph
    graph = Graph("etl", max_parallel=8, pools={"db": 3})

    @graph.task(retries=4)
    def extract(password="hunter22-first", day=1): return 1

    @graph.task
    def other(extract): raise OSError("no luck")

    @graph.task(pool="db", depends_on=[other], trigger="all_done")
    def load(extract): return 2
"""


@pytest.fixture
def two_runs(dagtop_here, write) -> list[str]:
    write("etl.py", BEFORE)
    dagtop_here("run", "etl.py", "-p", "password=hunter22-first", "-p", "day=1")
    write("etl.py", AFTER)
    dagtop_here("run", "etl.py", "-p", "password=hunter22-second", "-p", "day=2")
    return [json.loads(line)["run"] for line in dagtop_here("runs", "--json").out.splitlines()][::-1]


def test_what_is_different_is_told_in_lines_without_a_secret_and_without_escapes(dagtop_here, two_runs):
    told = dagtop_here("diff", *two_runs)
    assert told.code == 0
    assert "hunter22" not in told.out
    assert "\x1b" not in told.out
    first, second, *rest = told.out.splitlines()
    assert first.startswith(f"A  {two_runs[0]}  etl  failed")
    assert second.startswith(f"B  {two_runs[1]}  etl  failed")
    text = "\n".join(rest)
    assert "failed newly: 1\n  other  not there → failed: OSError: no luck\n" in text
    assert "failed no longer: 1\n  load  failed → succeeded: ValueError: the key «redacted» is wrong ␛[31m\n" in text
    assert "tasks that came: 1\n  + other\n" in text
    assert "tasks that went: 1\n  - old\n" in text
    assert "rewired: 1\n  load waits for +other\n" in text
    assert "other source or options: 2\n  extract\n  load\n" in text
    assert "other policies: 2\n  retries  1 → 4  extract\n  trigger  all_success → all_done  load\n" in text
    assert "other limits: 2\n  pool db  2 → 3\n  max_parallel  4 → 8\n" in text
    assert "other inputs: 2\n  password  «redacted» → «redacted»\n  day  1 → 2" in text


def test_the_same_as_one_json_object(dagtop_here, two_runs):
    told = dagtop_here("diff", *two_runs, "--json")
    assert "hunter22" not in told.out
    found = json.loads(told.out)
    assert [found[side]["run"] for side in ("before", "after")] == two_runs
    assert [one["task"] for one in found["failed_newly"]] == ["other"]
    assert [one["task"] for one in found["failed_no_longer"]] == ["load"]
    assert (found["came"], found["went"], found["code"]) == (["other"], ["old"], ["extract", "load"])
    assert found["rewired"] == [{"task": "load", "gained": ["other"], "lost": []}]
    assert found["policies"] == [
        {"what": "retries", "before": 1, "after": 4, "tasks": ["extract"]},
        {"what": "trigger", "before": "all_success", "after": "all_done", "tasks": ["load"]},
    ]


def test_a_run_is_like_itself_and_one_that_is_not_there_is_told(dagtop_here, two_runs):
    told = dagtop_here("diff", "last", two_runs[1])
    assert "nothing is different; " in told.out
    missing = dagtop_here("diff", "last", "nothing")
    assert missing.code == 2
    assert "there is no run 'nothing' in the journal" in missing.err


def test_runs_of_two_graphs_are_compared_and_that_is_said(dagtop_here, two_runs, write):
    write("g.py", "from dagtop import Graph\ngraph = Graph('g').add('extract', lambda: 1)\n")
    dagtop_here("run", "g.py")
    assert "these are runs of two graphs, etl and g" in dagtop_here("diff", two_runs[1], "last").err


def test_hostile_names_and_texts_are_shown_and_not_sent():
    names = ("a\x00b", "\ud800", "x\ny", "\x1b[2J", "")
    before = Facts(SUMMARY, {name: TaskFacts(state="succeeded", seconds=1.0) for name in names[1:]})
    bad = {name: TaskFacts(state="failed", error="\x1b]0;owned\x07\ud800", upstream=names) for name in names}
    after = Facts(SUMMARY, bad, limits={"pool \x1b[31m": "\x9b"}, inputs={"\u202e": ["\x1b"]})
    found = compare(before, after)
    for line in lines_of(before, after, found, str):
        assert line == "" or line.isprintable()
    text = json_text(before, after, found, str)
    assert text.encode()
    assert len(json.loads(text)["failed_newly"]) == len(names)
