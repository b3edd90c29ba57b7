"""What `--plain` answers to a word: whole sentences, no glyphs, no columns, one thing a line. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from dagtop.core import commands as do
from dagtop.core.commands import BlastRadius
from dagtop.core.forecast import Usual
from dagtop.core.nearest import nearest
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, RUN_OVER, RunState, TaskState

from dagtop_app.bridge import LogLine
from dagtop_app.chrome.around import notice_text, trouble_text
from dagtop_app.chrome.view_model import time_of, tries_of
from dagtop_app.faces import GATE_FACE, GONE_FACE, TASK_FACES, face_of, is_at_gate
from dagtop_app.plain.events import counts_text, some
from dagtop_app.steering.node_commands import radius_of
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.explain import explain
from dagtop_app.tasks.filters import Filter, matches
from dagtop_app.tasks.obstacles import WORDS, breaker_text, busy, slots
from dagtop_app.tasks.tally import at_gates, counts_of, done_of
from dagtop_app.tasks.why import why
from dagtop_app.text import clean, clock, duration, name_of, plural
from dagtop_app.words.parsing import WordError
from dagtop_app.words.vocabulary import BY_WORD, VOCABULARY

#: Lines that one answer has at most.
MOST = 200

_GLYPHS = re.compile(
    f"[{re.escape(''.join({face.glyph for face in (*TASK_FACES.values(), GATE_FACE, GONE_FACE)}))}▲] ?"
)
_RELEASED = re.compile(r"\b(before|when) [a-z] releases it")
#: What the console's texts say of keys, which are none here.
_HINT = re.compile(r" · (?:[A-Za-z#@.]|Ctrl\+\w) (?:[a-z]+s|has) [^·]*")
_NAMED = re.compile(r" \([A-Za-z]\)(?=[,.;]|$)")
_KEYS = re.compile(r"(?:^|[.;,] )(?:[A-Za-z#@+]|Ctrl\+\w) (?:[a-z]+s|has|ceiling|its) ")


def spoken(text: str) -> str:
    """A text of the console without its glyphs."""
    return _GLYPHS.sub("", text)


def without_keys(text: str) -> str:
    """A text of the console without glyphs and what it says of keys; "" if it says nothing else."""
    text = _RELEASED.sub(r"\1 it is released", _HINT.sub("", _NAMED.sub("", spoken(text))))
    text = text.replace("r and R cannot run it now", "It cannot run again now")
    return "" if _KEYS.search(text) else text.strip(" ·")


def sentence(text: str) -> str:
    """A text that ends as sentences do."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."


def word_of(row: TaskRow) -> str:
    """How a task is, in a word."""
    if row.state in {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT}:
        return row.state.value.replace("_", " ")
    return face_of(row).word.lower()


# -- answers -------------------------------------------------------------------------------------------------------------


def status(snapshot: RunSnapshot) -> Iterator[str]:
    """How far the run is, and what is wrong."""
    name, counts = name_of(snapshot.graph or "the run", 80), counts_of(snapshot)
    done, total = done_of(snapshot)
    state, over = snapshot.state.value.replace("_", " "), snapshot.state in RUN_OVER
    verb = "is" if not over else "was" if snapshot.state is RunState.CANCELLED else "has"
    told = f"{name} {verb} {state} {'after' if over else 'for'} {clock(snapshot.at)}"
    yield f"{told}: {done:,} of {plural(total, 'task')} ended."
    counted = {state.value: counts.get(state, 0) for state in TaskState}
    yield sentence(f"{busy(snapshot):,} of {slots(snapshot):,} slots are taken. {counts_text(counted) or 'no tasks'}")
    for title, rows in (
        ("Running", [row for row in snapshot.rows if row.state in ACTIVE]),
        ("Failed", [row for row in snapshot.rows if row.state in BAD]),
        ("Tried again soon", [row for row in snapshot.rows if row.state is TaskState.BACKOFF]),
    ):
        if rows:
            yield sentence(f"{title}: {some([row.name for row in rows])}")
    if gates := at_gates(snapshot):
        yield sentence(f"At a gate: {some([snapshot.rows[index].name for index in gates])}")
    if snapshot.blocked is not None:
        yield sentence(f"Something blocks the event loop for {duration(snapshot.blocked.seconds)}")
    for told in (trouble_text(snapshot), notice_text(snapshot)):
        if told:
            yield sentence(told)


