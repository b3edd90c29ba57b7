# ruff: noqa: E501 - the list reads best with one action a line
"""Every key of the console, once: bindings, help screen, footer and command palette all read this list.

The map is the one of the k9s, lazygit, btop and vim families. A capital is the wider or stronger version of its small
letter. No letter destroys anything at once, and nothing destructive is on Ctrl + letter.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from textual.binding import Binding

#: How the keys begin that no terminal sends.
NO_KEY = "no_key"


class Action(NamedTuple):
    """One thing that a key does."""

    id: str
    """Stable: keys are remapped by it."""
    keys: str
    """As Textual names them, separated by commas; "" if it is in the palette only, or in the menu of the key that is shown."""
    shown: str
    """The key as people read it."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help screen and the palette."""
    group: str
    do: str
    """The screen's action, e.g. "restart(True)"."""
    in_palette: bool = True
    view: str = ""
    """The view whose own key it is; there it wins over a key of all views."""


def _move(name: str, keys: str, shown: str, text: str) -> Action:
    return Action(f"move.{name}", keys, shown, text, f"{text}.", "Move", f"move('{name}')", in_palette=False)


def _graph(name: str, keys: str, shown: str, label: str, text: str, *, palette: bool = False) -> Action:
    return Action(f"graph.{name}", keys, shown, label, text, "Graph", f"graph('{name}')", palette, view="graph")


def _replay(name: str, keys: str, shown: str, label: str, text: str) -> Action:
    return Action(f"replay.{name}", keys, shown, label, text, "Replay", f"replay('{name}')", False, view="replay")


def _kept(name: str, keys: str, shown: str, label: str, text: str) -> Action:
    return Action(f"runs.{name}", keys, shown, label, text, "Runs", f"kept('{name}')", False, view="runs")


def _breaker(name: str, keys: str, shown: str, label: str, text: str) -> Action:
    return Action(f"breaker.{name}", keys, shown, label, text, "Breakers", f"do('{name}', 'breakers')", view="breakers")


def _time(name: str, keys: str, shown: str, label: str, text: str, *, palette: bool = False) -> Action:
    return Action(
        f"time.{name}", keys, shown, label, text, "Timeline", f"do('{name}', 'timeline')", palette, view="timeline"
    )


def _escalation(name: str, keys: str, shown: str, label: str, text: str) -> Action:
    return Action(
        f"escalation.{name}",
        keys,
        shown,
        label,
        text,
        "Escalations",
        f"do('{name}', 'escalations')",
        view="escalations",
    )


def _events(name: str, keys: str, shown: str, label: str, text: str, *, palette: bool = False) -> Action:
    return Action(
        f"events.{name}", keys, shown, label, text, "Events", f"do('{name}', 'events')", palette, view="events"
    )


def _log(name: str, keys: str, shown: str, label: str, text: str, *, do: str = "", palette: bool = False) -> Action:
    return Action(f"log.{name}", keys, shown, label, text, "Logs", f"do('{do or name}', 'logs')", palette, view="logs")


