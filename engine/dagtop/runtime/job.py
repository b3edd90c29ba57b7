"""Everything that one run needs to know before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from dagtop.core.commands import Command
from dagtop.core.forecast import Usual
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy
from dagtop.core.values import dataclass
from dagtop.graph.binding import Call
from dagtop.graph.check import Checked
from dagtop.graph.surroundings import Surroundings
from dagtop.ports.recorder import Recorder
from dagtop.runtime.hiding import Hiding


@dataclass(slots=True, kw_only=True)
class Job:
    """One run that is to be carried out. Only its own methods change it."""

    run_id: str
    checked: Checked
    policy: RunPolicy
    inputs: Mapping[str, Any]
    hiding: Hiding
    """What of it is secret."""
    recorders: Sequence[Recorder]
    started_at: float
    """Wall clock of the run's beginning, seconds since 1970 UTC."""
    elapsed: float = 0.0
    """Seconds since then that passed before this process took the run up."""
    first_event: int = 1
    ledger: Ledger | None = None
    """What an earlier process had finished, for a run that is resumed."""
    reruns: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that the earlier process had finished and that run again all the same."""
    skips: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that a person had skipped, which stay so."""
    stops: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that a person wants down."""
    orders: Sequence[Command] = ()
    """What a person had changed in an earlier process, to be given again."""
    approved: tuple[int, ...] = ()
    """Tasks that had begun behind their gate in an earlier process."""
    outputs: list[Any] = field(default_factory=list)
    """By task index; filled as tasks succeed."""
    dask: str = ""
    """Address of the Dask scheduler; "" starts a cluster of the run's own if a task wants one."""
    capture: bool = False
    """Whether what tasks print and log becomes events."""
    fingerprints: Callable[[], Sequence[str]] = tuple
    """Makes the fingerprints of the graph, by task index."""
    left: Mapping[str, Any] = field(default_factory=dict)
    """By name: outputs of tasks that came while an earlier process had the run."""
    usual: dict[int, Usual] = field(default_factory=dict)
    """By task: how long it usually takes, from earlier runs; filled before the run begins, if there is a journal."""

    def grow(self, plan: Plan, calls: Sequence[Call], around: Sequence[Surroundings]) -> None:
        """Tasks have come while the run goes on."""
        if not isinstance(self.checked.calls, list) or self.checked.specs is not None:
            self.checked = replace(self.checked, calls=list(self.checked.calls))
        own = self.checked.calls
        assert isinstance(own, list)
        own.extend(calls)
        for one in around:
            self.checked.around.add(one)
        self.checked = replace(self.checked, plan=plan)
        self.hiding.grow(plan, calls)

    def call_anew(self, index: int, call: Call) -> None:
        """A task is called otherwise from now on."""
        own = self.checked.calls
        assert isinstance(own, list), "it came while the run went on"
        own[index] = call

    def swap(self, checked: Checked, plan: Plan, calls: Mapping[str, Call], around: Surroundings) -> None:
        """The run goes on with another version of the graph. `plan`, `calls` and `around` have the numbers of the run."""
        old = self.checked
        if old.specs is None:
            own = list(old.calls) + [Call(_nothing, False)] * (len(plan) - len(old.calls))
            for name, call in calls.items():
                own[plan.index[name]] = call
        else:
            own = list(checked.calls)
        old.around.take_over({plan.index[name] for name in calls}, around)
        specs = None if old.specs is None else {**old.specs, **(checked.specs or {})}
        self.checked = replace(checked, plan=plan, calls=own, around=old.around, specs=specs)
        self.inputs = {**self.inputs, **checked.config.inputs}
        self.hiding.grow(plan, calls.values(), checked.config.inputs)

    @property
    def plan(self) -> Plan:
        """The graph."""
        return self.checked.plan


def _nothing() -> None:
    """In place of a function that is set at once."""
