"""What the popups say: confirmation with the blast radius, leaving, help, why, menus. Pure: lines and choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dagtop.core.commands import (
    AbandonTask,
    BlastRadius,
    CancelRun,
    CancelTask,
    Command,
    DrainRun,
    RestartTask,
    RetryFailed,
    SetPolicy,
    SkipTask,
    StartRun,
    StartTask,
    StopTask,
)
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, RUN_OVER, RunState, TaskState
from dagtop.observe.story import Story

from dagtop_app.actions import ACTIONS, GROUPS
from dagtop_app.faces import GATE_FACE, TASK_FACES, drawn, face_of, glyph_of
from dagtop_app.lines import Line, Span
from dagtop_app.screens.popup import Choice, Question
from dagtop_app.settings.keymap import shown_of
from dagtop_app.steering import node_commands, undo
from dagtop_app.tasks import explain
from dagtop_app.tasks.tally import counts_of
from dagtop_app.tasks.upkeep import is_service
from dagtop_app.text import clean, fit, name_of, plural, width, wrap

#: Tasks that a line of a dialog names before it counts the rest.
_NAMED = 4

#: Cells of a line of a dialog.
_WIDE = 66

#: Cells that the help gives to keys at most.
_KEYS_WIDE = 16

#: With more tasks than this a question is asked anew only once a second.
_MANY = 20_000

_NO = Choice(("n", "escape"), "esc", "Keep everything as it is", "no", "dim")
_STAY = Choice(("escape", "n"), "esc", "Stay", "stay", "strong")


def question(snapshot: RunSnapshot, command: Command) -> Question:
    """What is asked before a command is given; if it would be refused by now, that, and nothing to choose."""
    radius = node_commands.radius_of(snapshot, command)
    title = command_title(command)
    if radius.refusal:
        return Question(title, [((f"no longer possible: {clean(radius.refusal, 300)}", "warn"),)], [_NO])
    return Question(title, blast_lines(snapshot, radius), confirm_choices(command, radius))


def question_of_all(snapshot: RunSnapshot, commands: Sequence[Command]) -> Question:
    """The same about several commands of one kind, as one."""
    made, title = node_commands.together(snapshot, commands), title_of_all(commands)
    if made.radius.refusal:
        return Question(title, [((f"no longer possible: {clean(made.radius.refusal, 300)}", "warn"),)], [_NO])
    return Question(title, blast_lines(snapshot, made.radius), confirm_choices(commands[0], made.radius, len(commands)))


def quit_question(snapshot: RunSnapshot) -> Question:
    """How to leave a run that goes on; one that is over by now is simply left."""
    if snapshot.state in RUN_OVER:
        leave = Choice(("y", "enter", "d", "k", "ctrl+c"), "⏎/y", "Leave", "drain", "strong")
        return Question("Quit?", [(("the run is over", ""),)], [leave, _STAY])
    lines = quit_lines(snapshot)
    if snapshot.state is RunState.DRAINING:
        lines.append((("it is draining already · esc, then Z goes on", "warn"),))
    return Question(quit_title(snapshot), lines, quit_choices(snapshot))


class Renewal:
    """Asks a question anew whenever a task or the run has come into another state."""

    def __init__(
        self, ask: Callable[[RunSnapshot], Question], now: Callable[[], RunSnapshot], *, every_second: bool = False
    ) -> None:
        self._ask, self._now, self._every_second = ask, now, every_second
        self._seen = now()

    def __call__(self) -> Question | None:
        """The question as it is now; None if it is still the same."""
        snapshot, seen = self._now(), self._seen
        if self._every_second and int(snapshot.at) != int(seen.at):
            self._seen = snapshot
            return self._ask(snapshot)
        many = len(snapshot.rows) > _MANY and snapshot.state is seen.state
        if (many and int(snapshot.at) == int(seen.at)) or _states(snapshot) == _states(seen):
            return None
        self._seen = snapshot
        return self._ask(snapshot)


def _states(snapshot: RunSnapshot) -> tuple[object, ...]:
    return (snapshot.state, *[row.state for row in snapshot.rows])


def command_title(command: Command) -> str:
    """The question."""
    match command:
        case CancelTask(task=name):
            return f"Cancel {name_of(name, 60)}?"
        case AbandonTask(task=name):
            return f"Wait no longer for {name_of(name, 50)}?"
        case RestartTask(task=name, downstream=True):
            return f"Restart {name_of(name, 50)} and everything after it?"
        case RestartTask(task=name):
            return f"Restart {name_of(name, 60)}?"
        case SkipTask(task=name):
            return f"Skip {name_of(name, 60)}?"
        case StopTask(task=name):
            return f"Have {name_of(name, 50)} stay down?"
        case StartTask(task=name):
            return f"Start {name_of(name, 60)}?"
        case SetPolicy(task=name):
            return f"Change {name_of(name, 60)}?"
        case StartRun():
            return "Start all that should run?"
        case RetryFailed():
            return "Run again all that failed?"
        case DrainRun():
            return "Drain the run?"
        case CancelRun():
            return "Cancel the whole run?"
        case _:
            return f"{command.verb}?"


def title_of_all(commands: Sequence[Command]) -> str:
    """The question about several commands of one kind."""
    first, whom = commands[0], plural(len(commands), "task")
    if len(commands) == 1:
        return command_title(first)
    match first:
        case CancelTask():
            return f"Cancel {whom}?"
        case AbandonTask():
            return f"Wait no longer for {whom}?"
        case RestartTask(downstream=True):
            return f"Restart {whom} and everything after them?"
        case RestartTask():
            return f"Restart {whom}?"
        case SkipTask():
            return f"Skip {whom}?"
        case StopTask():
            return f"Have {whom} stay down?"
        case StartTask():
            return f"Start {whom}?"
        case SetPolicy():
            return f"Change {whom}?"
        case _:
            return f"{first.verb}: {whom}?"


def blast_lines(snapshot: RunSnapshot, radius: BlastRadius) -> list[Line]:
    """What would happen, in figures and names."""
    lines: list[Line] = [*(((part, ""),) for part in wrap(clean(radius.summary, 300), _WIDE)), ()]
    parts = (
        ("run again", radius.runs_again, "retry"),
        ("are told to stop", radius.stops, "fail"),
        ("will not run", radius.never_runs, "block"),
        ("keep old results", radius.goes_stale, "wait"),
    )
    for what, names, style in parts:
        if names:
            what_one = what.replace("run again", "runs again").replace("are ", "is ").replace("keep", "keeps")
            count = f"{len(names):,} {what_one if len(names) == 1 else what}"
            lines.append(((fit(count, 24), style), *_named(snapshot, names)))
    return lines


def _named(snapshot: RunSnapshot, names: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    for name in names[:_NAMED]:
        row = undo.row_of(snapshot, name)
        if row is not None:
            spans.append((f"{glyph_of(row)} ", face_of(row).style))
        spans.append((f"{name_of(name, 24)}  ", ""))
    if len(names) > _NAMED:
        spans.append((f"+{len(names) - _NAMED:,} more", "dim"))
    return spans


def confirm_choices(command: Command, radius: BlastRadius, count: int = 1) -> list[Choice]:
    """Yes, perhaps the smaller thing, and no; `count`: for how many tasks the command is."""
    again = len(radius.runs_again) + len(radius.stops)
    yes = {
        "restart": f"Restart {plural(again, 'task')}",
        "cancel": "Cancel it",
        "abandon": "Abandon it",
        "skip": "Skip it",
        "stop": "Stop it, and keep it down",
        "start": "Start it",
        "start-run": "Start all",
        "set-policy": "Change it",
        "retry-failed": f"Run {plural(again, 'task')} again",
        "drain": "Drain",
        "cancel-run": "Cancel all",
    }
    label = yes.get(command.verb, "Do it")
    if count > 1:
        label = label.replace(" it", f" all {count:,}", 1)
    choices = [Choice(("y", "enter"), "⏎/y", label, "yes", "strong")]
    if isinstance(command, RestartTask) and command.downstream and again > count:
        only = name_of(command.task, 40) if count == 1 else f"these {count:,}"
        choices.append(Choice(("o",), "o", f"Only {only}", "only"))
    if hasattr(command, "reason"):
        choices.append(Choice(("w",), "w", "Say why first", "why", "dim"))
    choices.append(_NO)
    return choices


def quit_lines(snapshot: RunSnapshot) -> list[Line]:
    """What is going on at this moment."""
    active = [row for row in snapshot.rows if row.state in ACTIVE] if len(snapshot.rows) <= 20_000 else []
    again = counts_of(snapshot).get(TaskState.BACKOFF, 0)
    waiting = _count(snapshot, _NOT_STARTED) - again
    spans = _named(snapshot, [row.name for row in active])
    left = f"{plural(waiting, 'task')} {'has' if waiting == 1 else 'have'} not run yet."
    if again:
        will = f"{again if waiting else plural(again, 'task')} would run again in a while."
        left = f"{left} {will}" if waiting else will
    return [tuple(spans), ((left, "dim"),)] if spans else [((left, "dim"),)]


_NOT_STARTED = frozenset(TASK_FACES) - ACTIVE - frozenset(s for s in TASK_FACES if s.value in {
    "succeeded", "cached", "failed", "timed_out", "blocked", "cancelled", "skipped"})  # fmt: skip


def _count(snapshot: RunSnapshot, states: Iterable[TaskState]) -> int:
    counts = counts_of(snapshot)
    return sum(counts.get(state, 0) for state in states)


def _drain_code(snapshot: RunSnapshot) -> int:
    """The exit code of a run that is drained now, if what runs goes well."""
    return 1 if _count(snapshot, BAD) else 130 if _count(snapshot, _NOT_STARTED | {TaskState.CANCELLED}) else 0


def quit_title(snapshot: RunSnapshot) -> str:
    """The question when leaving."""
    count = _count(snapshot, ACTIVE)
    return (
        f"Quit while {plural(count, 'task')} run{'s' if count == 1 else ''}?"
        if count
        else "Quit before the run is over?"
    )


def quit_choices(snapshot: RunSnapshot) -> list[Choice]:
    """The four ways to leave, or not to. Ctrl+c again is the stronger one."""
    services = [row for row in snapshot.rows if row.state in ACTIVE and is_service(row)]
    count = _count(snapshot, ACTIVE) - len(services)
    ends = f"leave when the {count} end" if count > 1 else "leave when the one ends" if count else "leave"
    also = f", and stop {plural(len(services), 'service')}" if services else ""
    drain = f"start nothing new, {ends}{also}"
    draining = [Choice(("d",), "d", f"Drain: {drain}, with code {_drain_code(snapshot)}", "drain")]
    return [
        *(draining if count or not services else ()),  # else it is what the next one does
        Choice(("k", "ctrl+c"), "k", "Cancel all now, let them clean up, leave with code 130", "cancel"),
        Choice(("exclamation_mark",), "!", "Leave at once, without clean-up, with code 130", "now", "bad"),
        _STAY,
    ]


def help_lines(cells: int, *, levels: bool = True, view: str = "") -> list[Line]:
    """Every key, by group, those of the view that is shown first; those for levels only where there are `levels`."""
    own = {action.group for action in ACTIONS if view and action.view == view} - {"Look"}
    groups = sorted((group for group in GROUPS if levels or group != "Levels"), key=lambda group: group not in own)
    blocks = {group: [action for action in ACTIONS if action.group == group] for group in groups}
    keys = {(action.group, action.shown) for action in ACTIONS if action.keys}
    column = min(_KEYS_WIDE, max(width(shown_of(action)) for actions in blocks.values() for action in actions) + 1)
    lines: list[Line] = []
    for group, actions in blocks.items():
        if lines:
            lines.append(())
        lines.append(((group.upper(), "head"), ("  where you are" if group in own else "", "dim")))
        for action in actions:
            in_menu = not action.keys and (group, action.shown) in keys  # of the key that is listed already
            lines.append(((fit("" if in_menu else shown_of(action), max(8, column)), "key"), (action.help, "")))
    lines += [(), (("STATES", "head"),)]
    row: list[Span] = []
    for place, face in enumerate((*TASK_FACES.values(), GATE_FACE)):
        row += [(f"{drawn(face)} ", face.style), (fit(face.word.lower(), 11), face.style)]
        if place % max(2, cells // 14) == max(2, cells // 14) - 1:
            lines.append(tuple(row))
            row = []
    return [*lines, tuple(row)] if row else lines


def why_lines(snapshot: RunSnapshot, row: TaskRow, cells: int, story: Story | None = None) -> list[Line]:
    """The long answer, wrapped."""
    lines: list[Line] = []
    for text, style in explain.explain(snapshot, row, story):
        indent = "    " if text.startswith("  ") else ""
        for place, part in enumerate(wrap(text.strip(), max(20, cells - len(indent)))):
            lines.append(((("  " if indent and not place else indent) + part, style),))
    return lines


def menu(entries: Mapping[str, str], current: str) -> tuple[list[Choice], int]:
    """A menu of names with what they mean, and the place of the current one. Digits choose at once."""
    names = list(entries)
    widest = max(len(name) for name in names)
    choices = [
        Choice(
            (str(place + 1),) if place < 9 else (),
            str(place + 1) if place < 9 else " ",
            f"{name:<{widest}}  {meaning}",
            name,
        )
        for place, (name, meaning) in enumerate(entries.items())
    ]
    return choices, names.index(current) if current in names else 0
