"""The scheduler: a pure state machine. Inputs go in at one door, instructions come out, events are left in the outbox.

It decides; the `Ledger` it owns is what changes. Time is `input.at`, chance comes with the input. Anybody who carries
the instructions out and answers each `StartAttempt` with one outcome has the engine; nothing here knows threads or loops.

The shape, events in and instructions out through one door, is that of dask/distributed's worker state machine
(`docs/source/worker-state.rst`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

from dagtop.core import background, taking
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.adaptive import Window
from dagtop.core.admission import Admission, attempt_over
from dagtop.core.asking import ask
from dagtop.core.beginning import begin
from dagtop.core.breakers import Breakers, LocalBreakers
from dagtop.core.cleanup import Cleanup
from dagtop.core.deadlines import Deadlines, Due
from dagtop.core.ending import give_up, wind_down
from dagtop.core.escalating import escalate
from dagtop.core.escalation import Evidence
from dagtop.core.gates import stand_at_gate
from dagtop.core.instructions import Instruction, RunTeardown, StartAttempt, StopReason
from dagtop.core.joins import Joins, Verdict
from dagtop.core.ledger import Ledger
from dagtop.core.levels import conclude, stop_nodes
from dagtop.core.limits import Limits
from dagtop.core.looking_ahead import look_ahead, recount_services
from dagtop.core.outcomes import raised, returned, skipped, stopped
from dagtop.core.passing_on import tell_downstream
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy
from dagtop.core.probing import attempt_begun, probed, said_ready
from dagtop.core.ready import ReadyQueue, ranking
from dagtop.core.restart import ProbeKind
from dagtop.core.setting_up import set_up_ended
from dagtop.core.states import BAD, RUN_OVER, TaskState
from dagtop.core.stopping import attempt_began, stop_run, stopped_attempt_ended
from dagtop.core.supervising import no_longer_ready
from dagtop.core.ticking import tick
from dagtop.core.wording import ending_word


class RunMachine:
    """One run of one plan.

    Parameters
    ----------
    plan: the checked graph.
    policy: what decides how the run goes.
    ledger: a ledger with what an earlier process had finished, for a run that is resumed.
    breakers: the circuit breakers that tasks name; its own, made with the defaults, unless given.
    evidence: what is known of a task beyond the run's own facts, asked for when it has failed for good.
    """

    __slots__ = (  # more than thirty attributes would be looked up slowly
        "_instructions",
        "_questions",
        "active",
        "admission",
        "approved",
        "asking",
        "backgrounds",
        "breakers",
        "chance",
        "cleanup",
        "deadlines",
        "endings",
        "evidence",
        "expects_more",
        "fresh",
        "guarded",
        "has_detours",
        "has_gates",
        "joins",
        "keeps_count",
        "ledger",
        "may_say",
        "may_time_out",
        "may_wait_longer",
        "outbox",
        "plan",
        "policy",
        "queue",
        "setting_up",
        "starts_allowed",
        "stop_reasons",
        "stopping",
        "streaks",
        "supervised",
        "told_of_ends",
        "unfinished",
        "usual",
        "veil",
        "winding_down",
        "window",
        "wished_delay",
    )

    veil: Callable[[ev.AnyEvent], ev.AnyEvent] | None
    """Takes secrets out of what happened before anybody is told; set before the run begins."""

    # What `look_ahead` finds:
    may_time_out: bool
    """Whether any deadline of an attempt can exist."""
    guarded: bool
    """Whether some task needs more than a slot."""
    told_of_ends: bool
    """Whether somebody counts the attempts that have ended."""
    has_gates: bool
    cleanup: Cleanup | None
    may_wait_longer: bool
    """Whether some task may have to wait although its upstream lets it start."""
    supervised: bool
    """Whether some task is started again, or has a probe."""
    backgrounds: int
    """How many tasks may be services beside others, which nobody needs when those have ended."""
    has_detours: bool
    """Whether any of these is there, but for deadlines and services."""

    def __init__(
        self,
        plan: Plan,
        policy: RunPolicy,
        ledger: Ledger | None = None,
        *,
        breakers: Breakers | None = None,
        evidence: Callable[[int], Evidence] | None = None,
    ) -> None:
        self.plan = plan
        self.policy = policy
        self.ledger = ledger if ledger is not None else Ledger(plan, policy.max_parallel)
        self.joins = Joins(plan)
        self.queue = ReadyQueue(*ranking(plan))
        self.usual: Mapping[int, float] = {}
        """By task: seconds that it usually takes, from earlier runs. Whoever sets it calls `rerank`."""
        self.outbox: list[ev.AnyEvent] = []
        """Events that nobody has taken yet; whoever takes them puts a new list in its place."""
        self.active = 0
        """Attempts in progress: slots in use."""
        self.unfinished = len(plan)
        """Tasks that are not in a final state."""
        self.stopping: StopReason | None = None
        """Set when the whole run is told to stop, and why."""
        self.starts_allowed = False
        """False before the run begins, while it is paused, and once it stops."""
        self.stop_reasons: dict[int, StopReason] = {}
        """By task: why its attempt was told to stop."""
        self.chance: dict[int, float] = {}
        """By task in BACKOFF: the chance its delay was made with, to make it again when the policy changes."""
        self.wished_delay: dict[int, float] = {}
        """By task in BACKOFF: the delay that it asked for itself, in seconds."""
        self.deadlines = Deadlines()
        self.asking: dict[int, int] = {}
        """By task about which the runtime is asked: the token of the question."""
        self.fresh: set[int] = set()
        """Tasks that a person restarted: they run, whatever their cache holds."""
        self.approved: set[int] = set()
        """Tasks that have passed their gate."""
        self.streaks: dict[tuple[int, ProbeKind], int] = {}
        """By task and probe: answers in a row that count. One that is not there is not asked."""
        self.keeps_count: set[int] = set()
        """Tasks that start over although nobody forgives them their restarts."""
        self.window = Window(policy.min_parallel, policy.max_parallel) if policy.adaptive else None
        self.breakers: Breakers = breakers if breakers is not None else LocalBreakers(policy.breakers)
        self.admission = Admission(self, Limits(policy.pools, policy.resources), self.breakers)
        self.expects_more = False
        """Whether something is to start over by itself, at a time that only others know."""
        self.setting_up = False
        """Whether the graph's setup runs: nothing starts before it is over."""
        self.winding_down = False
        """Whether the runtime was told to close what there is to close."""
        self.evidence = evidence
        self.may_say: Callable[[int], bool] | None = None
        """Whether a task's function has a way to say that it is ready; None if nobody knows."""
        self.veil, self._questions = None, 0
        self._instructions: list[Instruction] = []
        self.endings: deque[int] = deque()
        look_ahead(self)

    # -- the door ---------------------------------------------------------------------------------------------------

    def handle(self, event: inp.Input) -> list[Instruction]:
        """Take one input; what must be done now comes back, in order."""
        instructions: list[Instruction] = []
        self._instructions = instructions
        _HANDLERS[type(event)](self, event)
        return instructions

    def note(self, event: ev.AnyEvent) -> None:
        """Take a fact that asks for no decision (progress, a log line, a problem)."""
        if self.veil is not None:
            event = self.veil(event)
        self.ledger.apply(event)
        self.outbox.append(event)

    def next_due(self) -> float | None:
        """When `Tick` wants to be handled next, if ever."""
        return self.deadlines.next()

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more by itself."""
        return self.ledger.run_state in RUN_OVER

    # -- inputs -----------------------------------------------------------------------------------------------------

    def _attempt_succeeded(self, event: inp.AttemptSucceeded) -> None:
        index = event.index
        ledger = self.ledger
        if ledger.attempt[index] != event.attempt:
            return
        if ledger.state[index] is not TaskState.RUNNING:
            if ledger.state[index] is TaskState.CANCELLING:
                stopped_attempt_ended(self, index, event.at, None, 0.0)
            return
        if self.supervised and (ledger.policies[index].restart.is_on or index in self.joins.early):
            returned(self, event)
            return
        at = event.at
        done = ev.TaskSucceeded(at, self.plan.names[index], event.attempt)
        ledger.succeeded(index, done)
        self.outbox.append(done)
        self.active -= 1
        self.unfinished -= 1
        detours = self.has_detours
        if detours and self.told_of_ends:
            attempt_over(self, index, at, True, "")
        fed = self.plan.downstream[index]
        if fed:
            joins = self.joins
            if joins.rule:
                tell_downstream(self, index, at)
            else:
                pending, state = joins.pending, ledger.state
                straight = not detours and not ledger.held
                for below in fed:
                    pending[below] = left = pending[below] - 1
                    if not left and state[below] is TaskState.WAITING:
                        if straight:  # as in `become_ready`: a call would cost as much again
                            ready = ev.TaskReady(at, self.plan.names[below])
                            ledger.ready(below, ready)
                            self.outbox.append(ready)
                            heappush(self.queue.heap, self.queue.rank[below])
                        else:
                            self.become_ready(below, at)
        if detours and self.cleanup is not None:
            self.tear_down(self.cleanup.ended(index), at)
        self.fill(at)

    # -- steps that inputs and commands share -----------------------------------------------------------------------

    def emit(self, event: ev.AnyEvent) -> None:
        """Let the ledger take the event, and leave it in the outbox."""
        if self.veil is not None:
            event = self.veil(event)
        self.ledger.apply(event)
        self.outbox.append(event)

    def instruct(self, instruction: Instruction) -> None:
        """Add to what must be done now."""
        self._instructions.append(instruction)

    def become_ready(self, index: int, at: float, *, asked: bool = False) -> None:
        """Let a task whose time has come queue for a slot, or stop it: for a question, by a person's hold, at its gate."""
        ledger = self.ledger
        if self.may_wait_longer and not asked and self._waits_longer(index, at):
            return
        ready = ev.TaskReady(at, self.plan.names[index])
        ledger.ready(index, ready)
        self.outbox.append(ready)
        if ledger.held and index in ledger.held:
            self.emit(ev.TaskHeld(at, self.plan.names[index], ledger.held[index]))
        elif self.has_gates and stand_at_gate(self, index, at):
            return
        elif self.guarded:
            self.enqueue(index)
        else:
            queue = self.queue
            heappush(queue.heap, queue.rank[index])

    def _waits_longer(self, index: int, at: float) -> bool:
        if index in self.plan.nodes:
            return conclude(self, index, at)
        if self.ledger.state[index] is not TaskState.WAITING:
            return False
        if self.cleanup is not None and index in self.cleanup.running:
            return True  # it starts over when its teardown is over
        if index in self.plan.asks:
            ask(self, index, at)
            return True
        return False

    def enqueue(self, index: int) -> None:
        """Put a READY task into the queue, or into the line of those that need what it needs."""
        line = self.admission.line_of.get(index)
        if line is not None:
            self.admission.enqueue(index, line)
        else:
            heappush(self.queue.heap, self.queue.rank[index])

    def fill(self, at: float) -> None:
        """Start what is ready as long as there are slots, and end the run if nothing is left to do."""
        heap = self.queue.heap
        if heap and self.starts_allowed:
            by_rank, outbox = self.queue.by_rank, self.outbox
            ledger, names, guarded = self.ledger, self.plan.names, self.guarded
            limit, state, attempts = ledger.window, ledger.state, ledger.attempt
            while heap and self.active < limit:
                index = by_rank[heappop(heap)]
                if guarded and (line := self.admission.line_of.get(index)) is not None:
                    index = self.admission.next_of(line, at)
                    if index < 0:
                        continue
                elif state[index] is not TaskState.READY:
                    continue
                attempt = attempts[index] + 1
                begun = ev.TaskStarted(at, names[index], attempt)
                ledger.started(index, begun)
                outbox.append(begun)
                self.active += 1
                if self.may_time_out:
                    timeout = ledger.policies[index].timeout
                    if timeout is not None:
                        self.deadlines.push(at + timeout, Due.ATTEMPT, index, attempt)
                if self.supervised:
                    attempt_begun(self, index, at, attempt)
                self._instructions.append(StartAttempt(index, attempt))
        if self.backgrounds and 0 < self.unfinished <= self.backgrounds + len(self.plan.nodes):
            background.let_go(self, at)
        if not self.unfinished and not self.active and not self.is_over:
            wind_down(self, at)

    def ended(self, index: int, at: float) -> None:
        """A task came to a final state other than by an ordinary success: tell everything downstream, however far."""
        self.unfinished -= 1
        self.stop_reasons.pop(index, None)
        self.asking.pop(index, None)
        if self.ledger.state[index] in BAD and index not in self.plan.nodes:
            escalate(self, index, at)
            if self.ledger.policies[index].extra:
                stop_nodes(self, index, at)
        tell_downstream(self, index, at)
        if self.policy.fail_fast and self.stopping is None and self.ledger.state[index] in BAD:
            why = f"fail_fast: {self.plan.names[index]} {ending_word(self.ledger.state[index])}"
            stop_run(self, at, StopReason.FAIL_FAST, why, cancel=False)
            recount_services(self)
        if self.cleanup is not None:
            self.tear_down(self.cleanup.ended(index), at)

    def put_back(self, index: int, at: float, reason: str, *, keeps_count: bool = False) -> None:
        """Let a task start over: it waits for its upstream as in the beginning, and is asked about again."""
        self.asking.pop(index, None)
        self.approved.discard(index)
        if self.supervised:
            keeps_count = keeps_count or index in self.keeps_count
            self.keeps_count.discard(index)
        self.emit(ev.TaskRestarted(at, self.plan.names[index], reason, keeps_count))
        if self.supervised:
            no_longer_ready(self, index, at)
        if self.cleanup is not None:
            self.cleanup.started_over(index)

    def new_question(self, index: int) -> int:
        """A token for a question about a task; answers to older ones do not count any more."""
        self._questions += 1
        self.asking[index] = self._questions
        return self._questions

    def evaluate(self, index: int, at: float) -> None:
        """Ask the trigger rule of a WAITING task, and do what it says."""
        match self.joins.verdict(index):
            case Verdict.WAIT:
                self.asking.pop(index, None)
            case Verdict.START:
                if index not in self.asking:
                    self.become_ready(index, at)
            case Verdict.NEVER:
                self.give_up(index, at)

    def give_up(self, index: int, at: float) -> None:
        """End a task whose trigger rule can no longer be met."""
        give_up(self, index, at)

    def tear_down(self, due: list[int], at: float) -> None:
        """Have the teardowns of these tasks run."""
        for index in due:
            self.emit(ev.TaskTearingDown(at, self.plan.names[index]))
            self._instructions.append(RunTeardown(index))


_HANDLERS: dict[type, Callable[[RunMachine, Any], None]] = {
    inp.AttemptSucceeded: RunMachine._attempt_succeeded,
    inp.AttemptRaised: raised,
    inp.AttemptStopped: stopped,
    inp.AttemptBegan: attempt_began,
    inp.AttemptSkipped: skipped,
    inp.SaidReady: said_ready,
    inp.Probed: probed,
    inp.Consulted: taking.consulted,
    inp.TeardownEnded: taking.teardown_ended,
    inp.SetUpEnded: set_up_ended,
    inp.WoundDown: taking.wound_down,
    inp.BreakerMoved: taking.breaker_moved,
    inp.GraphGiven: taking.graph_given,
    inp.Expecting: taking.expecting,
    inp.Tick: tick,
    inp.CommandGiven: taking.command_given,
    inp.Begin: begin,
}
