"""A graph file and options, made ready to be run: loaded, checked, and what it says of how."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagtop import ExecutorConfig, Graph
from dagtop.core.plan import Plan
from dagtop.core.values import dataclass
from dagtop.errors import Flaw, GraphError
from dagtop.graph.binding import FromInput
from dagtop.graph.listening import Listener
from dagtop.graph.runnable import Runnable
from dagtop.loaders.problems import nearest
from dagtop.loaders.python import Loaded, load

from dagtop_app.commandline.options import GraphOptions, stored
from dagtop_app.launching.runtime_kinds import DAG_EXECUTOR, META_DAG, RECONCILER, as_executor, as_reconciler

if TYPE_CHECKING:
    from dagtop import DAGExecutor, Reconciler
    from dagtop.ports.journal import Journal
    from dagtop.ports.recorder import Recorder

#: What a graph file may define, the first one first.
KINDS = (META_DAG, RECONCILER, DAG_EXECUTOR, Graph)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A graph that was loaded and checked, and how it is to be run."""

    graph: Runnable
    config: ExecutorConfig
    source: str
    recorders: tuple[Recorder, ...] = ()
    """Those of the file's own executor."""
    journal: Journal | str | Path | None = None
    """That of the file's own executor."""
    plugins: Sequence[Any] = ()
    """Those of the file's own executor, its hooks among them."""
    listeners: Sequence[Listener] = ()
    """Those that the file's own executor got by `@executor.on_event` and the like."""
    reconciler: Reconciler | None = None
    """What keeps it up, if it is a desired state and not a run that comes to an end."""
    again: Callable[[], Prepared] | None = None
    """Loads and checks it again while a run of it goes on."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Command line options that a resumed run needs again, and the working directory as "folder"."""

    def seen(self) -> Plan:
        """The graph as people see it: without secrets in the names of its tasks, and in what is said of them."""
        from dagtop.runtime.hiding import plan_as_seen  # noqa: PLC0415 - the console asks for it when there is a run

        return plan_as_seen(self.graph.checked(self.config), self.config.inputs)


def prepare(
    where: str,
    options: GraphOptions,
    parameters: Mapping[str, Any],
    *,
    stored_parameters: Mapping[str, Any] | None = None,
    beside_a_run: bool = False,
) -> Prepared:
    """Load the file, lay the options over what it says, and check the graph.

    Parameters
    ----------
    parameters: those that were given now; each must be taken by something.
    stored_parameters: those of the run that is resumed; the ones given now win.
    beside_a_run: a run of an earlier version of it goes on.

    Raises
    ------
    LoadError: the file cannot be loaded.
    GraphError: the graph cannot be run; all that is wrong is listed.
    """
    everything = {**(stored_parameters or {}), **parameters}
    folder = _working_directory()  # before the file, which may go elsewhere
    loaded = load(where, everything, kinds=KINDS, beside_a_run=beside_a_run)
    target = loaded.target
    supervisor = as_reconciler(target)
    given: Any = target
    own = as_executor(supervisor.own_executor if supervisor is not None else given)
    graph: Runnable = given if own is None else own.graph
    base = graph.config if own is None else own.config
    config = ExecutorConfig(
        max_parallel=options.max_parallel,
        fail_fast=options.fail_fast or None,
        run_timeout=options.timeout,
        inputs=everything,
        cache=False if options.no_cache else None,
    ).over(base)
    graph.validate(config)
    _check_that_all_are_taken(parameters, loaded, graph, config)
    return Prepared(
        graph=graph,
        config=config,
        source=loaded.source,
        recorders=tuple(own.recorders) if own is not None else (),
        journal=own.journal if own is not None else None,
        plugins=_plugins_of(own) if own is not None else (),
        listeners=_listeners_of(own) if own is not None else (),
        reconciler=supervisor,
        again=partial(
            prepare, loaded.source, options, parameters, stored_parameters=stored_parameters, beside_a_run=True
        ),
        options=stored(
            {
                "max_parallel": options.max_parallel,
                "fail_fast": options.fail_fast or None,
                "timeout": options.timeout,
                "folder": folder,
            }
        ),
    )


def _plugins_of(executor: DAGExecutor) -> list[Any]:
    wanted = executor.plugins or ()
    return [*([wanted] if isinstance(wanted, str) else wanted), *executor.hooks.plugins]


def _listeners_of(executor: DAGExecutor) -> list[Listener]:
    """Without those of its config, which the next executor has from there."""
    known = (executor.config.on_event, executor.config.on_escalation)
    return [one for one in executor.listeners.all if not any(one.call is call for call in known)]


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return None


def _check_that_all_are_taken(
    parameters: Mapping[str, Any], loaded: Loaded, graph: Runnable, config: ExecutorConfig
) -> None:
    """A parameter that nothing takes is a slip of the pen."""
    calls = graph.checked(config).calls
    takes = {source.name for call in calls for _, source in call.arguments if isinstance(source, FromInput)}
    takes |= loaded.taken | set(graph.config.inputs)
    strangers = [name for name in parameters if name not in takes]
    if strangers:
        known = f"; it takes {', '.join(sorted(takes))}" if takes else ""
        raise GraphError(
            [
                Flaw(f"no task and no build() takes the parameter {name!r}{nearest(name, takes)}{known}", loaded.path)
                for name in strangers
            ]
        )
