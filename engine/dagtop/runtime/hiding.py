"""What is secret in one run, and how it is kept out of what is told: events, names of tasks, what people see of the graph.

Values are known from the run's inputs, the specs of its tasks, what was bound to their functions and the environment; once a
task has failed, from what it had been given too. Inside of the run everything has its own name. On the way out, to recorders,
journal and snapshots, a name that tells a secret is another one; a command that comes in for that one is for the task.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import Blocked, RunSnapshot
from dagtop.graph.binding import Call
from dagtop.graph.check import Checked
from dagtop.observe.redact import REDACTED, hides_secrets, quick_redactor, redactor
from dagtop.observe.secrets import secrets_in
from dagtop.observe.veil import TEXTS, changed, veiled, without_secrets
from dagtop.ports.journal import JournalWriter
from dagtop.runtime.hidden_names import HiddenNames, HidingWriter

if TYPE_CHECKING:
    from dagtop.runtime.calls import Calls

#: Specs that are looked into before the run begins; of a task behind these, once it has failed.
SPECS = 20_000
#: Upstream tasks of one that has failed whose outputs are looked into.
GIVERS = 8
NOTHING: Mapping[str, Any] = MappingProxyType({})
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FAILING = frozenset(
    {ev.TaskRetrying, ev.TaskFailed, ev.TaskTimedOut, ev.TaskCancelled, ev.TaskBlocked, ev.TaskRestarting}
)


class Hiding:
    """The secrets of one run. On the engine's thread, but for `text`."""

    def __init__(self, checked: Checked, inputs: Mapping[str, Any]) -> None:
        self.is_on = hides_secrets()
        self.given: Callable[[int], Mapping[str, Any]] | None = None
        """What a task was given, by name; set before the run begins."""
        self._known: set[str] = set()
        self._asked: set[tuple[int, int]] = set()
        """(task, attempt) of those that have failed."""
        self._keys: set[tuple[str, int, str]] = set()
        """(task, attempt, stream) of those that are in the middle of printing a private key."""
        self._text: Callable[[str], str] = str
        self._line: Callable[[str], str] = str
        self._lock = threading.RLock()
        """Held while something is learnt: nobody tells a text by what was known before."""
        self._unread: Checked | None = None
        """The graph, of which specs and what is bound are looked into once there is a text to tell."""
        self.names = HiddenNames()
        if self.is_on:
            self._learn(secrets_in(inputs, os.environ))
            self.names.add(checked.plan, self._line)
            self._unread = checked

    def text(self, text: str) -> str:
        """The text without secrets. From any thread."""
        if self._unread is not None:
            self._read()
        return self._text(text)

    def _read(self) -> None:
        with self._lock:
            checked = self._unread
            if checked is not None:  # else another thread was faster, and is done
                self._learn(_bound(checked.calls) | _in_specs(checked.specs))
                self._unread = None

    def _learn(self, found: Iterable[str]) -> None:
        with self._lock:
            before = len(self._known)
            self._known.update(found)
            if len(self._known) > before or self._text is str:
                self._text = redactor(self._known)
                self._line = quick_redactor(self._known)

    # -- what happens -------------------------------------------------------------------------------------------------

    def veil(self, event: ev.AnyEvent) -> ev.AnyEvent:
        """The event without secrets; names stay as they are."""
        kind = type(event)
        if kind is ev.Log:
            if self._unread is not None:
                self._read()
            return self._veiled_line(event)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as was seen
        if kind not in TEXTS:
            return event
        if kind in _FAILING:
            self._learn_from(event)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - all of these are
        return veiled(event, self.text)

    def _veiled_line(self, log: ev.Log) -> ev.Log:
        line = self._line(log.line)
        if self._keys or (line is not log.line and "-----BEGIN" in log.line):
            line = self._line_of_key(log, line)
        return log if line == log.line else msgspec.structs.replace(log, line=line)

    def _line_of_key(self, log: ev.Log, line: str) -> str:
        """A private key is printed over many lines."""
        who = log.task, log.attempt, log.stream
        was_inside = who in self._keys
        if "-----END" in log.line:
            self._keys.discard(who)
        elif "-----BEGIN" in log.line:
            self._keys.add(who)
        return REDACTED if was_inside else line

    def _learn_from(self, event: ev.TaskEvent) -> None:
        """What the task had been given may be told by its error."""
        index, attempt = self.names.index_of(event.task), getattr(event, "attempt", 0)
        if index is None or self.given is None or (index, attempt) in self._asked:
            return
        self._asked.add((index, attempt))
        self._learn(secrets_in(self.given(index)))

    def without_secrets(self, checked: Checked) -> Checked:
        """The graph with nothing secret in what is said of its tasks; their names stay as they are."""
        plan = self._plan(checked.plan)
        return checked if plan is checked.plan else replace(checked, plan=plan)

    # -- the graph ----------------------------------------------------------------------------------------------------

    def _plan(self, plan: Plan) -> Plan:
        if not self.is_on:
            return plan
        if plan.one_policy is not None:
            one = self._policy(plan.one_policy)
            return plan if one is plan.one_policy else replace(plan, one_policy=one, policies=[one] * len(plan))
        says = [index for index, policy in enumerate(plan.policies) if policy.description or policy.tags]
        found = {index: self._policy(plan.policies[index]) for index in says}
        if all(plan.policies[index] is policy for index, policy in found.items()):
            return plan
        return replace(plan, policies=[found.get(index, policy) for index, policy in enumerate(plan.policies)])

    def _policy(self, policy: TaskPolicy) -> TaskPolicy:
        if not policy.description and not policy.tags:
            return policy
        description, tags = self.text(policy.description), tuple(map(self.text, policy.tags))
        if (description, tags) == (policy.description, tuple(policy.tags)):
            return policy
        return replace(policy, description=description, tags=tags)

    def grow(self, plan: Plan, calls: Iterable[Call] = (), inputs: Mapping[str, Any] = NOTHING) -> None:
        """The graph has changed."""
        if self.is_on:
            calls = list(calls)
            self._learn(
                secrets_in(inputs)
                | _bound(calls)
                | secrets_in({"": [call.spec for call in calls if call.spec is not None]})
            )
            self.names.add(plan, self._line)

    def with_writer(self, calls: Calls, writer: JournalWriter) -> None:
        """Store outputs in the journal, under the names that people see."""

        def hide() -> None:
            calls.writer = HidingWriter(writer, self.names)

        calls.writer = writer
        if self.names:
            hide()
        else:
            self.names.when_some = hide

    # -- the way out and in -------------------------------------------------------------------------------------------

    def outside(self, batch: list[ev.AnyEvent]) -> list[ev.AnyEvent]:
        """Events as they are told: with the names that people see."""
        names = self.names
        return [changed(event, names.outside) for event in batch] if names else batch

    def blocked(self, blocked: Blocked) -> Blocked:
        """What keeps the loop, as it is told. From any thread."""
        return changed(without_secrets(blocked, self.text), self.names.outside)

    def snapshot(self, snapshot: RunSnapshot) -> RunSnapshot:
        """The same as people see it."""
        return self.names.snapshot(snapshot) if self.names else snapshot

    def command(self, command: Command) -> Command:
        """A command that may be for a task by the name that people see."""
        return self.names.command(command) if self.names else command


