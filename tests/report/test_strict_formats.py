"""The forms for other programs against what their formats' own documents want: JSON Schema, Chrome's trace, mermaid, dot."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dagtop.observe.report import Report, collect
from dagtop.observe.report.graph import to_dot, to_mermaid
from dagtop.observe.report.json import to_json
from dagtop.observe.report.trace import to_trace
from jsonschema import Draft202012Validator
from report_scene import FakeRun, big_run, plan_of, small_run, steered_run
from test_browser import attacked
from test_html import evil_run

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_bytes())
REPORTS: dict[str, Callable[[], Report]] = {
    "small": lambda: collect(small_run()),
    "steered": steered_run,
    "evil": lambda: collect(evil_run()),
    "attacked": attacked,
    "big": lambda: collect(big_run(300, bad=9)),
    "empty": lambda: collect(FakeRun(plan_of("", {}), [])),
}
each = pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)


# -- JSON ---------------------------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@each
def test_json_is_what_the_written_schema_says(make: Callable[[], Report]) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(to_json(make())))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("counts", {"failed": "three"}), ("tasks", [{"name": "a"}]), ("duration", "long"), ("run", None)],
)
def test_the_written_schema_refuses_what_is_no_report(field: str, wrong: Any) -> None:
    found = json.loads(to_json(collect(small_run())))
    assert not Draft202012Validator(SCHEMA).is_valid({**found, field: wrong})
    del found[field]
    assert not Draft202012Validator(SCHEMA).is_valid(found) or field not in SCHEMA["$defs"]["Report"]["required"]


@each
def test_no_field_is_written_that_the_schema_does_not_tell_of(make: Callable[[], Report]) -> None:
    def closed(schema: Any) -> Any:
        """The same, where no other fields may be."""
        if isinstance(schema, dict):
            inner = {key: closed(value) for key, value in schema.items()}
            return {**inner, "additionalProperties": False} if "properties" in schema else inner
        return [closed(item) for item in schema] if isinstance(schema, list) else schema

    Draft202012Validator(closed(SCHEMA)).validate(json.loads(to_json(make())))


# -- Chrome's trace -----------------------------------------------------------------------------------------------------

#: Fields that the format's document has for each phase that is written: those that must be there, and those that may.
BOTH = {"ph", "name", "pid"}
PHASES = {
    "M": (BOTH | {"tid", "args"}, set[str]()),
    "X": (BOTH | {"tid", "ts", "dur", "args"}, {"cat", "cname"}),
    "i": (BOTH | {"tid", "ts", "s", "args"}, {"cat"}),
    "C": (BOTH | {"ts", "args"}, set[str]()),
    "s": (BOTH | {"tid", "ts", "id", "cat"}, set[str]()),
    "f": (BOTH | {"tid", "ts", "id", "cat", "bp"}, set[str]()),
}
#: The reserved colours of the trace viewer that are used.
COLOURS = {"good", "terrible", "bad", "grey", "thread_state_running", "generic_work"}


@each
def test_every_event_of_the_trace_has_the_fields_of_its_phase(make: Callable[[], Report]) -> None:
    found = json.loads(to_trace(make()))
    assert found["displayTimeUnit"] in {"ms", "ns"}
    for event in found["traceEvents"]:
        must, may = PHASES[event["ph"]]
        assert must <= event.keys() <= must | may, event
        assert isinstance(event["name"], str)
        assert event["name"]
        assert all(isinstance(event[field], int) for field in ("pid", "tid") if field in event)
        assert all(
            isinstance(event[field], int | float) and event[field] >= 0 for field in ("ts", "dur") if field in event
        )
        assert event.get("s", "t") in {"g", "p", "t"}
        assert event.get("cname", "good") in COLOURS
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name"}
            assert isinstance(event["args"]["name"], str)
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())


@each
def test_slices_of_one_thread_of_the_trace_lie_one_after_another_or_one_in_another(make: Callable[[], Report]) -> None:
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    events = json.loads(to_trace(make()))["traceEvents"]
    for event in events:
        if event["ph"] == "X":
            tracks[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in tracks.values():
        open_until: list[float] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start + 0.01:
                open_until.pop()
            assert not open_until or end <= open_until[-1] + 0.01
            open_until.append(end)
    named = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    assert tracks.keys() <= named


@each
def test_an_arrow_of_the_trace_begins_and_ends_in_a_slice_and_never_goes_back(make: Callable[[], Report]) -> None:
    events = json.loads(to_trace(make()))["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]

    def is_in_one(event: dict[str, Any]) -> bool:
        return any(
            (one["pid"], one["tid"]) == (event["pid"], event["tid"])
            and one["ts"] - 0.01 <= event["ts"] <= one["ts"] + one["dur"] + 0.01
            for one in slices
        )

    flows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            assert is_in_one(event), event
            flows[event["id"]].append(event)
    for ends in flows.values():
        assert [end["ph"] for end in ends] == ["s", "f"]
        assert ends[0]["ts"] <= ends[1]["ts"]


def test_counters_of_the_trace_go_forward() -> None:
    counted = [event["ts"] for event in json.loads(to_trace(steered_run()))["traceEvents"] if event["ph"] == "C"]
    assert all(before < after for before, after in pairwise(counted))


# -- mermaid, dot -------------------------------------------------------------------------------------------------------

#: Lines of a flowchart that are written. A label is all but quotes, "<" and ends of lines; entities are "#name;" or "#1234;".
LABEL = r'"[^"<>\n]*"'
FLOW = [
    r"flowchart (LR|TD)",
    rf" +subgraph g\d+\[{LABEL}\]",
    r" +end",
    rf" +n\d+(\[{LABEL}\]|\[\[{LABEL}\]\])(:::[a-z]+)?",
    r" +n\d+ --> n\d+",
    r" +classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{3}",
    r"---|title: .*",
]
STRING = r'"(?:[^"\\\n]|\\.)*"'
ATTRIBUTE = rf"[a-z]+=(?:{STRING}|[\w.]+)"
DOT = [
    rf"digraph {STRING} \{{",
    r" *\}",
    r" +rankdir=LR;",
    rf" +(?:node|edge) \[{ATTRIBUTE}(?:, {ATTRIBUTE})*\];",
    rf" +subgraph {STRING} \{{ label={STRING};",
    rf" +n\d+ \[{ATTRIBUTE}(?:, {ATTRIBUTE})*\];",
    r" +n\d+ -> n\d+;",
]


@each
@pytest.mark.parametrize(("form", "grammar"), [(to_mermaid, FLOW), (to_dot, DOT)], ids=["mermaid", "dot"])
def test_every_line_of_a_graph_is_one_of_its_grammar(
    form: Callable[[Report], bytes], grammar: list[str], make: Callable[[], Report]
) -> None:
    any_of = re.compile("|".join(f"(?:{rule})" for rule in grammar))
    lines = [line for line in form(make()).decode().splitlines() if line.strip()]
    assert [line for line in lines if not any_of.fullmatch(line)] == []
    declared = {found[1] for line in lines if (found := re.match(r" +(n\d+) ?\[", line))}
    used = {end for line in lines for ends in re.findall(r"(n\d+) -+> (n\d+)", line) for end in ends}
    assert used <= declared


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@each
def test_graphviz_draws_it(make: Callable[[], Report]) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=to_dot(make()), capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"<script" not in done.stdout
