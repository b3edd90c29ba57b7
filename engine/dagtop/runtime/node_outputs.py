"""What the nodes of a `MetaDAG` give to those after them: read from the outputs of their tasks whenever somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan
from dagtop.core.states import FINAL, GOOD
from dagtop.graph.binding import Call, Item
from dagtop.graph.scope import SETUP, Scope

if TYPE_CHECKING:
    from dagtop.runtime.calls import Calls


class NodeOutput(Mapping[str, Any]):
    """What the tasks in one node have returned by now, by name: of those that succeeded, serve, or are soon to serve again."""

    def __init__(self, calls: Calls, index: int) -> None:
        self._calls, self._index = calls, index
        self._kept: tuple[float | None, dict[str, Any]] | None = None
        """When the node ended, and what there was then: a thousand tasks after it may ask."""

    def made(self) -> dict[str, Any]:
        """All of it as a dict; the same one for all who ask, as with every output."""
        ledger = self._calls.ledger
        if ledger.state[self._index] not in GOOD:
            return self._make()
        ended = ledger.ended_at[self._index]
        if self._kept is None or self._kept[0] != ended:
            self._kept = ended, self._make()
        return self._kept[1]

    def _make(self) -> dict[str, Any]:
        calls, ledger = self._calls, self._calls.ledger
        plan = ledger.plan
        prefix = plan.names[self._index] + SLASH
        found: dict[str, Any] = {}
        for i in plan.upstream[self._index]:
            name = plan.names[i].removeprefix(prefix)
            if name == SETUP or not (ledger.state[i] in GOOD or may_serve_again(calls, i)):
                continue
            if i in plan.nodes:
                found[name] = calls.nodes.value(i)
            elif not _is_element(calls.call_of(i)):
                found[name] = calls.outputs[i]
        return found

    def __getitem__(self, name: str) -> Any:
        return self.made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.made())

    def __len__(self) -> int:
        return len(self.made())

    def __repr__(self) -> str:
        return repr(self.made())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.made(),)


def may_serve_again(calls: Calls, index: int) -> bool:
    """Whether a task serves, or has served and is down for a moment: what it last gave is the best that one knows."""
    ledger = calls.ledger
    if index in ledger.desired.serving:
        return True
    return ledger.state[index] not in FINAL and (index in ledger.desired.restarts or calls.outputs[index] is not None)


def plain(output: Any) -> Any:
    """An output as it is, or that of a node as a dict of its own."""
    return output.made() if type(output) is NodeOutput else output


def _is_element(call: Call) -> bool:
    return any(type(source) is Item for _, source in call.arguments)


class NodeOutputs:
    """Those of one run. Belongs to the loop's thread."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def grow(self, plan: Plan) -> None:
        """See to it that each node has one."""
        outputs = self._calls.outputs
        for index in plan.nodes:
            if outputs[index] is None:
                outputs[index] = self.output(index)

    def output(self, index: int) -> NodeOutput:
        """That of the node whose task has this number."""
        return NodeOutput(self._calls, index)

    def value(self, index: int) -> Any:
        """What those after a node get: a dict, or what a person put in its place; None if it has not succeeded."""
        if self._calls.ledger.state[index] not in GOOD and not self._is_down_for_a_moment(index):
            return None
        output = self._calls.outputs[index]
        return plain(output)

    def _is_down_for_a_moment(self, index: int) -> bool:
        """Whether a node has been there, and waits for a service in it: what has begun after it goes on meanwhile."""
        calls, ledger = self._calls, self._calls.ledger
        if ledger.state[index] in FINAL:
            return False
        for i in ledger.plan.upstream[index]:
            if i in ledger.plan.nodes:
                if self.value(i) is None:
                    return False
            elif ledger.state[i] not in GOOD and not may_serve_again(calls, i):
                return False
        return True

    def upstream(self, index: int, scope: Scope) -> dict[str, Any]:
        """The outputs of the tasks before one in a node, and of the nodes before that, by the names that the task uses."""
        calls, plan = self._calls, self._calls.ledger.plan
        is_whole = index in calls.maps
        found = {name: self.value(plan.index[path]) for name, path in scope.nodes.items()}
        for i in plan.upstream[index]:
            name = plan.names[i] if is_whole else scope.own(plan.names[i])
            if name is not None and name != SETUP:
                found[name] = calls.outputs[i]
        return found

    def by_spec(self, index: int, call: Call, scope: Scope) -> list[Any]:
        """The arguments of a function that takes a task's id and spec."""
        calls, plan = self._calls, self._calls.ledger.plan
        spec = call.spec
        if type(spec) is dict:
            given = {
                name: calls.outputs[i]
                for i in plan.upstream[index]
                if (name := scope.own(plan.names[i])) is not None and name != SETUP
            }
            nodes = {name: self.value(plan.index[path]) for name, path in scope.nodes.items()}
            spec = {**spec, "_dep_outputs": given, **({"_upstream_outputs": nodes} if nodes else {})}
        return [scope.own(plan.names[index]), spec]
