"""What the popups about gates, breakers, pools and places say. Pure: lines and choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagtop.core.blast import blast_radius
from dagtop.core.breakers import BreakerView
from dagtop.core.commands import RejectTask
from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.faces import GATE_FACE, drawn, is_at_gate
from dagtop_app.lines import Line, Span
from dagtop_app.screens.popup import Choice, Question
from dagtop_app.steering.undo import row_of
from dagtop_app.tasks.obstacles import WORDS, breaker_text
from dagtop_app.tasks.why import gate_deadline
from dagtop_app.text import clean, clean_lines, clock, name_of, plural, wrap

_LEAVE = Choice(("escape",), "esc", "Leave it as it is", "no", "dim")
#: Cells of a line of prompt.
_WIDE = 66


def gate_question(snapshot: RunSnapshot, task: str) -> Question:
    """Whether a task may go through its gate; if that is settled by now, so."""
    row = row_of(snapshot, task)
    title = f"{drawn(GATE_FACE)} May {name_of(task, 60)} go on?"
    if row is None or row.gate is None or not is_at_gate(row):
        return Question(title, [(("it does not stand at its gate any more", "warn"),)], [_LEAVE])
    choices = [
        Choice(("a", "y"), "a/y", "Approve: let it go on", "approve", "good"),
        Choice(("r", "n"), "r/n", "Reject", "reject", "bad"),
        _LEAVE,
    ]
    return Question(title, _gate_lines(snapshot, row), choices)


def _gate_lines(snapshot: RunSnapshot, row: TaskRow) -> list[Line]:
    asked = row.gate
    assert asked is not None
    prompt = clean_lines(asked.prompt, 12) if asked.prompt.strip() else ["It stands at its gate, and says no more."]
    lines: list[Line] = [((part, "strong"),) for text in prompt for part in wrap(text, _WIDE)]
    lines.append(())
    since: list[Span] = [(f"it waits for {clock(snapshot.at - asked.at)}", "dim")]
    if deadline := gate_deadline(snapshot, row):
        since.append((f" · {deadline} if nobody decides", "warn"))
    lines.append(tuple(since))
    lost = blast_radius(snapshot, RejectTask(row.name)).never_runs
    if len(lost) > 1:
        lines.append(((f"rejected, {plural(len(lost) - 1, 'task')} after it will not run either", "block"),))
    return lines


def breaker_menu(snapshot: RunSnapshot) -> list[Choice]:
    """The breakers of the run, to pick from."""
    widest = max((len(clean(view.name, 40)) for view in snapshot.breakers), default=0)
    return [
        Choice(
            (str(place + 1),) if place < 9 else (),
            str(place + 1) if place < 9 else " ",
            f"{clean(view.name, 40):<{widest}}  {WORDS[view.state]}"
            f"{' (held)' if view.forced is not None else ''} · {_failures(view)}",
            view.name,
            "" if view.state is BreakerState.CLOSED else "warn",
        )
        for place, view in enumerate(snapshot.breakers)
    ]


def _failures(view: BreakerView) -> str:
    return f"{view.failures} of {plural(view.spec.failure_threshold, 'failure')}"


def breaker_question(snapshot: RunSnapshot, name: str) -> Question:
    """What to do with a breaker."""
    title = f"Breaker {clean(name, 60)}"
    view = next((one for one in snapshot.breakers if one.name == name), None)
    if view is None:
        return Question(title, [(("the run has no such breaker any more", "warn"),)], [_LEAVE])
    users = sum(row.policy.circuit == name for row in snapshot.rows)
    lines: list[Line] = [((_first_up(breaker_text(snapshot, view)), "strong"),)]
    lines.append(
        ((f"{_failures(view)}, asked by {plural(users, 'task')}, opened {plural(view.trips, 'time')}", "dim"),)
    )
    if view.forced is not None and view.computed is not view.forced:
        lines.append(((f"by itself it would be {WORDS[view.computed]}", "dim"),))
    for moved in view.recent[-4:]:
        went = moved.state.replace("_", "-") or ("let go" if moved.by_force else "settings")
        lines.append(((f"  {clock(moved.at):>7} ", "faint"), (f"{went}  ", ""), (clean(moved.reason, 80), "dim")))
    choices = [
        Choice(("t",), "t", "Trip: open it, it recovers as if by itself", "trip"),
        Choice(("c",), "c", "Close it, and forget its failures", "reset"),
        Choice(("o",), "o", "Hold it open: nothing goes through", "open"),
        Choice(("k",), "k", "Hold it closed: everything goes through", "closed"),
        Choice(("h",), "h", "Hold it half-open: one at a time", "half_open"),
    ]
    if view.forced is not None:
        choices.insert(0, Choice(("l",), "l", "Let it go: by itself again", "let-go", "strong"))
    return Question(title, lines, [*choices, _LEAVE])


def force_choices(view: BreakerView) -> list[Choice]:
    """In which state to hold a breaker."""
    meanings = {
        "open": ("o", "Hold it open: nothing goes through"),
        "closed": ("k", "Hold it closed: everything goes through"),
        "half_open": ("h", "Hold it half-open: one at a time"),
    }
    choices = [
        Choice((key,), key, f"{meaning}{' · now' if view.forced == state else ''}", state)
        for state, (key, meaning) in meanings.items()
    ]
    if view.forced is not None:
        choices.insert(0, Choice(("l",), "l", "Let it go: by itself again", "let-go", "strong"))
    return choices


def trip_question(view: BreakerView, waiting: int) -> Question:
    """Whether to open a breaker at which tasks fail instead of waiting."""
    lines: list[Line] = [((f"{plural(waiting, 'task')} that would start soon will fail at it", "fail"),)]
    lines.append((('Its tasks do not wait for it: on_open="fail".', "dim"),))
    yes = Choice(("y", "enter"), "⏎/y", "Open it", "yes", "strong")
    return Question(f"Open breaker {clean(view.name, 60)}?", lines, [yes, _LEAVE])


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def pools_of(snapshot: RunSnapshot) -> Mapping[str, tuple[int, int]]:
    """(in use, limit) by name of the pool."""
    return {key.removeprefix("pool:"): value for key, value in snapshot.limits.items() if key.startswith("pool:")}


def pool_menu(snapshot: RunSnapshot) -> list[Choice]:
    """The pools of the run, to pick from."""
    pools = pools_of(snapshot)
    widest = max((len(clean(name, 40)) for name in pools), default=0)
    return [
        Choice(
            (str(place + 1),) if place < 9 else (),
            str(place + 1) if place < 9 else " ",
            f"{clean(name, 40):<{widest}}  {used} of {there} in use",
            name,
            "warn" if used >= there else "",
        )
        for place, (name, (used, there)) in enumerate(pools.items())
    ]


def place_lines(stack: str, cells: int) -> Sequence[Line]:
    """Where a task is now: frames of its code, innermost last."""
    lines: list[Line] = []
    for text in clean_lines(stack, 200):
        style = "strong" if text.lstrip().startswith("File ") else "" if text.startswith("    ") else "dim"
        lines += [((part, style),) for part in wrap(text, max(20, cells))]
    return lines or [(("it tells nothing", "dim"),)]