ACTIONS: tuple[Action, ...] = (
    _move("down", "j,down", "j ↓", "Down"),
    _move("up", "k,up", "k ↑", "Up"),
    Action("move.top.vim", "g", "g g", "Top", "To the first line (twice).", "Move", "top_twice", in_palette=False),
    _move("top", "home", "Home", "To the first line"),
    _move("bottom", "G,end", "G End", "To the last line"),
    _move("half-down", "ctrl+d", "Ctrl+d", "Half a page down"),
    _move("half-up", "ctrl+u", "Ctrl+u", "Half a page up"),
    _move("page-down", "pagedown", "PgDn", "A page down"),
    _move("page-up", "pageup", "PgUp", "A page up"),
    Action("find.next", "n", "n", "Next", "Next problem, or next match in the log.", "Move", "next(1)"),
    Action("find.previous", "N", "N", "Previous", "Previous problem or match.", "Move", "next(-1)"),
    Action("pane.next", "tab", "Tab", "Pane", "To the next pane.", "Move", "pane(1)", in_palette=False),
    Action("pane.previous", "shift+tab", "⇧Tab", "Pane back", "To the previous pane.", "Move", "pane(-1)", in_palette=False),
    Action("view.tasks", "1", "1", "Tasks", "The table of tasks.", "Look", "view('tasks')"),
    Action("view.graph", "2", "2", "Graph", "The graph.", "Look", "view('graph')"),
    Action("view.timeline", "3", "3", "Timeline", "What every task spends its time on: queued, running, backing off, and what is likely to come.", "Look", "view('timeline')"),
    Action("view.logs", "4,L", "4 L", "All logs", "The logs of all tasks.", "Look", "logs(False)"),
    Action("view.breakers", "5", "5", "Breakers", "The circuit breakers: their states, who asks them, who waits.", "Look", "view('breakers')"),
    Action("view.escalations", "6", "6", "Escalations", "The inbox of what failed for good: what was tried, what it blocks, what can be done.", "Look", "view('escalations')"),
    Action("view.events", "7", "7", "Events", "What has happened, newest last, with who gave the commands, when and why.", "Look", "view('events')"),
    Action("task.logs", "l", "l", "Logs", "The log of the selected task.", "Look", "logs(True)"),
    Action("task.detail", "enter", "⏎", "Detail", "Everything about the selected task, full size.", "Look", "detail"),
    Action("task.why", "w", "w", "Why", "Why the task is as it is, at length.", "Look", "why"),
    Action("look.filter", "slash", "/", "Filter", "Filter: text  /re/  !not  ~fuzzy  state:gate  policy:x  tag:x  pool:x  circuit:x  node:x  error:x. In logs: search.", "Look", "filter"),
    Action("look.problems", "exclamation_mark", "!", "Problems", "Only what failed, is retried, blocked, stopping or at a gate.", "Look", "problems"),
    Action("look.sort", "s", "s", "Sort", "Choose the order.", "Look", "sort"),
    Action("look.reverse", "S", "S", "Reverse", "Turn the order round.", "Look", "reverse"),
    Action("look.inspector", "i", "i", "Inspector", "Show or hide the inspector.", "Look", "inspector"),
    Action("select.task", "space", "␣", "Select", "Mark the task, or unmark it: keys then act on all that is marked.", "Look", "select"),
    Action("select.range", "V", "V", "Range", "Mark from here to wherever the cursor goes; V again ends it.", "Look", "select_range"),
    Action("select.invert", "asterisk", "*", "Invert", "Of what is shown mark what is not marked, and the other way round.", "Look", "select_invert"),
    Action("look.back", "escape", "Esc", "Back", "One step back: close, clear the filter, return to the table.", "Look", "back", in_palette=False),
    Action("task.where", "at", "@", "Where", "Where the running task is now: its stack, looked at again and again.", "Look", "where"),
    Action("task.cancel", "x", "x", "Cancel", "Tell the task to stop; what it would lose is shown first.", "Steer", "cancel"),
    Action("task.abandon", "X", "X", "Abandon", "Wait no longer for a task that was told to stop and does not; others are told to stop.", "Steer", "abandon"),
    Action("task.restart", "r", "r", "Restart", "Run the task again.", "Steer", "restart(False)"),
    Action("task.restart-downstream", "R", "R", "+Down", "Run the task and everything after it again.", "Steer", "restart(True)"),
    Action("task.hold", "p", "p", "Hold", "Hold the task before it starts, or release it.", "Steer", "hold"),
    Action("task.step", "comma", ",", "Step", "Release exactly one task that is held: the chosen one, or the first that would start.", "Steer", "step"),
    Action("run.gate", "a", "a", "Gate", "Approve or reject the task that stands at its gate, with a reason.", "Steer", "gate"),
    Action("task.mark", "m", "m", "Mark", "Take the task as succeeded, with an output of yours, or skip it.", "Steer", "mark"),
    Action("task.succeed", "", "m", "Succeeded", "Mark the task as succeeded, with an output of yours.", "Steer", "mark('succeeded')"),
    Action("task.skip", "", "m", "Skip", "Do not run the task.", "Steer", "mark('skipped')"),
    Action("task.edit", "e", "e", "Edit", "Change the task's retries, timeout, rules, order, breaker, pool, restarts.", "Steer", "edit"),
    Action("run.reload", "ctrl+r", "Ctrl+r", "Reload", "Read the graph file again, show what is different, and go on with it.", "Steer", "reload"),
    Action("run.now", "full_stop", ".", "Run now", "Run a graph with a schedule at once, beside its due times.", "Steer", "run_now"),
    Action("task.down", "d", "d", "Down/up", "Stop the task and have it stay down, or start it again.", "Steer", "down"),
    Action("task.policy", "P", "P", "Policy", "When the task is started again: no, on-failure, always.", "Steer", "policy"),
    Action("task.scale", "C", "C", "Copies", "Change how many replicas there are of the task.", "Steer", "scale"),
    Action("run.retry-failed", "F", "F", "Retry failed", "Run all that failed again, and what was skipped because of it.", "Steer", "retry_failed"),
    Action("run.acknowledge", "A", "A", "Ack", "Say that you look after the escalation of the selected task, with a note; or no longer.", "Steer", "acknowledge"),
    Action("run.breaker", "b", "b", "Breaker", "Trip, close, hold or let go the task's circuit breaker, or another.", "Steer", "breaker"),
    Action("run.pool", "number_sign", "#", "Pool", "Change how many tasks may run at once in the task's pool, or another.", "Steer", "pool"),
    Action("run.more", "plus", "+", "More", "Let one more task run at once.", "Steer", "limit(1)"),
    Action("run.fewer", "minus", "-", "Fewer", "Let one task fewer run at once.", "Steer", "limit(-1)"),
    Action("run.pause", "Z", "Z", "Pause run", "Start nothing new, or go on (Z as in snooze).", "Steer", "pause"),
    Action("run.drain", "D", "D", "Drain", "Start nothing new, let what runs finish, then end.", "Steer", "drain"),
    Action("run.cancel", "K", "K", "Cancel run", "Stop everything and end the run; services that were stopped so: start them.", "Steer", "cancel_run"),
    Action("run.start", "", "K", "Start all", "Start all that should run and does not.", "Steer", "start_run"),
    Action("edit.undo", "u", "u", "Undo", "Take the latest live edit back: limits, policy, hold, pause, breaker.", "Steer", "undo"),
    _graph("left", "h,left", "h ←", "Before", "To a task that the selected one needs."),
    _graph("right", "l,right", "l →", "After", "To a task that needs the selected one."),
    _graph("critical", "c", "c", "Critical", "Critical path: by what tasks took, and of the others by what they cost.", palette=True),
    _graph("focus", "f", "f", "Focus", "Only what is around the selected task, or the whole graph again.", palette=True),
    _graph("more", "greater_than_sign", ">", "Larger", "Larger; with a focus: more of what is around.", palette=True),
    _graph("less", "less_than_sign", "<", "Smaller", "Smaller; with a focus: less of what is around.", palette=True),
    _graph("size", "s", "s", "Size", "Boxes, pills, an overview, or a wall of half cells.", palette=True),
    _graph("fold", "H", "H", "Fold", "Hide what is in groups, or show it; of groups that Enter opened the latest is closed.", palette=True),
    _graph("map", "W", "W", "Map", "A small map of the whole graph in a corner, or none.", palette=True),
    Action("tasks.group", "o", "o", "Groups", "Tasks of one name and a number as one row each, or every task as a row.", "Look", "do('group', 'tasks')", view="tasks"),
    Action("tasks.lanes", "t", "t", "Lanes", "The graph's order and its lines beside the tasks, or problems first.", "Look", "do('lanes', 'tasks')", view="tasks"),
    _graph("tree", "t", "t", "Lanes", "The table of tasks in the graph's order, with lanes beside it.", palette=True),
    _graph("fit", "equals_sign", "=", "Fit", "The size that fits the screen.", palette=True),
    _graph("pan-left", "left_square_bracket,shift+left", "[ ⇧←", "Pan left", "Half a screen to the left."),
    _graph("pan-right", "right_square_bracket,shift+right", "] ⇧→", "Pan right", "Half a screen to the right."),
    Action("graph.logs", "o", "o", "Log", "The log of the selected task (what l is elsewhere).", "Graph", "logs(True)", in_palette=False, view="graph"),
    _time("left", "h,left", "h ←", "Earlier", "Back in time."),
    _time("right", "l,right", "l →", "Later", "On in time."),
    _time("far-left", "H,shift+left", "H ⇧←", "Much earlier", "Half a screen back in time."),
    _time("far-right", "shift+right", "⇧→", "Much later", "Half a screen on in time."),
    _time("closer", "greater_than_sign", ">", "Closer", "Zoom in.", palette=True),
    _time("farther", "less_than_sign", "<", "Farther", "Zoom out.", palette=True),
    _time("fit", "equals_sign", "=", "Fit", "All of the run; of one that was gone on with, what the latest process did, or all of it.", palette=True),
    _time("follow", "f", "f", "Follow", "Keep now where it is while time goes on, or stand still.", palette=True),
    _time("critical", "c", "c", "Critical", "Show the critical path in the bars, or not.", palette=True),
    _time("order", "o", "o", "Order", "By start, as in the table, or what ran longest first.", palette=True),
    Action("time.logs", "t", "t", "Log", "The log of the selected task (what l is elsewhere).", "Timeline", "logs(True)", in_palette=False, view="timeline"),
    _events("task", "", "⏎", "Task", "To the task that the event is about."),
    _events("follow", "f", "f", "Follow", "Events: follow the newest, or stay here."),
    _events("weight", "s", "s", "Weight", "Events: all, without details, warnings, failures.", palette=True),
    _events("only", "o", "o", "Only", "Events: those of one task, or of all.", palette=True),
    _events("times", "t", "t", "Times", "Events: since the run began, or by the clock."),
    _log("follow", "f", "f", "Follow", "Logs: follow the end, or stop."),
    _log("times", "t", "t", "Times", "Logs: when each line was written: since the run began, by the clock, or not.", palette=True),
    _log("wrap", "W", "W", "Wrap", "Logs: wrap long lines, or cut them.", palette=True),
    _log("tasks", "c", "c", "Whose", "Logs: of all tasks, the selected one, those that are marked, those that pass the filter.", palette=True),
    _log("level", "greater_than_sign", ">", "Graver", "Logs: only graver lines: info, warning, error (stderr counts as a warning).", do="graver", palette=True),
    _log("level-less", "less_than_sign", "<", "Less grave", "Logs: less grave lines too.", do="less"),
    _log("stream", "H", "H", "Stream", "Logs: only what was logged, only stdout, only stderr, or all.", palette=True),
    _log("since", "s", "s", "Since", "Logs: only those of the last minute, five, fifteen, or all.", palette=True),
    _log("mark", "equals_sign", "=", "Line", "Logs: draw a line below what there is now.", palette=True),
    _log("task-next", "right_square_bracket", "]", "Next task", "Logs: those of the next task of the table.", do="next-task"),
    _log("task-previous", "left_square_bracket", "[", "Task back", "Logs: those of the task before.", do="previous-task"),
    _log("pager", "o", "o", "Pager", "Logs: all that is shown in $PAGER, while the run goes on.", palette=True),
    _breaker("close", "c", "c", "Close", "Close the breaker, and forget its failures."),
    _breaker("trip", "t", "t", "Trip", "Open the breaker; it recovers as if it had opened by itself."),
    _breaker("half-open", "H", "H", "Hold half-open", "Hold the breaker half-open: one call at a time."),
    _breaker("force", "f", "f", "Force…", "Hold the breaker open, closed or half-open, or let it go."),
    _breaker("edit", "e", "e", "Edit", "Change the breaker's threshold, recovery, probes, window and rate, for all that ask it."),
    _breaker("next-guard", "right", "→", "Task", "Select the next task that asks the breaker."),
    _breaker("previous-guard", "left", "←", "Task back", "Select the one before."),
    _breaker("copy", "y", "y", "Copy", "Copy all about the breaker as Markdown."),
    _escalation("trace", "t", "t", "Trace", "The escalation's traceback."),
    _escalation("open", "o", "o", "Open", "Only what stands open, or all."),
    _escalation("copy", "y", "y", "Copy md", "Copy the escalation as Markdown, ready for a ticket."),
    Action("view.meta", "0", "0", "Meta", "The tree of all nodes of a graph of graphs, with what their tasks come to.", "Levels", "meta"),
    Action("level.leave", "backspace", "⌫", "Out", "Out of the node, to the level around it (Enter goes into a node).", "Levels", "leave_level"),
    Action("level.flat", "underscore", "_", "Flat", "All tasks of all levels by their paths, or level by level.", "Levels", "flat"),
    _replay("play", "space", "␣", "Play", "Play, or stand still; from the end it begins anew."),
    _replay("next", "right_square_bracket", "]", "Event", "To the next event."),
    _replay("previous", "left_square_bracket", "[", "Event back", "To the event before."),
    _replay("problem", "right_curly_bracket", "}", "Problem", "To the next problem."),
    _replay("problem-before", "left_curly_bracket", "{", "Problem back", "To the problem before."),
    _replay("forward", "full_stop", ".", "Forward", "A fiftieth of the run forward."),
    _replay("backward", "comma", ",", "Back", "A fiftieth of the run back."),
    _replay("faster", "plus", "+", "Faster", "Play faster."),
    _replay("slower", "minus", "-", "Slower", "Play slower."),
    _replay("begin", "ctrl+home", "Ctrl+Home", "Begin", "To the beginning of the run."),
    _replay("end", "ctrl+end", "Ctrl+End", "End", "To the end of the run; of one that goes on, along with it."),
    _kept("replay", "enter", "⏎", "Replay", "In the list of runs: play the run; the one of this console goes on meanwhile."),
    _kept("diff", "d", "d", "Diff", "In the list of runs: what is different between this run and the marked one, that of the console, or the one before."),
    _kept("graph", "f", "f", "Same graph", "In the list of runs: only those of the same graph, or all."),
    _kept("cancel", "x", "x", "Cancel", "In the list of runs: have the other process that runs it cancel it."),
    Action("app.runs", "O", "O", "Runs", "The runs that were kept: play one, compare two, write a report; this run goes on meanwhile.", "Console", "runs"),
    Action("app.command", "colon", ":", "Cmd", "Type a command: policy always load_*, cancel tag:etl, limit 8, goto name; Tab completes it.", "Console", "command", in_palette=False),
    Action("app.palette", "ctrl+p", "Ctrl+p", "Palette", "Every key and every task by name.", "Console", "palette", in_palette=False),
    Action("app.theme", "T", "T", "Theme", "Choose the colours.", "Console", "theme"),
    Action("app.copy", "y", "y", "Copy", "Copy the task's name, its error, its traceback, or all of it as Markdown; in logs also the lines.", "Console", "copy"),
    Action("app.export", "E,ctrl+s", "E", "Export", "Write a report of the run as it is now (also Ctrl+s): html, md, json, JUnit, trace, the graph, tickets.", "Console", "export"),
    Action("app.shell", "ctrl+z", "Ctrl+z", "Shell", "A shell, while the run goes on; exit comes back.", "Console", "app.shell"),
    Action("app.mouse", "f10", "F10", "Mouse", "Give the mouse to the terminal, to select text as ever, or take it back.", "Console", "app.mouse"),
    Action("app.help", "question_mark,f1", "? F1", "Help", "This list.", "Console", "help"),
    Action("app.quit", "q", "q", "Quit", "Leave; asks if tasks run (also Ctrl+q, Ctrl+c).", "Console", "quit"),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}
