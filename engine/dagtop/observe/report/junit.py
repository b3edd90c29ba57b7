"""The report as JUnit XML, as build servers read it: a task is a test case, and what did not run is skipped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from dagtop.observe.report.schema import Report, TaskReport
from dagtop.observe.report.words import duration, task_face
from dagtop.observe.visible import block, one_line

_FAILED = frozenset({"failed"})
#: What ended by something else than its own failure.
_ERRORS = frozenset({"timed_out", "blocked"})
_GOOD = frozenset({"succeeded", "cached"})
_TRACEBACK = 20_000
_LOG = 60_000
#: What XML 1.0 cannot have, even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_junit(report: Report) -> bytes:
    """One suite, in UTF-8."""
    counts = {
        "tests": report.task_count,
        "failures": sum(task.state in _FAILED for task in report.tasks),
        "errors": sum(task.state in _ERRORS for task in report.tasks),
    }
    figures = {name: str(count) for name, count in counts.items()} | {"time": f"{report.duration:.3f}"}
    name = _line(report.graph) or "(no name)"
    suites = ET.Element("testsuites", {"name": name, **figures})
    skipped = report.task_count - sum(task.state in _GOOD | _FAILED | _ERRORS for task in report.tasks)
    suite = ET.SubElement(
        suites, "testsuite", {"name": name, **figures, "skipped": str(skipped), "timestamp": report.started[:19]}
    )
    properties = ET.SubElement(suite, "properties")
    facts = {"run": report.run, "state": report.state, "reason": report.reason, "source": report.source}
    for key, value in {**facts, "made by": report.made_by}.items():
        if value:
            ET.SubElement(properties, "property", {"name": key, "value": _line(value)})
    for key, told in report.inputs.items():
        ET.SubElement(properties, "property", {"name": f"input {_line(key)}", "value": _line(told.text or told.type)})
    for task in report.tasks:
        if not task.is_node:
            _case(suite, report, task)
    suite_cases = suite.findall("testcase")
    if len(suite_cases) != report.task_count:  # nodes of a graph of graphs are no tests
        for element in (suites, suite):
            element.set("tests", str(len(suite_cases)))
            element.set("failures", str(len(suite.findall("testcase/failure"))))
            element.set("errors", str(len(suite.findall("testcase/error"))))
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'.encode()


def _line(text: str, limit: int = 1_000) -> str:
    return _FORBIDDEN.sub("\ufffd", one_line(text, limit))


def _case(suite: ET.Element, report: Report, task: TaskReport) -> None:
    above, _, name = task.name.rpartition("/")
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": _line(name) or "(no name)",
            "classname": ".".join(_line(part) for part in (report.graph, *above.split("/")) if part) or "(no name)",
            "time": f"{task.run_time:.3f}",
        },
    )
    if task.state in _FAILED | _ERRORS:
        _failed(case, task)
    elif task.state not in _GOOD:
        why = task.reason or task_face(task.state).word.lower()
        ET.SubElement(case, "skipped", {"message": _line(why)})
    written = "\n".join(line.text for line in task.log)
    if written:
        left = f"… {task.log_left_out:,} earlier lines left out …\n" if task.log_left_out else ""
        ET.SubElement(case, "system-out").text = _FORBIDDEN.sub("\ufffd", left + block(written, _LOG))


def _failed(case: ET.Element, task: TaskReport) -> None:
    failure = task.failure
    kind = "failure" if task.state in _FAILED else "error"
    message = (failure.message if failure else "") or task.reason or task_face(task.state).word.lower()
    element = ET.SubElement(
        case, kind, {"type": _line(failure.error if failure else task.state), "message": _line(message)}
    )
    told = [f"{attempts} of {duration(task.run_time)} in all" for attempts in [_attempts(task)] if attempts]
    if failure is not None:
        told += [line for line in (failure.where, failure.root and f"comes from {failure.root}") if line]
        if failure.traceback:
            told.append(block(failure.traceback, _TRACEBACK))
    element.text = _FORBIDDEN.sub("\ufffd", block("\n".join(told), 2 * _TRACEBACK))


def _attempts(task: TaskReport) -> str:
    return f"{task.attempts:,} attempts" if task.attempts > 1 else ""
