"""Plays runtime to a `RunMachine`: answers its instructions, keeps its own books, and compares them after every step.

The books are kept from the outside, from instructions and events alone, so that a mistake of the machine's own counters
cannot hide itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.desired import Desired
from dagtop.core.failure import Failure
from dagtop.core.instructions import (
    AbandonAttempt,
    Consult,
    Instruction,
    RunProbe,
    RunTeardown,
    SetUp,
    StartAttempt,
    StopAttempt,
    WindDown,
)
from dagtop.core.invariants import check_invariants
from dagtop.core.ledger import Ledger
from dagtop.core.machine import RunMachine
from dagtop.core.plan import Plan
from dagtop.core.policy import OnUpstreamFailure, RunPolicy, TaskPolicy, Trigger
from dagtop.core.restart import ProbeKind
from dagtop.core.states import ACTIVE, FINAL, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.topology import reach, topological_order
from machine_books import Books

BROKEN = Failure(error="ValueError", message="no")

_ENDINGS = (
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskCancelled,
    ev.TaskBlocked,
    ev.TaskRetrying,
    ev.TaskRestarted,
    ev.TaskRestarting,
)


def plan_of(
    tasks: Mapping[str, Sequence[str]],
    policies: Mapping[str, TaskPolicy] | None = None,
    *,
    asks: Collection[str] = (),
    cleans_up: Collection[str] = (),
    sets_up: bool = False,
    winds_down: bool = False,
    nodes: Collection[str] = (),
) -> Plan:
    """A plan from "what each task needs"."""
    names = tuple(tasks)
    index = {name: i for i, name in enumerate(names)}
    upstream = [sorted(index[needed] for needed in tasks[name]) for name in names]
    downstream: list[list[int]] = [[] for _ in names]
    for i, needed in enumerate(upstream):
        for above in needed:
            downstream[above].append(i)
    default = TaskPolicy()
    return Plan(
        name="graph",
        names=names,
        index=index,
        upstream=upstream,
        downstream=downstream,
        order=topological_order(upstream, downstream),
        policies=[(policies or {}).get(name, default) for name in names],
        asks={index[name] for name in asks},
        cleans_up={index[name] for name in cleans_up},
        nodes={index[name] for name in nodes},
        sets_up=sets_up,
        winds_down=winds_down or sets_up,
    )


class Driver:
    """One run of a machine, driven by hand."""

    def __init__(
        self,
        tasks: Mapping[str, Sequence[str]],
        policies: Mapping[str, TaskPolicy] | None = None,
        *,
        begin: bool = True,
        asks: Collection[str] = (),
        cleans_up: Collection[str] = (),
        sets_up: bool = False,
        winds_down: bool = False,
        nodes: Collection[str] = (),
        **run_policy: Any,
    ) -> None:
        plan = plan_of(
            tasks, policies, asks=asks, cleans_up=cleans_up, sets_up=sets_up, winds_down=winds_down, nodes=nodes
        )
        self.run_policy = RunPolicy(**run_policy)
        self.machine = RunMachine(plan, self.run_policy)
        self.at = 0.0
        self.events: list[ev.AnyEvent] = []
        self.running: dict[int, int] = {}
        """Attempt number by task, for attempts that were started and have not answered."""
        self.told: set[int] = set()
        """Tasks whose attempt was told to stop."""
        self.started: list[str] = []
        """Names in the order of their starts."""
        self.asked: dict[int, int] = {}
        """Token of the latest question, by task that was asked about and has had no answer."""
        self.tearing: set[int] = set()
        """Tasks whose teardown was ordered and has not answered."""
        self.probes: dict[tuple[int, ProbeKind], int] = {}
        """Attempt by task and kind of probe, for questions that have had no answer."""
        self.setting_up = False
        """Whether the graph's setup was ordered and has not answered."""
        self.winding_down = False
        self.books = Books(self.run_policy)
        self.mirror = Ledger(plan)
        """The fold of the events, for comparison with the live ledger."""
        self._given: Mapping[str, TaskPolicy] = {}
        """Policies that the latest change of the graph brought."""
        self._open: set[str] = set()
        self._commands = 0
        if begin:
            self.begin()

    @property
    def plan(self) -> Plan:
        """The graph as it is now."""
        return self.machine.plan

    # -- what goes in -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.tell(inp.Begin(self.at, run="r", started_at=1_000.0))

    def succeed(self, *names: str) -> None:
        for name in names:
            index = self.plan.index[name]
            self.tell(inp.AttemptSucceeded(self.at, index, self.running.pop(index)))

    def fail(self, *names: str, retriable: bool = True, chance: float = 0.0, retry_after: float | None = None) -> None:
        for name in names:
            index = self.plan.index[name]
            number = self.running.pop(index)
            self.tell(inp.AttemptRaised(self.at, index, number, BROKEN, retriable, chance, retry_after))

    def stopped(self, *names: str, failure: Failure | None = None) -> None:
        """The attempt ends because it was told to."""
        for name in names:
            index = self.plan.index[name]
            assert index in self.told, f"{name} was never told to stop"
            self.tell(inp.AttemptStopped(self.at, index, self.running.pop(index), failure))

    def skip(self, *names: str, reason: str = "no need") -> None:
        """The task says that it need not run."""
        for name in names:
            index = self.plan.index[name]
            self.tell(inp.AttemptSkipped(self.at, index, self.running.pop(index), reason))

    def answer(self, name: str, verdict: str = "run", reason: str = "") -> None:
        """Answer the question about a task."""
        index = self.plan.index[name]
        token = self.asked.pop(index)
        self.tell(inp.Consulted(self.at, index, token, inp.Verdict(verdict), reason))

    def say_ready(self, *names: str) -> None:
        """The task calls `ctx.ready()`."""
        for name in names:
            index = self.plan.index[name]
            self.tell(inp.SaidReady(self.at, index, self.running[index]))

    def probe(self, name: str, kind: str, *, ok: bool, said: str = "") -> None:
        """Answer the probe of a task."""
        key = (self.plan.index[name], ProbeKind(kind))
        self.tell(inp.Probed(self.at, key[0], self.probes.pop(key), key[1], ok, said))

    def torn_down(self, *names: str, failure: Failure | None = None) -> None:
        """The teardown of a task is over."""
        for name in names:
            self.tearing.remove(self.plan.index[name])
            self.tell(inp.TeardownEnded(self.at, self.plan.index[name], failure))

    def set_up(self, *, failure: Failure | None = None) -> None:
        """The graph's setup is over."""
        assert self.setting_up, "nobody was told to set anything up"
        self.setting_up = False
        self.tell(inp.SetUpEnded(self.at, failure))

    def wound_down(self) -> None:
        """Everything is closed."""
        assert self.winding_down, "nobody was told to close anything"
        assert not self.setting_up, "a setup is over before what it has made is closed"
        self.winding_down = False
        self.tell(inp.WoundDown(self.at))

    def change(self, reason: str = "spawned by a test", number: int = 0, **change: Any) -> None:
        """The graph changes."""
        self._given = change.get("policies", {})
        self.tell(
            inp.GraphGiven(self.at, inp.GraphChange(**change), reason, number=number, by="a person" if number else "")
        )

    def command(self, command: cmd.Command, by: str = "a person") -> ev.CommandApplied | ev.CommandRefused:
        """Give a command and return its answer; exactly one is demanded."""
        self._commands += 1
        before = len(self.events)
        self.tell(inp.CommandGiven(self.at, command, self._commands, by))
        answers = [e for e in self.events[before:] if isinstance(e, (ev.CommandApplied, ev.CommandRefused))]
        assert len(answers) == 1, answers
        assert (answers[0].id, answers[0].by, answers[0].command) == (self._commands, by, command)
        return answers[0]

    def advance(self, seconds: float) -> None:
        """Let time pass, ticking at every instant the machine asked for."""
        end = self.at + seconds
        while (due := self.machine.next_due()) is not None and due <= end:
            self.at = max(self.at, due)
            self.tell(inp.Tick(self.at))
        self.at = end

    def tell(self, what: inp.Input) -> list[Instruction]:
        before = len(self.running)
        instructions = self.machine.handle(what)
        for instruction in instructions:
            self._obey(instruction)
        limit = self.machine.ledger.max_parallel
        assert len(self.running) <= max(limit, before), "more run than max_parallel allows"
        self._take_events()
        assert self.machine.active == len(self.running), "a slot leaked"
        check_invariants(self.machine)
        self._compare()
        return instructions

    # -- what can be asked ------------------------------------------------------------------------------------------

    def state(self, name: str) -> TaskState:
        return self.machine.ledger.state[self.plan.index[name]]

    def states(self) -> dict[str, TaskState]:
        return dict(zip(self.plan.names, self.machine.ledger.state, strict=True))

    @property
    def run_state(self) -> RunState:
        return self.machine.ledger.run_state

    def running_names(self) -> set[str]:
        return {self.plan.names[index] for index in self.running}

    def reason(self, name: str) -> str:
        return self.machine.ledger.reason.get(self.plan.index[name], "")

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def types(self, name: str) -> list[str]:
        """The types of the events about one task, without their "task."."""
        return [e.type.removeprefix("task.") for e in self.events if isinstance(e, ev.TaskEvent) and e.task == name]

    # -- the books --------------------------------------------------------------------------------------------------

    def _obey(self, instruction: Instruction) -> None:
        if isinstance(instruction, Consult):
            if self.machine.asking.get(instruction.index) == instruction.token:  # else it was withdrawn at once
                assert self.machine.ledger.state[instruction.index] is TaskState.WAITING
                self.asked[instruction.index] = instruction.token
            return
        if isinstance(instruction, RunTeardown):
            self._tear_down(instruction.index)
            return
        if isinstance(instruction, SetUp):
            assert not self.setting_up, "it was told twice to set everything up"
            assert not self.winding_down, "it is set up while everything is closed"
            assert not self.running, "it is set up while something runs"
            self.setting_up = True
            return
        if isinstance(instruction, WindDown):
            assert not self.winding_down, "it was told twice to close everything"
            assert not self.running, "everything is closed while something runs"
            assert not self.tearing, "everything is closed while a teardown runs"
            self.winding_down = True
            return
        index, attempt = instruction.index, instruction.attempt
        if isinstance(instruction, RunProbe):
            key = (index, instruction.kind)
            assert self.running.get(index) == attempt, f"task {index} is asked how it is and does not run"
            assert self.probes.get(key) != attempt, (
                f"task {index} is asked twice at once whether it is {instruction.kind}"
            )
            self.probes[key] = attempt
            return
        if isinstance(instruction, StartAttempt):
            assert index not in self.running, f"task {index} started while it runs"
            assert index not in self.tearing, f"task {index} started while its teardown runs"
            assert not self.setting_up, f"task {index} started before the setup is over"
            assert not self.winding_down, f"task {index} started while everything is closed"
            self.asked.pop(index, None)
            self.running[index] = attempt
            self.started.append(self.plan.names[index])
            self.told.discard(index)
        elif isinstance(instruction, StopAttempt):
            assert self.running.get(index) == attempt, f"task {index} is told to stop and does not run"
            self.told.add(index)
        else:
            assert isinstance(instruction, AbandonAttempt)
            assert index in self.told, f"task {index} is abandoned without having been told to stop"
            assert self.running.pop(index) == attempt

    def _tear_down(self, index: int) -> None:
        assert index not in self.tearing, f"task {index} is torn down twice at once"
        states = self.machine.ledger.state
        below = reach(self.plan.downstream, [index])
        assert all(states[i] in FINAL for i in below), f"task {index} is torn down while it may be needed"
        assert not below & self.tearing, f"task {index} is torn down before what depends on it"
        self.tearing.add(index)

    def _take_events(self) -> None:
        fresh, self.machine.outbox = self.machine.outbox, []
        for event in fresh:
            assert event.at <= self.at
            self._check(event)
            self.books.take(event, self.plan, self.machine.ledger.policies)
            if isinstance(event, ev.GraphChanged):
                self.mirror.next_plan = self.machine.plan  # policies are in no event
            self.mirror.apply(event)
            if isinstance(event, ev.GraphChanged):
                for name, policy in self._given.items():
                    self.mirror.policies[self.plan.index[name]] = policy
        self.events += fresh

    def _check(self, event: ev.AnyEvent) -> None:
        mirror = self.mirror
        if isinstance(event, ev.TaskStarted):
            assert event.task not in self._open, f"{event.task} has two attempts at once"
            self._open.add(event.task)
            index = self.plan.index[event.task]
            assert event.attempt == mirror.attempt[index] + 1
            assert index not in mirror.held, f"{event.task} is held and starts"
            assert mirror.run_state is RunState.RUNNING, f"{event.task} starts in a run that is {mirror.run_state}"
            assert index not in mirror.desired.down, f"{event.task} is to be down and starts"
            assert index not in mirror.desired.gone, f"{event.task} was removed and starts"
            policies = self.machine.ledger.policies
            states = seen_from_below(mirror.state, self.books.serving, self.plan)
            assert may_start(self.plan, policies[index], index, states), f"{event.task} starts against its trigger rule"
        elif isinstance(event, (*_ENDINGS, ev.TaskSkipped)) and self.plan.index[event.task] in self.plan.nodes:
            self._check_node(event)
        elif (isinstance(event, ev.TaskSkipped) and event.reason.startswith("upstream ")) or _gave_up(event):
            assert event.task not in self._open, f"{event.task} runs and is skipped"
            assert never_may_start(
                self.plan,
                self.machine.ledger.policies[self.plan.index[event.task]],
                self.plan.index[event.task],
                seen_from_below(mirror.state, self.books.serving, self.plan),
            ), f"{event.task} is given up early"
        elif isinstance(event, (*_ENDINGS, ev.TaskSkipped)):
            self._open.discard(event.task)
        elif isinstance(event, ev.RunFinished):
            assert mirror.run_state not in RUN_OVER, "the run finished twice"
            assert not self._open
            no_tasks = {*mirror.plan.nodes, *mirror.desired.gone}
            assert event.counts == Counter(it.value for at, it in enumerate(mirror.state) if at not in no_tasks)
            assert all(state in FINAL for state in mirror.state)
        elif isinstance(event, ev.RunReopened):
            assert mirror.run_state in RUN_OVER

    def _check_node(self, event: ev.TaskEvent) -> None:
        if isinstance(event, (ev.TaskRestarted, ev.TaskCancelled)) or getattr(event, "note", ""):
            return  # started over, at the end of the run, or by a person's word
        states = seen_from_below(self.mirror.state, self.books.serving, self.plan)
        inside = [states[i] for i in self.plan.upstream[self.plan.index[event.task]]]
        assert all(state in FINAL for state in inside), f"{event.task} ends before what is in it"

    def _compare(self) -> None:
        """The fold of the events is the live state (B40)."""
        live, replayed = self.machine.ledger, self.mirror
        for field in COMPARED:
            assert getattr(live, field) == getattr(replayed, field), f"replay differs in {field}"
        for field in Desired.__slots__:
            assert getattr(live.desired, field) == getattr(replayed.desired, field), f"replay differs in {field}"
        serving = {self.plan.index[name] for name in self.books.serving}
        assert {i for i in live.desired.serving if live.state[i] not in FINAL} == serving, "who serves is not known"
        assert self.machine.joins.early == serving, "who serves is not known to what depends on it"
        assert self._open == {self.plan.names[i] for i, state in enumerate(live.state) if state in ACTIVE}


