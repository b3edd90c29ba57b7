"""What can be run: a `Graph`, or a `MetaDAG` of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagtop.core.plan import Plan
from dagtop.graph.check import Checked
from dagtop.graph.hooks import Hooks
from dagtop.graph.listening import Listener, Listeners, Listening
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.written import with_options

if TYPE_CHECKING:
    from pathlib import Path

    from dagtop.graph.outlook import ExecutionPlan
    from dagtop.ports.plugin import Plugin
    from dagtop.runtime.result import RunResult


class Runnable(Listening):
    """Base of both: all that an executor asks of it."""

    name: str
    place: str
    """Where it was made, as "file.py:12"."""
    listeners: Listeners
    hooks: Hooks
    """`@graph.hooks.after_task` and so on: see `Hooks`."""

    @property
    def config(self) -> ExecutorConfig:
        """Its own options."""
        raise NotImplementedError

    @property
    def names(self) -> Sequence[str]:
        """The tasks' names in the order of declaration."""
        raise NotImplementedError

    def name_of(self, fn: Callable[..., Any]) -> str:
        """What the task is called that this function is.

        Raises
        ------
        GraphError: it is none of the graph's tasks.
        """
        raise NotImplementedError

    def checked(self, config: ExecutorConfig | None = None) -> Checked:
        """The plan together with how each task's function is called; for the engine."""
        raise NotImplementedError

    def every_listener(self) -> Iterator[Listener]:
        """Who is to hear of a run: its own listeners, and those of what is in it."""
        yield from self.listeners.all.copy()

    def every_plugin(self) -> Iterator[tuple[str, Plugin]]:
        """The plugins that its hooks are, and those of what is in it: (path of the node, or "", plugin)."""
        for plugin in self.hooks.plugins:
            yield "", plugin

    def validate(self, config: ExecutorConfig | None = None) -> Plan:
        """Check everything and return the graph as the engine sees it.

        Raises
        ------
        GraphError: lists all that is wrong, each with file and line where that is known.
        """
        return self.checked(config).plan

    def fingerprints(self, config: ExecutorConfig | None = None) -> tuple[str, ...]:
        """By task index a hash of what decides its result: its code, its options and its inputs."""
        from dagtop.graph.fingerprint import fingerprints  # noqa: PLC0415 - not to begin with

        merged = (config or ExecutorConfig()).over(self.config)
        return fingerprints(self.checked(config), merged.inputs)

    def run(
        self, config: ExecutorConfig | None = None, *, journal: str | Path | None = None, **options: Any
    ) -> RunResult:
        """Run the graph to its end and return the result; failures of tasks are in it, not raised.

        Parameters
        ----------
        config: or its fields by name, as `options`.
        journal: path of a SQLite file that keeps the run; None keeps nothing.

        Raises
        ------
        GraphError: the graph cannot be run; nothing ran.
        """
        # The one arrow against the direction of imports: sugar for people, allowed by name in pyproject.toml.
        from dagtop.runtime.blocking import run_blocking  # noqa: PLC0415

        return run_blocking(self, with_options(config, options), journal=journal)

    def plan(
        self,
        config: ExecutorConfig | None = None,
        *,
        costs: Mapping[str, float] | None = None,
        journal: str | Path | None = None,
        **options: Any,
    ) -> ExecutionPlan:
        """How it will run, worked out on paper: steps, width, makespan and critical path. No task runs.

        Parameters
        ----------
        config: or its fields by name, as `options`; `max_parallel` decides the makespan.
        costs: what tasks are expected to take, by name, instead of their `cost` and of what is known from earlier runs.
        journal: path of the SQLite file that keeps earlier runs: then everything is in seconds.

        Raises
        ------
        GraphError: the graph cannot be run, or `costs` does not fit it.
        JournalError: there is no such file, or it cannot be read.
        """
        from dagtop.graph.outlook import execution_plan  # noqa: PLC0415 - not to begin with

        config = (with_options(config, options) or ExecutorConfig()).over(self.config)
        usual: Mapping[int, float] = {}
        if journal is not None:
            from dagtop.runtime.blocking import usual_seconds  # noqa: PLC0415 - as above

            usual = usual_seconds(self, config, journal)
        return execution_plan(self.validate(config), config.run_policy().max_parallel, usual, costs)
