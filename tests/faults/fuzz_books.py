"""What must be true of the events of any run, at each of them: written from the words of the promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagtop.core import events as ev
from dagtop.core.changes import changed_policy
from dagtop.core.growth import grown
from dagtop.core.inputs import NewTask
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy
from dagtop.core.states import ACTIVE, FINAL, RUN_OVER, RunState
from machine_books import Books
from machine_driver import COMPARED, may_start

_ENDINGS = (ev.TaskSucceeded, ev.TaskFailed, ev.TaskTimedOut, ev.TaskCancelled, ev.TaskSkipped, ev.TaskCached)


def check_events(events: Sequence[ev.AnyEvent], plan: Plan, last: Plan, policy: RunPolicy) -> None:
    """Go through the events of one run, whose graph was `plan` and has become `last`.

    Raises
    ------
    AssertionError: a promise is broken.
    """
    mirror = Ledger(plan)
    books = Books(policy)
    policies = list(plan.policies)
    ended: Counter[str] = Counter()
    at = 0.0
    for event in events:
        assert event.at >= at, "time goes back"
        at = event.at
        if isinstance(event, ev.GraphChanged):
            added = [NewTask(t.name, t.upstream, last.policies[last.index[t.name]]) for t in event.added]
            mirror.next_plan = grown(mirror.plan, added, event.rewired)
            policies += [task.policy for task in added]
        elif isinstance(event, ev.PolicyChanged):
            index = mirror.plan.index[event.task]
            policies[index] = changed_policy(policies[index], event.changes)
        elif isinstance(event, ev.TaskStarted):
            _check_start(event, mirror, policies)
        elif isinstance(event, ev.TaskRestarted):
            ended[event.task] = 0
        elif isinstance(event, ev.RunReopened):
            assert mirror.run_state in RUN_OVER
        elif isinstance(event, ev.RunFinished):
            assert mirror.run_state not in RUN_OVER, "the run finished twice"
            assert all(state in FINAL for state in mirror.state)
            no_tasks = {*mirror.plan.nodes, *mirror.desired.gone}
            assert event.counts == Counter(it.value for at, it in enumerate(mirror.state) if at not in no_tasks)
        elif isinstance(event, _ENDINGS):
            ended[event.task] += 1
            assert ended[event.task] == 1, f"{event.task} ends twice in one life"
        mirror.apply(event)
        books.take(event, mirror.plan, policies)
    assert mirror.run_state in RUN_OVER
    assert set(mirror.plan.names) == {name for name, times in ended.items() if times == 1}
    assert not any(books.in_use.values()), "something of a pool or a resource is never given back"
    for event in events:
        if isinstance(event, ev.TaskEscalated):
            assert event.report.task == event.task


def _check_start(event: ev.TaskStarted, mirror: Ledger, policies: Sequence[object]) -> None:
    index = mirror.plan.index[event.task]
    assert mirror.run_state is RunState.RUNNING, f"{event.task} starts in a run that is {mirror.run_state}"
    assert index not in mirror.held, f"{event.task} is held and starts"
    assert index not in mirror.gates, f"{event.task} stands at its gate and starts"
    assert event.attempt == mirror.attempt[index] + 1
    active = sum(mirror.counts[state] for state in ACTIVE)
    assert active < min(mirror.window, mirror.max_parallel), f"{event.task} starts above max_parallel"
    assert may_start(mirror.plan, policies[index], index, mirror.state), f"{event.task} starts against its trigger rule"  # type: ignore[arg-type]  # they are


def check_replay(events: Sequence[ev.AnyEvent], plan: Plan, live: Ledger, *, policies: bool) -> None:
    """The fold of the events, from the graph as it was declared, is the live state (B40).

    Raises
    ------
    AssertionError: it is not.
    """
    replayed = Ledger(plan)
    for event in events:
        replayed.apply(event)
    for name in (*COMPARED, "finished_at"):
        if name == "policies":
            if policies:
                assert live.policies[: len(plan)] == replayed.policies[: len(plan)], "replay differs in policies"
        else:
            assert getattr(live, name) == getattr(replayed, name), f"replay differs in {name}"
    assert list(live.plan.names) == list(replayed.plan.names)
    assert [sorted(above) for above in live.plan.upstream] == [sorted(above) for above in replayed.plan.upstream]