COMPARED = (
    "state counts attempt ready_at attempt_started ended_at policies reason failure history progress due_at cancelling_at "
    "first_attempt held stale max_parallel run_state run_reason run started_at window gates torn_down escalations "
    "breakers forced breaker_settings acknowledged pool_limits why_run"
).split()


def seen_from_below(states: Sequence[TaskState], serving: Collection[str], plan: Plan) -> list[TaskState]:
    """The states as those that depend on them see them: what serves, or has succeeded once, counts as succeeded."""
    return [
        TaskState.SUCCEEDED if plan.names[i] in serving and state not in FINAL else state
        for i, state in enumerate(states)
    ]


def may_start(plan: Plan, policy: TaskPolicy, index: int, states: Sequence[TaskState]) -> bool:
    """Whether the trigger rule lets a task start; written from the rules' words, not from the machine's counters."""
    upstream = [states[i] for i in plan.upstream[index]]
    done = all(state in FINAL for state in upstream)
    good = [state for state in upstream if state in GOOD]
    if not upstream:
        return True
    if policy.on_upstream_failure is OnUpstreamFailure.RUN and done:
        return True
    match Trigger(policy.trigger):
        case Trigger.ALL_SUCCESS:
            return len(good) == len(upstream)
        case Trigger.ANY_SUCCESS:
            return bool(good)
        case Trigger.ALL_DONE:
            return done
        case Trigger.NONE_FAILED:
            return done and all(state in GOOD or state is TaskState.SKIPPED for state in upstream)


def never_may_start(plan: Plan, policy: TaskPolicy, index: int, states: Sequence[TaskState]) -> bool:
    """Whether the trigger rule is lost, whatever else ends; from the words again."""
    upstream = [states[i] for i in plan.upstream[index]]
    ended = [state for state in upstream if state in FINAL]
    lost = [state for state in ended if state not in GOOD]
    if policy.on_upstream_failure is OnUpstreamFailure.RUN:
        return False
    match Trigger(policy.trigger):
        case Trigger.ALL_SUCCESS:
            return bool(lost)
        case Trigger.ANY_SUCCESS:
            return len(lost) == len(upstream)
        case Trigger.ALL_DONE:
            return False
        case Trigger.NONE_FAILED:
            return any(state is not TaskState.SKIPPED for state in lost)


def _gave_up(event: ev.AnyEvent) -> bool:
    return isinstance(event, ev.TaskFailed) and event.failure.error == "UpstreamFailedError"