def tasks(
    snapshot: RunSnapshot, text: str, *, problems: bool = False, slow: Callable[[TaskRow], bool] | None = None
) -> Iterator[str]:
    """A line for each task that a filter lets through. `slow`: whether one runs longer than usual, for `state:slow`.

    Raises
    ------
    WordError: the filter is none.
    """
    wanted = Filter(text)
    if wanted.error:
        raise WordError(wanted.error)
    wanted.slow = slow or wanted.slow
    found = matches(snapshot.rows, wanted, problems=problems)
    for index in found[:MOST]:
        yield task_line(snapshot, snapshot.rows[index])
    if len(found) > MOST:
        yield f"and {len(found) - MOST:,} more: narrow it down, as in “tasks state:failed”."
    elif not found:
        yield "No problem." if problems and not text else "No task is like that."


def task_line(snapshot: RunSnapshot, row: TaskRow) -> str:
    """One task."""
    parts = [name_of(row.name, 120), word_of(row)]
    if row.attempt > 1 or row.policy.retry.retries:
        parts.append(f"attempt {tries_of(row).replace('/', ' of ')}" if row.attempt else "not tried yet")
    if row.started_at is not None:
        parts.append(time_of(snapshot, row))
    told = without_keys(why(snapshot, row).text)
    return sentence(f"{', '.join(parts)}: {clean(told, 400)}" if told else ", ".join(parts))


def reasons(snapshot: RunSnapshot, names: Sequence[str]) -> Iterator[str]:
    """Why tasks are as they are, and which words would move them."""
    for name in names[:20]:
        row = snapshot.rows[snapshot.plan.index[name]]
        for text, _ in explain(snapshot, row):
            if said := without_keys(text):
                yield sentence(said) if not text.startswith("  ") else f"  {said}"
        if words := _ways_out(snapshot, row):
            yield f"Words: {'; '.join(words)}."
    if len(names) > 20:
        yield f"and {len(names) - 20:,} more."


def _ways_out(snapshot: RunSnapshot, row: TaskRow) -> list[str]:
    """What would move a task, as things are: nothing that would be refused."""
    name = quoted(row.name)
    found: list[str] = []
    for word, command in _worth_trying(row):
        if command is None or not radius_of(snapshot, command).refusal:
            found.append(word.format(name))
    return found


def _worth_trying(row: TaskRow) -> list[tuple[str, do.Command | None]]:
    """Words that may move a task, with what they command; what only tells something commands nothing."""
    task = row.name
    logs, where = ("logs {}", None), ("where {}", None)
    again = ("restart {}", do.RestartTask(task))
    if is_at_gate(row):
        return [("approve {}", do.ApproveTask(task)), ("reject {}", do.RejectTask(task))]
    if row.gone:
        return [logs]
    if row.held:
        return [("release {}", do.ReleaseTask(task))]
    if upkeep.is_kept(row):
        if row.state in FINAL:
            return [("start {}", do.StartTask(task)), ("policy always {}", do.SetPolicy(task, restart="always")), logs]
        return [where, logs, again, ("stop {}", do.StopTask(task))]
    if row.state in ACTIVE:
        stopped = row.state is TaskState.CANCELLING
        return [
            where,
            logs,
            ("abandon {}", do.AbandonTask(task)) if stopped else ("cancel {}", do.CancelTask(task)),
        ]
    if row.state is TaskState.BACKOFF:
        more = max(5, row.policy.retry.retries + 1)
        return [("cancel {}", do.CancelTask(task)), (f"policy retries={more} {{}}", do.SetPolicy(task, retries=more))]
    if row.state in FINAL:
        below = ("restart {} --downstream", do.RestartTask(task, downstream=True))
        if row.state in GOOD:
            return [again, below]
        return [again, below, ("mark {} succeeded", do.MarkSucceeded(task)), logs]
    first = max(9, row.policy.priority + 1)
    return [
        ("hold {}", do.HoldTask(task)),
        ("skip {}", do.SkipTask(task)),
        (f"policy priority={first} {{}}", do.SetPolicy(task, priority=first)),
    ]


