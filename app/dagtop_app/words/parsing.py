"""Commands in words, as they are typed in the console's command line and in `--plain`. Pure.

`parse("policy always load_*", snapshot)` says which commands that comes to, one for each task. Tasks are named, or chosen by
patterns (`load_*`), or by what the filter box understands (`state:failed`, `tag:etl`, `/re/`, `!x`): names and patterns add up,
terms narrow them down. What stands in quotes stands for itself. "because" begins the reason, which is kept with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, get_args

import msgspec
from dagtop.core import commands as do
from dagtop.core.forecast import Usual
from dagtop.core.nearest import nearest
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.topology import reach

from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.typed import parse_command
from dagtop_app.tasks.tally import at_gates
from dagtop_app.text import clean, name_of, plural
from dagtop_app.words import edits
from dagtop_app.words.reports import report_asked
from dagtop_app.words.tasks import Token, WordError, tasks_meant, tokens
from dagtop_app.words.vocabulary import VOCABULARY, Entry, entry_of

__all__ = ["BARE", "WordError", "Worded", "parse"]


class Worded(NamedTuple):
    """What a line comes to."""

    word: str
    """How it begins; an alias is the word that it stands for."""
    commands: tuple[do.Command, ...] = ()
    """To be given, upstream first; several are meant as one. Empty for a word that shows something, and for one of `BARE`."""
    saying: str = ""
    """What is said until they are answered: "cancelling 3 tasks"."""
    tasks: tuple[str, ...] = ()
    """What a word is about that shows something; () if it was not said."""
    rest: str = ""
    """All that was typed after the word."""


#: Words that do something which is no command for the run, and take nothing.
BARE = frozenset({"undo", "reload", "now"})

_NOTHING: Mapping[int, Usual] = {}


class _Said(NamedTuple):
    """A line, taken apart."""

    entry: Entry
    words: Sequence[Token]
    """What comes after the first word."""
    flags: frozenset[str]
    reason: str
    text: str
    snapshot: RunSnapshot
    chosen: Sequence[str] = ()
    usual: Mapping[int, Usual] = _NOTHING

    @property
    def rest(self) -> str:
        return self.text[self.words[0].start :].strip() if self.words else ""

    def tasks(self, words: Sequence[Token] | None = None) -> list[str]:
        """The tasks that these words mean; if there are none, those that are chosen already."""
        words = self.words if words is None else words
        if words:
            return tasks_meant(self.snapshot, words, self.usual)
        if self.chosen:
            return list(self.chosen)
        raise WordError(f"{self.entry.word} needs a task: {self.usage}")

    @property
    def usage(self) -> str:
        return f"{self.entry.word} {self.entry.usage}".rstrip()

    def nothing_more(self, words: Sequence[Token]) -> None:
        """See that nothing is left over."""
        if words:
            raise WordError(f"{clean(words[0].text, 60)!r} is too much: {self.usage}")


def parse(
    text: str, snapshot: RunSnapshot, *, chosen: Sequence[str] = (), usual: Mapping[int, Usual] = _NOTHING
) -> Worded:
    """What a line comes to.

    chosen: the tasks that are meant if it names none.
    usual: how long tasks took in earlier runs, by index, for `state:slow`.

    Raises
    ------
    WordError: it comes to nothing; the message says what would.
    """
    words = tokens(text)
    if not words:
        raise WordError("nothing was typed; help lists the words")
    first = words[0].text.removeprefix(":")
    entry = entry_of(first)
    if entry is None:
        return _by_verb(first, words[1:])
    said = _taken_apart(entry, text, words[1:], snapshot)._replace(chosen=chosen, usual=usual)
    if entry.asks:
        return _shown(said)
    if entry.word in BARE:
        said.nothing_more(said.words)
        return Worded(entry.word)
    commands = _MAKE[entry.word](said)
    if said.reason:
        if not all(hasattr(command, "reason") for command in commands):
            raise WordError(f"{entry.word} keeps no reason: leave “because …” out")
        commands = [msgspec.structs.replace(command, reason=said.reason) for command in commands]
    return Worded(entry.word, tuple(commands), _saying(commands, said), (), said.rest)


def _taken_apart(entry: Entry, text: str, words: Sequence[Token], snapshot: RunSnapshot) -> _Said:
    """Flags and the reason apart from the other words."""
    kept: list[Token] = []
    flags: set[str] = set()
    reason = ""
    for token in words:
        if not token.quoted and token.text in {"because", "--because", "--reason"}:
            reason = text[token.end :].strip().strip("\"'")
            if not reason:
                raise WordError("because what? the reason comes after it")
            text = text[: token.start]
            break
        if not token.quoted and token.text.startswith("--") and token.text not in snapshot.plan.index:
            flags.add(token.text)
        else:
            kept.append(token)
    known = {"restart": {"--downstream"}, "ack": {"--withdraw"}}.get(entry.word, set())
    for flag in flags - known:
        raise WordError(f"{entry.word} knows no {clean(flag, 40)}{nearest(flag, known)}")
    return _Said(entry, kept, frozenset(flags), reason, text, snapshot)


def _by_verb(first: str, words: Sequence[Token]) -> Worded:
    """A command as it is written on the wire, e.g. "set-max-parallel 8"."""
    verbs = {str(kind.__struct_config__.tag) for kind in get_args(do.Command)}
    if first not in verbs:
        there = nearest(first.lower(), [entry.word for entry in VOCABULARY])
        raise WordError(f"there is no command {clean(first, 40)!r}{there or '; help lists them'}")
    try:
        command = parse_command(first, [token.text for token in words])
    except UsageError as error:
        raise WordError(clean(str(error), 300)) from None
    return Worded(first, (command,), f"{first}", (), " ".join(token.text for token in words))


def _shown(said: _Said) -> Worded:
    """A word that shows something: the tasks that it is about, where it is about some."""
    word = said.entry.word
    match word:
        case "why" | "where" | "goto":
            return Worded(word, tasks=tuple(said.tasks()), rest=said.rest)
        case "select":
            return Worded(word, tasks=tuple(said.tasks()) if said.words else (), rest=said.rest)
        case "logs":
            words = said.words[:-1] if said.words and said.words[-1].text.isdecimal() else said.words
            return Worded(word, tasks=tuple(said.tasks(words)) if words else (), rest=said.rest)
        case "report":
            report_asked(said.rest)  # what is wrong with it is told before Enter
            return Worded(word, rest=said.rest)
        case "tasks" | "help" | "view" | "sort" | "filter" | "theme" | "runs":
            return Worded(word, rest=said.rest)
        case _:
            said.nothing_more(said.words)
            return Worded(word)


# -- one function a word: the commands that a line comes to ---------------------------------------------------------------


def _is(said: _Said, *texts: str) -> bool:
    """Whether it is one of these words, alone, and no task is called so."""
    alone = said.words[0] if len(said.words) == 1 else None
    return alone is not None and not alone.quoted and alone.text in texts and alone.text not in said.snapshot.plan.index


def _cancel(said: _Said) -> list[do.Command]:
    if _is(said, "run"):
        return [do.CancelRun(reason=said.reason or do.CancelRun().reason)]
    return [do.CancelTask(name) for name in reversed(said.tasks())]


def _restart(said: _Said) -> list[do.Command]:
    return _again(said, said.tasks(), downstream="--downstream" in said.flags)


def _again(said: _Said, names: Sequence[str], *, downstream: bool) -> list[do.Command]:
    plan = said.snapshot.plan
    if downstream and len(names) > 1:  # those after one of them run again with it
        after = reach(plan.downstream, [plan.index[name] for name in names])
        names = [name for name in names if plan.index[name] not in after]
    return [do.RestartTask(name, downstream) for name in names]


def _retry(said: _Said) -> list[do.Command]:
    if not said.words or _is(said, "failed", "all"):
        return [do.RetryFailed()]
    return _again(said, said.tasks(), downstream=False)


def _hold(said: _Said) -> list[do.Command]:
    return [do.HoldTask(name) for name in said.tasks()]


def _release(said: _Said) -> list[do.Command]:
    return [do.ReleaseTask(name) for name in said.tasks()]


def _skip(said: _Said) -> list[do.Command]:
    return [do.SkipTask(name) for name in reversed(said.tasks())]


def _mark(said: _Said) -> list[do.Command]:
    before, how, value = edits.marked(said.words, said.text, said.usage)
    names = said.tasks(before)
    if how == "skipped":
        return [do.SkipTask(name) for name in reversed(names)]
    return [do.MarkSucceeded(name, value) for name in names]


def _gate(said: _Said) -> list[do.Command]:
    first = said.words[0].text if said.words else ""
    if first not in {"approve", "reject"}:
        raise WordError(f"gate approve, or gate reject? {said.usage}")
    return _decide(said._replace(words=said.words[1:]), approve=first == "approve")


def _decide(said: _Said, *, approve: bool) -> list[do.Command]:
    kind = do.ApproveTask if approve else do.RejectTask
    rows = said.snapshot.rows
    gates = [rows[index].name for index in at_gates(said.snapshot)]
    if not said.words and not set(gates).intersection(said.chosen):
        if len(gates) != 1:
            waiting = f"; there are {', '.join(name_of(name, 60) for name in gates[:5])}" if gates else ""
            raise WordError(f"which gate?{waiting}" if gates else "no task stands at a gate")
        return [kind(gates[0])]
    return [kind(name) for name in said.tasks()]


def _ack(said: _Said) -> list[do.Command]:
    withdraw = "--withdraw" in said.flags
    return edits.acknowledged(said.snapshot, said.words, said.tasks, withdraw=withdraw)


def _stop(said: _Said) -> list[do.Command]:
    return [do.StopTask(name) for name in reversed(said.tasks())]


def _start(said: _Said) -> list[do.Command]:
    return [do.StartRun()] if _is(said, "run") else [do.StartTask(name) for name in said.tasks()]


def _policy(said: _Said) -> list[do.Command]:
    fields, words = edits.policy_fields(said.words, said.snapshot.plan)
    if not fields:
        raise WordError(f"change what? {said.usage}")
    return edits.policies(said.snapshot, said.tasks(words), fields)


def _scale(said: _Said) -> list[do.Command]:
    return edits.scaled(said.snapshot, said.words, said.chosen, said.usage)


def _limit(said: _Said) -> list[do.Command]:
    return [do.SetMaxParallel(edits.whole(said.words, said.snapshot.max_parallel, said.usage))]


def _pool(said: _Said) -> list[do.Command]:
    return edits.pools(said.snapshot, said.words, said.usage)


def _breaker(said: _Said) -> list[do.Command]:
    return edits.breakers(said.snapshot, said.words, said.usage)


def _of_run(kind: Callable[[], do.Command]) -> Callable[[_Said], list[do.Command]]:
    def make(said: _Said) -> list[do.Command]:
        if said.words and not _is(said, "run"):
            said.nothing_more(said.words)
        return [kind()]

    return make


def _abandon(said: _Said) -> list[do.Command]:
    return [do.AbandonTask(name) for name in said.tasks()] if said.words else [do.AbandonRun()]


_MAKE: Mapping[str, Callable[[_Said], Sequence[do.Command]]] = {
    "cancel": _cancel, "restart": _restart, "retry": _retry, "hold": _hold, "release": _release, "skip": _skip, "mark": _mark,
    "approve": lambda said: _decide(said, approve=True), "reject": lambda said: _decide(said, approve=False), "gate": _gate,
    "ack": _ack,
    "policy": _policy, "stop": _stop, "start": _start, "scale": _scale, "limit": _limit, "pool": _pool, "breaker": _breaker,
    "pause": _of_run(do.PauseRun), "continue": _of_run(do.ContinueRun), "drain": _of_run(do.DrainRun),
    "abandon": _abandon,
}  # fmt: skip

_DOING: Mapping[str, str] = {
    "cancel": "cancelling", "restart": "restarting", "retry": "restarting", "hold": "holding", "release": "releasing",
    "skip": "skipping", "mark": "marking", "approve": "approving", "reject": "rejecting", "policy": "changing",
    "stop": "stopping", "start": "starting", "scale": "scaling", "pause": "pausing the run", "continue": "going on",
    "drain": "draining", "abandon": "abandoning what does not stop",
}  # fmt: skip


def _saying(commands: Sequence[do.Command], said: _Said) -> str:
    """What is under way, in a few words."""
    first = commands[0]
    match first:
        case do.CancelRun():
            return "cancelling the run"
        case do.AcknowledgeEscalation(number=number):
            more = f" and {len(commands) - 1:,} more" if len(commands) > 1 else ""
            return f"acknowledging escalation {number}{more}"
        case do.StartRun():
            return "starting all that should run"
        case do.RetryFailed():
            return "running again what failed"
        case do.SetMaxParallel(limit=limit):
            return f"max_parallel {said.snapshot.max_parallel} → {limit}"
        case do.SetPoolLimit(pool=pool, limit=limit):
            return f"pool {clean(pool, 60)} → {limit}"
        case (
            do.TripBreaker(breaker=name)
            | do.ResetBreaker(breaker=name)
            | do.ForceBreaker(breaker=name)
            | do.SetBreaker(breaker=name)
        ):
            return f"{first.verb.replace('-', ' ')} {clean(name, 60)}"
        case _:
            pass
    if isinstance(first, do.AbandonTask):
        whom = name_of(first.task, 60) if len(commands) == 1 else plural(len(commands), "task")
        return f"waiting no longer for {whom}"
    doing = _DOING[said.words[0].text if said.entry.word == "gate" else said.entry.word]
    task = getattr(first, "task", None)
    if task is None:
        return doing
    whom = name_of(task, 60) if len(commands) == 1 else plural(len(commands), "task")
    after = " and everything after" if isinstance(first, do.RestartTask) and first.downstream else ""
    return f"{doing} {whom}{after}"
