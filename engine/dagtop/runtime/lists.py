"""The lists of tasks that gather: what their elements are, made once from whatever a task returned or the file gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

from dagtop.core.machine import RunMachine
from dagtop.core.states import GOOD
from dagtop.errors import GraphError, Skip
from dagtop.graph.binding import Item
from dagtop.graph.mapping import Mapped, element
from dagtop.runtime.calls import Calls
from dagtop.runtime.job import Job

#: Calls code of the user's in a thread: (what it returned, what it raised).
CallUser: TypeAlias = Callable[[Callable[[], Any]], Awaitable[tuple[Any, BaseException | None]]]

#: What is made a list where it stands; of anything else the user's code gives the elements one by one.
_BUILT_IN = frozenset({list, tuple, range, set, frozenset, dict})

#: So many elements a list may have; one that never ends must not fill the memory.
MOST = 1_000_000


class Lists:
    """Those of one run, by the task that gathers."""

    def __init__(self, job: Job, machine: RunMachine, calls: Calls) -> None:
        self._job, self._machine, self._calls = job, machine, calls
        self._kept: dict[int, tuple[Any, list[Any]]] = {}
        """What a list was made of, and the list."""

    async def read(self, index: int, call: CallUser) -> BaseException | None:
        """Make the list of a gathering task, unless it is there; what is wrong with it."""
        source = self._source(self._mapped(index))
        kept = self._kept.get(index)
        if kept is not None and kept[0] is source:
            return None
        if type(source) in _BUILT_IN:
            try:
                made = _made(source)
            except Exception as raised:  # noqa: BLE001 - somebody changes it at this moment, or it is too long
                return raised
        else:
            made, error = await call(partial(_made, source))
            if error is not None:
                return error
        self._kept[index] = source, made
        return None

    def names(self, index: int) -> list[str]:
        """What the tasks of the elements are called."""
        _, elements = self._kept[index]
        name = self._machine.plan.names[index]
        return [element(name, place) for place in range(len(elements))]

    def item(self, item: Item) -> Any:
        """An element of a list.

        Raises
        ------
        Skip: the list has become shorter.
        """
        source = self._source(self._mapped(item.owner))
        kept = self._kept.get(item.owner)
        if kept is None or kept[0] is not source:  # the task that returns the list ran again
            kept = self._kept[item.owner] = source, _made(source)
        if item.place >= len(kept[1]):
            there = len(kept[1])
            raise Skip(f"the list has only {there} element{'' if there == 1 else 's'} now")
        return kept[1][item.place]

    def task_of(self, mapped: Mapped) -> int | None:
        """The task that returns the list; None if that is given."""
        if mapped.over is None:
            return None
        name = mapped.over if isinstance(mapped.over, str) else self._job.checked.by_function[id(mapped.over)]
        return self._machine.plan.index[name]

    def _mapped(self, index: int) -> Mapped:
        return self._job.checked.around.maps[index]

    def _source(self, mapped: Mapped) -> Any:
        index = self.task_of(mapped)
        if index is None:
            return mapped.items
        return self._calls.outputs[index] if self._machine.ledger.state[index] in GOOD else ()


def _made(source: Any) -> list[Any]:
    """The elements of a list, or the pairs of a mapping.

    Raises
    ------
    GraphError: there are too many of them.
    """
    made = list(islice(source.items() if isinstance(source, Mapping) else source, MOST + 1))
    if len(made) > MOST:
        raise GraphError(f"the list has more than {MOST:,} elements, and each of them would be a task")
    return made