def quoted(name: str) -> str:
    """A task's name as it can be typed."""
    shown = name_of(name, 120)
    return shown if re.fullmatch(r"[\w./\[\]-]+", shown) and shown != "because" else f'"{shown}"'


def log_lines(lines: Sequence[LogLine], started_at: float) -> Iterator[str]:
    """Lines that tasks printed and logged."""
    for line in lines:
        # Local time: that is the clock on the reader's wall.
        at = f"{datetime.fromtimestamp(started_at + line.at):%H:%M:%S}"  # noqa: DTZ006
        who = name_of(line.task, 80) if line.task else "process"
        level = f"{clean(line.level, 20)} " if line.level and line.level != "INFO" else ""
        yield f"{at} {who} | {level}{clean(line.text, 2000)}"
    if not lines:
        yield "Nothing has been printed or logged."


def gates(snapshot: RunSnapshot) -> Iterator[str]:
    """The tasks that stand at a gate."""
    for index in at_gates(snapshot)[:MOST]:
        row = snapshot.rows[index]
        asked = clean(row.gate.prompt, 400) if row.gate is not None and row.gate.prompt else "approve it?"
        since = f", for {clock(snapshot.at - row.gate.at)}" if row.gate is not None else ""
        yield f"{name_of(row.name, 120)} waits at its gate{since}: {asked}"
    if not at_gates(snapshot):
        yield "No task stands at a gate."


def breakers(snapshot: RunSnapshot) -> Iterator[str]:
    """The circuit breakers."""
    for view in snapshot.breakers[:MOST]:
        users = sum(row.policy.circuit == view.name for row in snapshot.rows)
        held = f", held by hand (by itself {WORDS[view.computed]})" if view.forced is not None else ""
        yield sentence(
            f"{without_keys(breaker_text(snapshot, view))}{held}; {view.failures} of "
            f"{plural(view.spec.failure_threshold, 'failure')}, opened {plural(view.trips, 'time')}, asked by "
            f"{plural(users, 'task')}"
        )
    if not snapshot.breakers:
        yield "No task asks a circuit breaker."


def pools(snapshot: RunSnapshot) -> Iterator[str]:
    """How many may run at once, and where that is limited."""
    yield f"{busy(snapshot):,} run of at most {slots(snapshot):,} at once."
    for key, (used, limit) in sorted(snapshot.limits.items()):
        kind, _, name = key.partition(":")
        yield f"{kind} {clean(name, 80)}: {used:,} of {limit:,} in use."


def escalations(snapshot: RunSnapshot) -> Iterator[str]:
    """What was escalated, and who looks after it."""
    for report in snapshot.escalations[-MOST:]:
        known = snapshot.acknowledged.get(report.number)
        who = f", acknowledged by {clean(known.by, 60)}" if known is not None else ""
        why_so = f" ({clean(known.note, 200)})" if known is not None and known.note else ""
        blocks = f" Blocks {some(report.blocks)}." if report.blocks else ""
        yield (
            f"{report.number}: {name_of(report.task, 120)}, {report.cause.words}{who}{why_so}. "
            f"{clean(report.summary, 600)}{blocks}"
        )
    if not snapshot.escalations:
        yield "Nothing was escalated."


