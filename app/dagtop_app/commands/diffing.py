"""`dagtop diff A B`: what is different in the later run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from dagtop.journal.compare import Changed, Comparison, Ended, Took
from dagtop.journal.compare_facts import Facts
from dagtop.observe.redact import REDACTED, looks_secret
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso

from dagtop_app.commands.comparing import compared, redactor_for
from dagtop_app.settings import places as settings
from dagtop_app.text import clean, duration, name_of, plural

#: Lines of one section, before the rest is counted; --json has all of them.
SHOWN = 20
_NAMES = 6

_Redact = Callable[[str], str]


def diff_command(earlier: str, later: str, db: Path | None, *, as_json: bool) -> int:
    """Print what is different in the later run.

    Raises
    ------
    JournalError: there is no such run, or it cannot be read.
    """
    journal = settings.journal_at(db)
    with closing(journal):
        before, after, found = compared(journal, earlier, later)
    redact = redactor_for(before, after)
    if as_json:
        print(json_text(before, after, found, redact))
        return 0
    for line in lines_of(before, after, found, redact):
        print(line)
    if before.summary.graph != after.summary.graph:
        names_of = " and ".join(name_of(run.summary.graph, 60) for run in (before, after))
        print(f"these are runs of two graphs, {names_of}", file=sys.stderr)
    return 0


def json_text(before: Facts, after: Facts, found: Comparison, redact: _Redact) -> str:
    """The comparison as one JSON object."""
    value: dict[str, Any] = {"v": 1, "before": _head(before), "after": _head(after)}
    told = _redacted(msgspec.to_builtins(found, enc_hook=repr), redact)
    for change in told["inputs"]:
        if looks_secret(change["what"]):
            change["before"] = change["after"] = REDACTED
    return storable(json.dumps(value | told, ensure_ascii=False, default=str))


def _redacted(value: Any, redact: _Redact) -> Any:
    """The same with secrets taken out of every text and from under every name that says that it is one."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [_redacted(one, redact) for one in value]
    if isinstance(value, dict):
        return {
            redact(str(name)): REDACTED
            if looks_secret(name) and not isinstance(one, (int, float))
            else _redacted(one, redact)
            for name, one in value.items()
        }
    return value


def _head(facts: Facts) -> dict[str, Any]:
    run = facts.summary
    return {
        "run": run.run,
        "graph": run.graph,
        "state": run.state,
        "started_at": iso(run.started_at),
        "seconds": round(facts.seconds, 6),
        "tasks": len(facts.tasks),
    }


# -- for people ----------------------------------------------------------------------------------------------------------


def lines_of(before: Facts, after: Facts, found: Comparison, redact: _Redact) -> Iterator[str]:
    """The comparison in lines: those that want attention first."""
    yield _run_line("A", before)
    yield _run_line("B", after, against=before)
    yield from _section("failed newly", [_ending(one, redact) for one in found.failed_newly])
    yield from _section("failed no longer", [_ending(one, redact) for one in found.failed_no_longer])
    yield from _section("failed both times", [_ending(one, redact) for one in found.failed_still])
    yield from _section("ended otherwise", [_ending(one, redact) for one in found.ended_otherwise])
    yield from _section("slower", [_took(one) for one in found.slower])
    yield from _section("faster", [_took(one) for one in found.faster])
    yield from _section("tasks that came", [f"+ {name_of(name, 100)}" for name in found.came])
    yield from _section("tasks that went", [f"- {name_of(name, 100)}" for name in found.went])
    rewired = [
        f"{name_of(one.task, 80)} waits for {_names([f'+{it}' for it in one.gained] + [f'-{it}' for it in one.lost])}"
        for one in found.rewired
    ]
    yield from _section("rewired", rewired)
    yield from _section("other source or options", [name_of(name, 100) for name in found.code])
    yield from _section("other policies", [f"{_change(one, redact)}  {_names(one.tasks)}" for one in found.policies])
    yield from _section("other limits", [_change(one, redact) for one in found.limits])
    yield from _section("other inputs", [_change(one, redact) for one in found.inputs])
    if found.is_empty:
        yield ""
        yield f"nothing is different; {plural(found.compared, 'task')} took as long as before, as far as noise lets one tell"


def _run_line(letter: str, facts: Facts, against: Facts | None = None) -> str:
    run = facts.summary
    began = f"{datetime.fromtimestamp(run.started_at):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ006 - the reader's clock
    took = duration(facts.seconds)
    if against is not None and against.seconds > 0:
        took += f" ({facts.seconds / against.seconds - 1:+.0%})"
    parts = (
        clean(run.run, 100),
        name_of(run.graph, 60),
        clean(run.state, 20),
        began,
        took,
        plural(len(facts.tasks), "task"),
    )
    return f"{letter}  {'  '.join(parts)}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title}: {len(lines):,}"
    for line in lines[:SHOWN]:
        yield f"  {line}"
    if len(lines) > SHOWN:
        yield f"  … and {len(lines) - SHOWN:,} more; --json has all of them"


def _ending(one: Ended, redact: _Redact) -> str:
    before = one.before.replace("_", " ") or "not there"
    error = f": {clean(redact(one.error), 160)}" if one.error else ""
    return f"{name_of(one.task, 80)}  {before} → {one.after.replace('_', ' ')}{error}"


def _took(one: Took) -> str:
    share = f" ({one.after / one.before - 1:+.0%})" if one.before > 0 else ""
    known = f", noise of {plural(one.runs, 'earlier run')}: ±{duration(one.noise)}" if one.runs else ""
    return f"{name_of(one.task, 80)}  {duration(one.before)} → {duration(one.after)}{share}{known}"


def _change(one: Changed, redact: _Redact) -> str:
    hidden = looks_secret(one.what)
    before, after = ("(another)" if hidden else _value(value, redact) for value in (one.before, one.after))
    return (
        f"{clean(one.what, 80)}  {before} → {after}"
        if not hidden
        else f"{clean(one.what, 80)}  {REDACTED} → {REDACTED}"
    )


def _value(value: Any, redact: _Redact) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return clean(redact(value), 60) or '""'
    if isinstance(value, (bool, int)):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return clean(redact(json.dumps(_redacted(value, redact), ensure_ascii=False, default=str)), 100)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(name_of(name, 60) for name in names[:_NAMES])
    return f"{shown} and {len(names) - _NAMES:,} more" if len(names) > _NAMES else shown