GROUPS = tuple(dict.fromkeys(action.group for action in ACTIONS))


@cache
def footer_of(ids: str) -> tuple[Action, ...]:
    """The actions that a footer offers, from their ids."""
    return tuple(BY_ID[name] for name in ids.split())


#: What the table's footer offers for a task that is kept up.
KEPT_FOOTER = footer_of(
    "task.detail task.logs task.why task.down task.restart task.policy task.edit look.filter app.command task.cancel"
    " task.restart-downstream task.scale edit.undo look.problems task.where look.sort run.cancel app.quit"
)


#: What keys of the console's screen do in the list of runs too, which is a screen of its own.
IN_RUNS = (
    "move.down move.up move.top.vim move.top move.bottom move.half-down move.half-up move.page-down move.page-up find.next"
    " find.previous look.filter look.problems look.back select.task app.export app.copy app.help app.theme app.runs app.shell"
    " app.mouse app.quit"
)


def bindings(view: str = "") -> list[Binding]:
    """The bindings of the console's screen, or of a view's widget."""
    return [_binding(action, "screen." if view else "") for action in ACTIONS if action.view == view]


def bindings_of(ids: str) -> list[Binding]:
    """Some of those of the console's screen, for another one."""
    return [_binding(action) for action in footer_of(ids)]


def _binding(action: Action, to: str = "") -> Binding:
    # One without a key has a name that no terminal sends, so that it can be given one.
    keys = action.keys or f"{NO_KEY}_{action.id}"
    return Binding(keys, to + action.do, action.label, show=False, id=action.id, tooltip=action.help)
