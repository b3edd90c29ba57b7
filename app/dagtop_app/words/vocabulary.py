# ruff: noqa: E501 - the list reads best with one entry a line
"""Every word of the command line inside a run, once: the parser, help and completion all read this list."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One word that begins a line."""

    word: str
    usage: str
    """What comes after it: TASK… stands for names, patterns and terms of the filter box."""
    help: str
    aliases: tuple[str, ...] = ()
    takes: str = ""
    """What its first words name: "task", "breaker", "pool", "scale", "number", "word", "view", "sort", "theme", "form" or ""."""
    asks: bool = False
    """Whether it only shows something, and changes nothing."""
    why: bool = False
    """Whether "because …" may follow: the reason is kept with the run."""


TASK = "task"
#: Words that are said of one task only.
ONE_TASK = frozenset({"goto", "where"})

VOCABULARY: tuple[Entry, ...] = (
    Entry("cancel", "TASK… | run", "Stop tasks: what runs is told to stop, what has not started will not; `cancel run` stops everything.", ("kill",), TASK, why=True),
    Entry("restart", "TASK… [--downstream]", "Run tasks again, and with --downstream everything after them.", ("rerun",), TASK, why=True),
    Entry("retry", "failed | TASK…", "Run all again that failed, and what was skipped because of it; or only these.", (), TASK),
    Entry("hold", "TASK…", "Do not let tasks start before they are released.", ("break",), TASK),
    Entry("release", "TASK…", "Let held tasks start.", ("step",), TASK),
    Entry("skip", "TASK…", "Do not run tasks that have not started.", (), TASK, why=True),
    Entry("mark", "TASK… succeeded [VALUE] | TASK… skipped", "Take tasks as succeeded, with an output of yours, or skip them.", (), TASK, why=True),
    Entry("approve", "[TASK…]", "Let tasks through their gates.", (), TASK, why=True),
    Entry("reject", "[TASK…]", "Do not let tasks through their gates.", (), TASK, why=True),
    Entry("gate", "approve | reject [TASK…]", "Decide at a gate.", (), TASK, why=True),
    Entry("policy", "no | on-failure | always | FIELD=VALUE… TASK…", "Change when tasks are started again, or fields of their policy: retries, timeout, backoff, base, trigger, priority, pool, circuit, …", ("set", "edit"), TASK),
    Entry("stop", "TASK…", "Have tasks down: they are stopped, and stay down until they are started.", ("down",), TASK, why=True),
    Entry("start", "TASK… | run", "Have tasks up: they run again if they have ended; `start run` starts all that should run.", ("up",), TASK, why=True),
    Entry("scale", "TASK N", "Change how many replicas there are of a task.", ("copies",), "scale"),
    Entry("limit", "N | +N | -N", "Change how many tasks may run at once.", ("parallel",), "number"),
    Entry("pool", "NAME N", "Change how many may run at once in a pool.", (), "pool"),
    Entry("breaker", "trip | close | half-open | force STATE | let-go | FIELD=VALUE… NAME", "Open a circuit breaker by hand, close it, hold it in a state, let it go, or change it: failure_threshold, recovery_timeout, window, …", (), "breaker"),
    Entry("ack", "[--withdraw] [N | TASK…]", "Acknowledge escalations: somebody looks after them; with --withdraw nobody does any more. Without a number, the one that is open.", ("acknowledge",), TASK, why=True),
    Entry("pause", "", "Start nothing new; what runs goes on."),
    Entry("continue", "", "Start tasks again after a pause.", ("go", "unpause")),
    Entry("drain", "", "Start nothing new, let what runs finish, then end."),
    Entry("abandon", "[TASK…]", "Wait no longer for tasks that were told to stop and did not; without a name for all of them, and end the run.", (), TASK, why=True),
    Entry("reload", "", "Read the graph file again, and go on with what it says now.", ("swap",)),
    Entry("now", "", "Run now, beside the schedule."),
    Entry("undo", "", "Take the latest live edit back: limits, policy, hold, pause, breaker."),
    Entry("why", "TASK…", "Why tasks are as they are, and what moves them.", ("explain",), TASK, asks=True),
    Entry("where", "TASK", "Where a running task is now: its stack.", (), TASK, asks=True),
    Entry("logs", "[TASK…] [N]", "The latest lines of tasks, or of all.", ("log",), TASK, asks=True),
    Entry("tasks", "[FILTER]", "The tasks: text, /re/, !not, ~fuzzy, state:failed, tag:x, pool:x, policy:x.", ("list", "ls"), TASK, asks=True),
    Entry("status", "", "How far the run is, and what is wrong.", ("counts",), asks=True),
    Entry("gates", "", "The tasks that stand at a gate.", asks=True),
    Entry("breakers", "", "The circuit breakers.", asks=True),
    Entry("pools", "", "Pools, resources, and how many may run at once.", ("limits",), asks=True),
    Entry("escalations", "", "What was escalated, and who looks after it.", asks=True),
    Entry("problems", "", "What failed, is retried, blocked, stopping or at a gate.", asks=True),
    Entry("runs", "[FILTER]", "The runs that were kept, latest first: text, /re/, !not, state:failed, graph:etl, since:3d.", ("history",), asks=True),
    Entry("report", "[FORM] [FILE]", "Write a report of the run as it is now: html, md, json, xml, trace.json, svg, mmd, dot, tickets.", ("export",), "form", asks=True),
    Entry("goto", "TASK", "Select a task.", ("show",), TASK, asks=True),
    Entry("select", "[TASK…]", "Choose tasks: words without a task, and keys, are meant for them.", ("mark-all",), TASK, asks=True),
    Entry("view", "NAME", "Show a view.", (), "view", asks=True),
    Entry("sort", "ORDER", "Choose the order of the tasks.", (), "sort", asks=True),
    Entry("filter", "[FILTER]", "Show only these tasks; without a filter all.", (), TASK, asks=True),
    Entry("theme", "[NAME]", "Choose the colours.", (), "theme", asks=True),
    Entry("help", "[WORD]", "These words, or one of them.", ("?",), "word", asks=True),
    Entry("quit", "", "Leave; asks if tasks run.", ("exit", "leave", "q"), asks=True),
)  # fmt: skip

BY_WORD = {entry.word: entry for entry in VOCABULARY} | {
    alias: entry for entry in VOCABULARY for alias in entry.aliases
}


def entry_of(word: str) -> Entry | None:
    """The entry of a word, as it is typed."""
    return BY_WORD.get(word) or BY_WORD.get(word.lower())