def plan_as_seen(checked: Checked, inputs: Mapping[str, Any]) -> Plan:
    """A graph as people see it who do not run it: without secrets in names and in what is said of tasks."""
    hiding = Hiding(checked, inputs)
    return hiding.names.plan(hiding.without_secrets(checked).plan)


def _bound(calls: Iterable[Call]) -> set[str]:
    """Secrets that `functools.partial` has bound to functions of tasks."""
    functions: list[Any] = [call.fn for call in calls]
    bound: list[dict[str, Any]] = [fn.keywords for fn in functions if type(fn) is partial and fn.keywords]
    return set().union(*map(secrets_in, bound)) if bound else set()


def _in_specs(specs: Mapping[str, Any] | None) -> set[str]:
    """Secrets in specs; of many that look alike, and have none, only the first is looked into."""
    found: set[str] = set()
    harmless: set[tuple[Any, ...]] = set()
    for spec in islice((specs or {}).values(), SPECS):
        kind = type(spec)
        if kind in _SCALARS:
            continue
        look: tuple[Any, ...] = (*spec, *map(type, spec.values())) if kind is dict else ()
        if look and look in harmless:
            continue
        secrets = secrets_in({"": spec})
        if secrets:
            found |= secrets
        elif look and all(type(value) in _SCALARS for value in spec.values()):
            harmless.add(look)
    return found
