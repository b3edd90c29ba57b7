"""`Graph`: tasks and what they depend on, as the user writes them down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dagtop.core.checks import is_count
from dagtop.errors import Flaw, GraphError, OptionError
from dagtop.graph.check import Checked, check
from dagtop.graph.hooks import Hooks
from dagtop.graph.listening import Listeners
from dagtop.graph.mapping import gathering
from dagtop.graph.options import GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, ExecutorConfig, unknown_options
from dagtop.graph.runnable import Runnable
from dagtop.graph.surroundings import Declared, place_of
from dagtop.graph.whereabouts import located
from dagtop.graph.written import Columns, caller, check_config, config_of

if TYPE_CHECKING:
    from dagtop.graph.replicas import Replicated

F = TypeVar("F", bound=Callable[..., Any])


class Graph(Runnable):
    """Tasks and who depends on whom.

    Parameters
    ----------
    name: what the graph is called on screen and in the history.
    setup: called before the first task, see `Graph.setup`.
    teardown: called after everything, see `Graph.teardown`.
    options: those of `ExecutorConfig`; one that does not exist is an error.

    Raises
    ------
    GraphError: an option does not exist or does not take its value.

    Example
    -------
    >>> graph = Graph("sums")
    >>> @graph.task
    ... def two():
    ...     return 2
    >>> @graph.task
    ... def four(two):
    ...     return two + two
    >>> graph.run()["four"].output
    4
    """

    def __init__(
        self,
        name: str = "graph",
        *,
        setup: Callable[..., Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        self.place = caller()
        flaws = unknown_options(options, GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, self.place)
        if not isinstance(name, str) or not name.strip():
            flaws.append(Flaw(f"the name of a graph must be a text that is not empty, not {name!r}", self.place))
        if flaws:
            raise OptionError(flaws)
        self.name = name
        self._config = config_of(options, self.place)
        self._columns = Columns()
        self._by_function: dict[int, str] = {}
        self._checked: tuple[object, Checked] | None = None
        self.replicated: dict[str, Replicated] = {}
        """How the tasks with replicas were declared, by name."""
        self.listeners = Listeners()
        self.hooks = Hooks()
        if setup is not None:
            self.setup(setup)
        if teardown is not None:
            self.teardown(teardown)

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self)} tasks)"

    def __len__(self) -> int:
        return len(self._columns.names)

    # -- writing it down --------------------------------------------------------------------------------------------

    @overload
    def task(self, fn: F, /) -> F: ...

    @overload
    def task(self, fn: str | None = None, /, *, name: str | None = None, **options: Any) -> Callable[[F], F]: ...

    def task(self, fn: F | str | None = None, /, *, name: str | None = None, **options: Any) -> F | Callable[[F], F]:
        """Make a function a task, bare, with its name (`@graph.task("load")`) or with options; it is returned unchanged.

        Options are those of `add`.

        Raises
        ------
        GraphError: it is given neither a function nor a name, or two names.
        """
        if isinstance(fn, str):
            if name is not None:
                raise GraphError([Flaw(f"a task has one name, not both {fn!r} and {name!r}", caller())])
            name, fn = fn, None
        if fn is not None and not callable(fn):
            raise GraphError([Flaw(f"a task is a function, or its name followed by options, not {fn!r}", caller())])

        def declare(function: F) -> F:
            self.add(name if name is not None else getattr(function, "__name__", ""), function, **options)
            return function

        return declare if fn is None else declare(fn)

    def add(self, name: str, fn: Callable[..., Any], **options: Any) -> Graph:
        """Add a task and return the graph. Everything is checked together when the graph is validated or run.

        Parameters
        ----------
        name: unique in the graph.
        fn: `def` runs in a thread, `async def` on the event loop. Its parameters name the tasks whose outputs they take.
        options: `depends_on` (names or task functions), `retries` (a number or `Retry`), `timeout` (seconds per attempt),
            `retry_on` and `no_retry_on` (exception types), `retry_on_timeout`, `trigger`, `on_upstream_failure`, `priority`,
            `cost`, `circuit` (a breaker's name), `pool`, `resources` (such as {"gpu": 1}), `gate` (True, a question or a
            `Gate`), `backend`, `tags`, `description`; `when` (a function that says whether it need run, or True or False),
            `setup` (its result is the parameter `resource`, or `ctx.resource`) and `teardown`, which runs once setup has
            started, when nothing downstream needs the task any more; `replicas` (so many tasks `name[0]`, `name[1]` … that do
            the same, and know their number as `ctx.replica`; `name` itself gathers what they give once all are ready).
        """
        if self._columns.specs is not None:
            raise GraphError(
                "a graph made by from_specs takes no further tasks; put them into its tasks and dependencies"
            )
        place = place_of(fn) or caller()
        self._by_function.setdefault(id(fn), name)
        count = options.get("replicas")
        if is_count(count) and isinstance(name, str):
            from dagtop.graph.replicas import Replicated  # noqa: PLC0415 - few tasks have any

            of_each = {option: value for option, value in options.items() if option != "replicas"}
            self._replicate(name, Replicated(fn, count, of_each, place))
        else:
            self._declare(name, fn, options, place)
        return self

    def _declare(self, name: str, fn: Callable[..., Any], options: Mapping[str, Any], place: str) -> None:
        columns = self._columns
        columns.places[len(columns.names)] = place
        columns.names.append(name)
        columns.fns.append(fn)
        columns.options.append(options)
        self._checked = None

    def _replicate(self, name: str, replicated: Replicated) -> None:
        from dagtop.graph.replicas import tasks_of  # noqa: PLC0415 - not to begin with

        self.replicated[name] = replicated
        for task, fn, options in tasks_of(name, replicated):
            self._declare(task, fn, options, replicated.place)

    def scaled(self, task: str, replicas: int) -> Graph:
        """Another version of the graph, with so many replicas of a task that was declared with `replicas=`.

        Raises
        ------
        GraphError: it was not, or there cannot be so many.
        """
        from dagtop.graph.replicas import scaled  # noqa: PLC0415 - not to begin with

        return scaled(self, task, replicas)

    def map(
        self,
        name: str,
        fn: Callable[..., Any],
        *,
        over: Any,
        limit: int | None = None,
        collect: str = "all",
        **options: Any,
    ) -> Graph:
        """Run a function for each element of a list, as tasks of their own: those of `load` are `load[0]`, `load[1]` and so on.

        The task `name` waits for all of them; its output is the list of what they returned, in the order of the elements.

        Parameters
        ----------
        fn: its first parameter takes the element, the others what they take in `add`.
        over: the task that returns the list (anything that can be iterated; of a mapping, pairs), or the list itself.
        limit: how many of the elements may be in progress at once; None for as many as the graph allows.
        collect: "all": `name` gathers when all succeeded; "some": when all ended, with None for those that did not succeed.
        options: those of `add`, for each element; `when`, `trigger`, `on_upstream_failure` and `description` for `name`.

        Raises
        ------
        OptionError: `over`, `limit` or `collect` is nothing of the kind.
        """
        options = {option: value for option, value in options.items() if value is not None or option == "timeout"}
        gather, own, pools = gathering(name, fn, over, limit, collect, options, place_of(fn) or caller())
        if pools:
            self._config = replace(self.config, pools={**(self.config.pools or {}), **pools})
        return self.add(name, gather, **own)

    def setup(self, fn: F, /) -> F:
        """Have a function called before the first task. If it fails the run fails and no task runs. It may be sync or async; its
        parameters are inputs and services. Returned unchanged.

        Raises
        ------
        GraphError: there is one already.
        """
        self._only_one("setup", self._columns.around.setup)
        self._columns.around.setup = Declared(fn, caller())
        self._checked = None
        return fn

    def teardown(self, fn: F, /) -> F:
        """Have a function called when everything is over and services are closed, however the run ended, a failed setup included.

        It may be sync or async; its parameters are inputs, and `resource` for what the graph's setup returned. It is returned
        unchanged.

        Raises
        ------
        GraphError: there is one already.
        """
        self._only_one("teardown", self._columns.around.teardown)
        self._columns.around.teardown = Declared(fn, caller())
        self._checked = None
        return fn

    @overload
    def service(self, fn: F, /, *, name: str | None = None) -> F: ...

    @overload
    def service(self, fn: None = None, /, *, name: str | None = None) -> Callable[[F], F]: ...

    def service(self, fn: F | None = None, /, *, name: str | None = None) -> F | Callable[[F], F]:
        """Declare what tasks share: opened once, at its first use, and closed when everything has ended, last opened first.

        The function yields the value (`async def` on the event loop, `def` in a thread of its own) or gives a context manager.
        Tasks take the value as a parameter of that name, or with `ctx.service(name)`. Its own parameters are inputs and other
        services. Returned unchanged.
        """

        def declare(function: F) -> F:
            called = name if name is not None else getattr(function, "__name__", "")
            self._columns.around.services.append((called, Declared(function, caller())))
            self._checked = None
            return function

        return declare if fn is None else declare(fn)

    def _only_one(self, what: str, there: Declared | None) -> None:
        if there is not None:
            raise GraphError([Flaw(f"the graph has a {what} already, at {there.place}; call both from one", caller())])

    @classmethod
    def from_specs(
        cls,
        name: str,
        *,
        tasks: Mapping[str, Any],
        dependencies: Mapping[str, Iterable[str]] | None = None,
        run: Callable[..., Any],
        task_options: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> Graph:
        """A graph of many tasks that one function runs.

        Parameters
        ----------
        tasks: spec by task id.
        dependencies: ids that a task depends on, by task id.
        run: called as `run(task_id, spec)`, or `run(task_id, spec, ctx)` if it takes a third parameter; sync or async.
            A spec that is a dict reaches it as a copy with the outputs of the task's dependencies, by id, under
            "_dep_outputs"; other specs as they are.
        task_options: options of `add`, by task id; `when`, `setup` and `teardown` are called as `run` is.
        options: those of the graph.
        """
        graph = cls(name, **options)
        columns = graph._columns
        columns.names = list(tasks)
        columns.specs = dict(tasks)  # its own: what the caller does to his mapping later must not reach a run
        columns.dependencies = dict(dependencies or {})
        columns.fns = [run]
        if task_options:
            columns.options = [task_options.get(task, {}) for task in tasks]
            for stranger in task_options.keys() - tasks.keys():
                raise GraphError([Flaw(f"task_options names {stranger!r}, which is no task", graph.place)])
        return graph

    def specified(
        self,
        *,
        tasks: Mapping[str, Any] | None = None,
        add: Mapping[str, Any] | None = None,
        remove: Iterable[str] = (),
        dependencies: Mapping[str, Iterable[str]] | None = None,
        **options: Any,
    ) -> Graph:
        """Another version of a graph of `from_specs`: what is not mentioned is as it was, and specs are copied.

        Parameters
        ----------
        tasks: specs by task id, in place of all those of now.
        add, remove: further tasks by id, and ids that go.
        dependencies: ids that a task depends on, by task id.
        options: of tasks, by option: a mapping by task id, or one value for all; `policies` stands for `restart`.

        Raises
        ------
        GraphError: it is another kind of graph, or a task is named that there is not.
        """
        from dagtop.graph.specified import specified  # noqa: PLC0415 - not to begin with

        return specified(self, tasks, add, remove, dependencies, options)

    @property
    def specs(self) -> Mapping[str, Any] | None:
        """Spec by task id, for a graph of `from_specs`; None for another one."""
        return self._columns.specs

    # -- reading it -------------------------------------------------------------------------------------------------

    @property
    def config(self) -> ExecutorConfig:
        """Its own options."""
        return self._config

    @config.setter
    def config(self, config: ExecutorConfig) -> None:
        self._config = config

    @property
    def names(self) -> Sequence[str]:
        """The tasks' names in the order of declaration."""
        return tuple(self._columns.names)

    @property
    def service_names(self) -> Sequence[str]:
        """What its services are called."""
        return tuple(name for name, _ in self._columns.around.services)

    def name_of(self, fn: Callable[..., Any]) -> str:
        """What the task is called that this function is.

        Raises
        ------
        GraphError: it is none of the graph's tasks.
        """
        name = self._by_function.get(id(fn))
        if name is None and isinstance(fn, MethodType):  # another object each time that it is asked for
            equals = (name for name, own in zip(self._columns.names, self._columns.fns, strict=False) if own == fn)
            name = next(equals, None)
        if name is None:
            raise GraphError(f"{fn!r} is no task of {self.name}")
        return name

    def checked(self, config: ExecutorConfig | None = None) -> Checked:
        """The plan together with how each task's function is called; for the engine."""
        check_config(config)
        merged = (config or ExecutorConfig()).over(self.config)
        guards = repr((merged.pools, merged.resources))
        key = (
            merged.default_timeout,
            merged.default_retries,
            merged.backend,
            getattr(merged, "default_restart", None),
            frozenset(merged.inputs),
            len(self),
            guards,
        )
        if self._checked is None or self._checked[0] != key:
            checked = check(self.name, self._columns, merged, self._by_function, self.place)
            self._checked = (key, located(checked, self._columns, merged, self.place))
        return self._checked[1]