def help_lines(topic: str) -> Iterator[str]:
    """The words, or one of them.

    Raises
    ------
    WordError: there is no such word.
    """
    if not topic:
        for entry in VOCABULARY:
            yield f"{entry.word} {entry.usage}".rstrip() + f": {entry.help}"
        yield "TASK… is names, patterns such as load_*, and terms such as state:failed, tag:x, /re/, !x."
        yield "“because …” at the end gives the reason, which is kept with the run."
        return
    found = BY_WORD.get(topic.lower())
    if found is None:
        raise WordError(f"there is no word {clean(topic, 40)!r}{nearest(topic, BY_WORD) or '; help lists them'}")
    yield f"{found.word} {found.usage}".rstrip()
    yield found.help
    if found.aliases:
        yield f"Also: {', '.join(found.aliases)}."
    if found.why:
        yield "“because …” may follow: the reason is kept with the run."


ANSWERS: Mapping[str, Callable[[RunSnapshot], Iterator[str]]] = {
    "status": status, "gates": gates, "breakers": breakers, "pools": pools, "escalations": escalations,
    "problems": lambda snapshot: tasks(snapshot, "", problems=True),
}  # fmt: skip


# -- questions -----------------------------------------------------------------------------------------------------------


def blast_text(radius: BlastRadius, snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> str:
    """What a command would do, in one line of sentences, and how long that takes if it is known."""
    summary = clean(radius.summary, 400)
    told = [sentence(summary)]
    for what, names in (
        ("Runs again", radius.runs_again),
        ("Is told to stop", radius.stops),
        ("Will not run", radius.never_runs),
        ("Keeps old results", radius.goes_stale),
    ):
        if len(names) > 1 or (names and not summary.startswith(name_of(names[0], 80))):
            told.append(f"{what}: {some(names)}.")
    if (seconds := _takes(radius, snapshot, usual)) is not None:
        told.append(f"About {duration(seconds)}.")
    return " ".join(told)


def _takes(radius: BlastRadius, snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> float | None:
    """How long the tasks that run again usually take, one after the other where one needs the other."""
    plan = snapshot.plan
    again = {plan.index[name] for name in radius.runs_again if name in plan.index}
    if not again or any(index not in usual for index in again):
        return None
    ends: dict[int, float] = {}
    for index in plan.order:
        before = max((ends.get(it, 0.0) for it in plan.upstream[index]), default=0.0)
        ends[index] = before + (usual[index].median if index in again else 0.0)
    return max(ends[index] for index in again)


def quit_text(snapshot: RunSnapshot) -> str:
    """What is asked before leaving a run that goes on."""
    counts = counts_of(snapshot)
    count = sum(counts.get(state, 0) for state in ACTIVE)
    run = f"{plural(count, 'task')} {'runs' if count == 1 else 'run'}" if count else "The run is not over"
    services = sum(row.state in ACTIVE and upkeep.is_service(row) for row in snapshot.rows)
    them = "what comes to an end" if services else "them"
    drain = f"drain to let {them} finish and leave then, " if count > services or not services else ""
    return f"{run}. Type {drain}cancel to stop everything, now to leave at once; anything else stays."


def over_text(snapshot: RunSnapshot) -> str:
    """What is said when the run is over and waits for a person."""
    counts = counts_of(snapshot)
    bad = sum(counts.get(state, 0) for state in BAD)
    if upkeep.keeps(snapshot) and not bad:
        return "Everything is stopped. start run starts it again; quit leaves."
    told = f"{plural(bad, 'task')} failed" if bad else f"it is {snapshot.state.value.replace('_', ' ')}"
    return f"The run is over: {told}. retry failed, why TASK and restart TASK go on with it; quit leaves."


def is_over(snapshot: RunSnapshot) -> bool:
    """Whether nothing happens any more by itself."""
    return snapshot.state in RUN_OVER
