"""Further versions of a graph of `from_specs`: a desired state that is changed by what is named."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagtop.core.nearest import nearest
from dagtop.errors import Flaw, GraphError
from dagtop.graph.options import TASK_OPTIONS

if TYPE_CHECKING:
    from dagtop.graph.declare import Graph

#: What options are called where many tasks are given them at once.
_OTHER_WORDS = {"policies": "restart"}


def specified(
    graph: Graph,
    tasks: Mapping[str, Any] | None,
    add: Mapping[str, Any] | None,
    remove: Iterable[str],
    dependencies: Mapping[str, Iterable[str]] | None,
    options: Mapping[str, Any],
) -> Graph:
    """See `Graph.specified`."""
    columns = graph._columns
    if columns.specs is None:
        raise GraphError([Flaw("only a graph of Graph.from_specs has specs that can be changed", graph.place)])
    flaws: list[Flaw] = []
    gone = [remove] if isinstance(remove, str) else list(remove)
    specs = {**(columns.specs if tasks is None else tasks), **(add or {})}
    for name in gone:
        if specs.pop(name, flaws) is flaws:
            flaws.append(Flaw(f"remove names {name!r}, which is no task{nearest(str(name), specs)}", graph.place))
    needs = {name: needed for name, needed in (columns.dependencies or {}).items() if name in specs}
    kept = {
        name: [one for one in needed if one in specs] for name, needed in needs.items() if not isinstance(needed, str)
    }
    needs |= kept
    needs |= dependencies or {}
    own = dict(zip(columns.names, columns.options, strict=False))
    of_tasks = {name: dict(own.get(name, {})) for name in specs}
    for option, value in options.items():
        _give(of_tasks, _OTHER_WORDS.get(option, option), option, value, flaws, graph.place)
    if flaws:
        raise GraphError(flaws)
    other = type(graph)(graph.name)
    other.config = graph.config
    other.place = graph.place
    other.listeners, other.hooks = graph.listeners, graph.hooks
    own_columns = other._columns
    own_columns.names = list(specs)
    own_columns.specs = {name: copied(spec) for name, spec in specs.items()}
    own_columns.dependencies = needs
    own_columns.fns = columns.fns
    own_columns.around = columns.around
    if any(of_tasks.values()):
        own_columns.options = [of_tasks[name] for name in specs]
    return other


def _give(
    of_tasks: dict[str, dict[str, Any]], option: str, said: str, value: Any, flaws: list[Flaw], place: str
) -> None:
    if option not in TASK_OPTIONS:
        flaws.append(Flaw(f"there is no option {said!r}{nearest(said, [*_OTHER_WORDS, *TASK_OPTIONS])}", place))
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if name in of_tasks:
                of_tasks[name][option] = one
            else:
                flaws.append(Flaw(f"{said} names {name!r}, which is no task{nearest(str(name), of_tasks)}", place))
    else:
        for given in of_tasks.values():
            given[option] = value


def copied(value: Any) -> Any:
    """A copy that later changes of the original do not reach; what cannot be copied is taken as it is."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - the user's object decides what it allows
        return value
