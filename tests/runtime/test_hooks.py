"""Hooks and plugins: told in order of what happens, never in the way of it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph, Plugin, Retry, RunState, Skip, TaskState
from dagtop.core import events as ev
from dagtop.core.commands import RestartTask
from dagtop.loaders import plugins as loading
from dagtop.ports.plugin import AttemptInfo, AttemptOutcome, RunInfo, RunOutcome, TaskInfo, TaskOutcome
from dagtop.runtime.hooks import COMPLAINTS
from engine_driver import live

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Diary(Plugin):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def before_run(self, run: RunInfo) -> None:
        self.told.append(("before_run", run))

    def after_run(self, run: RunOutcome) -> None:
        self.told.append(("after_run", run))

    def before_task(self, task: TaskInfo) -> None:
        self.told.append(("before_task", task))

    def after_task(self, task: TaskOutcome) -> None:
        self.told.append(("after_task", task))

    def before_attempt(self, attempt: AttemptInfo) -> None:
        self.told.append(("before_attempt", attempt))

    def after_attempt(self, attempt: AttemptOutcome) -> None:
        self.told.append(("after_attempt", attempt))

    def of(self, name: str) -> list[Any]:
        return [what for told, what in self.told if told == name]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


class Problems:
    """A recorder that keeps problems."""

    def __init__(self) -> None:
        self.all: list[ev.Problem] = []

    def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
        self.all += [event for event in batch if isinstance(event, ev.Problem)]


async def run(graph: Graph, *plugins: Any, **options: Any) -> tuple[Any, list[ev.Problem]]:
    """(the result, all problems, also those that came when the run was over)."""
    problems = Problems()
    executor = DAGExecutor(graph, plugins=plugins, recorders=[problems], capture=False, **options)
    result = await executor.run()
    return result, [*problems.all, *executor.late_problems]


async def test_a_plugin_is_told_of_run_task_and_attempts_in_order() -> None:
    graph, diary = Graph("g"), Diary()
    tries: list[int] = []

    @graph.task(retries=Retry(retries=1, base=0))
    async def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    @graph.task
    async def after(flaky: None) -> None: ...

    result, problems = await run(graph, diary)
    assert (result.ok, problems) == (True, [])
    assert diary.names == [
        "before_run",
        "before_task",
        "before_attempt",
        "after_attempt",
        "before_attempt",
        "after_attempt",
        "after_task",
        "before_task",
        "before_attempt",
        "after_attempt",
        "after_task",
        "after_run",
    ]
    first, second, third = diary.of("after_attempt")
    assert (first.attempt, first.state, first.failure.message, first.retry_in) == (1, TaskState.FAILED, "not yet", 0)
    assert (second.attempt, second.state, second.failure, second.retry_in) == (2, TaskState.SUCCEEDED, None, None)
    assert (third.task, third.graph, third.run) == ("after", "g", result.run)
    task = diary.of("after_task")[0]
    assert (task.task, task.state, task.attempts) == ("flaky", TaskState.SUCCEEDED, 2)
    assert task.duration >= first.duration + second.duration
    assert diary.of("before_task")[1].upstream == ("flaky",)
    (outcome,) = diary.of("after_run")
    assert (outcome.state, outcome.counts) == (RunState.SUCCEEDED, {"succeeded": 2})
    (info,) = diary.of("before_run")
    assert (info.tasks, info.resumed) == (2, False)
    assert info.started_at <= diary.of("before_attempt")[0].started_at <= outcome.ended_at


async def test_a_task_that_never_ran_has_an_end_and_no_beginning() -> None:
    graph, diary = Graph("g"), Diary()

    @graph.task
    async def broken() -> None:
        raise ValueError("no")

    @graph.task
    async def never(broken: None) -> None: ...

    @graph.task
    async def not_today() -> None:
        raise Skip("not today")

    await run(graph, diary)
    ends = {one.task: one for one in diary.of("after_task")}
    assert (ends["never"].state, ends["never"].attempts, ends["never"].started_at) == (TaskState.SKIPPED, 0, None)
    assert ends["never"].duration == 0
    assert "broken" in ends["never"].reason
    assert (ends["broken"].state, ends["broken"].failure.error) == (TaskState.FAILED, "ValueError")
    assert (ends["not_today"].state, ends["not_today"].attempts) == (TaskState.SKIPPED, 1)
    assert [one.task for one in diary.of("before_task")] == ["broken", "not_today"]


async def test_a_task_that_is_restarted_begins_again() -> None:
    graph, diary = Graph("g"), Diary()
    graph.hooks.plugins.append(diary)
    go = anyio.Event()

    @graph.task
    async def first() -> None: ...

    @graph.task
    async def holds_the_run_open() -> None:
        await go.wait()

    async with live(graph) as running:
        await running.until(ev.TaskSucceeded, "first")
        await running.command(RestartTask(task="first"))
        await running.until(ev.TaskSucceeded, "first", count=2)
        go.set()
    firsts = [(name, what) for name, what in diary.told if getattr(what, "task", "") == "first"]
    assert [name for name, _ in firsts] == ["before_task", "before_attempt", "after_attempt", "after_task"] * 2


async def test_hooks_of_graph_and_executor_are_decorators_and_may_be_async() -> None:
    graph, told = Graph("g"), list[str]()
    graph.add("a", lambda: None)
    executor = DAGExecutor(graph, capture=False)

    @graph.hooks.after_task
    def of_the_graph(task: TaskOutcome) -> None:
        told.append(f"graph {task.task}")

    @executor.hooks.after_run
    async def of_the_executor(outcome: RunOutcome) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(f"executor {outcome.state.value}")

    assert (await executor.run()).ok
    assert sorted(told) == ["executor succeeded", "graph a"]
    assert callable(of_the_graph)
    with pytest.raises(ValueError, match="after_task must be callable, not 3"):
        graph.hooks.after_task(3)  # type: ignore[type-var]


async def test_a_plugin_may_mix_async_and_plain_methods_and_is_told_in_order() -> None:
    graph, told = Graph("g"), list[str]()
    graph.add("a", lambda: None)
    loop = threading.get_ident()

    class Mixed(Plugin):
        async def before_task(self, task: TaskInfo) -> None:
            await anyio.lowlevel.checkpoint()
            told.append("before" + " on the loop" * (threading.get_ident() == loop))

        def after_task(self, task: TaskOutcome) -> None:
            told.append("after" + " on the loop" * (threading.get_ident() == loop))

    await run(graph, Mixed())
    assert told == ["before on the loop", "after"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_B16_what_a_plugin_raises_is_a_problem_and_the_run_and_its_other_methods_go_on(
    asynchronous: bool,
) -> None:
    graph, told = Graph("g"), list[str]()
    graph.add("a", lambda: None)

    class Bad(Plugin):
        name = "bad one"

        def before_task(self, task: TaskInfo) -> None:
            raise SystemExit(3)

        def after_task(self, task: TaskOutcome) -> None:
            told.append(task.task)

    class BadAsync(Bad):
        async def after_attempt(self, attempt: AttemptOutcome) -> None:
            raise ValueError("it broke")

    result, problems = await run(graph, BadAsync() if asynchronous else Bad())
    assert (result.ok, told) == (True, ["a"])
    messages = [(one.source, one.message, one.task) for one in problems]
    expected = [("plugin bad one", "before_task: SystemExit: 3", "a")]
    if asynchronous:
        expected.append(("plugin bad one", "after_attempt: ValueError: it broke", "a"))
    assert messages == expected


async def test_B16_a_plugin_that_always_raises_does_not_bury_everything_else() -> None:
    graph = Graph.from_specs("g", tasks=dict.fromkeys(f"t{i}" for i in range(100)), run=_nothing)

    class Bad(Plugin):
        def on_event(self, event: ev.AnyEvent) -> None:
            raise ValueError("always")

    result, problems = await run(graph, Bad())
    assert result.ok
    assert len(problems) == COMPLAINTS
    assert problems[-1].message.endswith("; no more of its errors are told")


async def _nothing(name: str, spec: None) -> None:
    return None


async def test_a_plugin_gets_only_the_events_that_it_wants() -> None:
    graph, told = Graph("g"), list[str]()
    graph.add("a", lambda: None)

    class Picky(Plugin):
        events = ("run.*", ev.TaskStarted)

        def on_event(self, event: ev.AnyEvent) -> None:
            told.append(event.type)

        def after_task(self, task: TaskOutcome) -> None:
            told.append(f"after {task.task}")

    await run(graph, Picky())
    assert told == ["run.started", "task.started", "after a", "run.finished"]


async def test_events_that_do_not_exist_leave_the_plugin_out_and_are_told() -> None:
    graph = Graph("g")
    graph.add("a", lambda: None)

    class Typo(Plugin):
        events = ("task.suceeded",)

        def on_event(self, event: ev.AnyEvent) -> None:
            raise AssertionError

    result, problems = await run(graph, Typo())
    assert result.ok
    (problem,) = problems
    assert problem.source == "plugins"
    assert problem.message.startswith("plugin 'Typo' is left out: ")


@pytest.mark.parametrize("kind", [ValueError, OSError, SystemExit])
@pytest.mark.parametrize("where", ["before_attempt", "name", "events"])
async def test_B16_a_plugin_that_raises_when_it_is_looked_at_is_left_out_and_told(
    kind: type[BaseException], where: str
) -> None:
    class Broken(Plugin):
        def before_run(self, run: object) -> None:
            raise AssertionError("it is left out")

    def raises(plugin: Plugin) -> str:
        raise kind("no")

    setattr(Broken, where, property(raises))
    result, problems = await run(Graph("g").add("a", lambda: 1), Broken())
    assert result.ok
    said = "no" if kind is ValueError else f"{kind.__name__}: no"
    assert [(problem.source, problem.message) for problem in problems] == [
        ("plugins", f"plugin 'Broken' is left out: {said}")
    ]


async def test_plugins_are_called_in_the_context_of_whoever_runs_the_graph() -> None:
    graph, seen = Graph("g"), list[str]()
    graph.add("a", lambda: None)
    variable = contextvars.ContextVar("variable", default="nobody's")

    class Looks(Plugin):
        def before_run(self, run: RunInfo) -> None:
            seen.append(variable.get())

    variable.set("the caller's")
    executor = DAGExecutor(graph, plugins=[Looks()], capture=False)
    variable.set("later")
    await executor.run()
    assert seen == ["later"]


def test_in_a_thread_of_the_runs_own_plugins_see_the_context_of_whoever_made_the_executor() -> None:
    graph, seen = Graph("g"), list[str]()
    graph.add("a", lambda: None)
    variable = contextvars.ContextVar("variable", default="nobody's")

    class Looks(Plugin):
        def before_run(self, run: RunInfo) -> None:
            seen.append(variable.get())

    variable.set("the caller's")
    executor = DAGExecutor(graph, plugins=[Looks()], capture=False)
    thread = threading.Thread(target=anyio.run, args=[executor.run])
    thread.start()
    thread.join(20)
    assert seen == ["the caller's"]


async def test_a_run_without_plugins_looks_at_no_event_for_them() -> None:
    graph = Graph("g")
    graph.add("a", lambda: None)
    executor = DAGExecutor(graph, plugins=[Plugin()], capture=False)
    await executor.run()
    assert executor._callbacks._lines == []


# -- which plugins --------------------------------------------------------------------------------------------------------


def installed(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """As if packages had brought these."""
    found = [EntryPoint(name, value, loading.GROUP) for name, value in points.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: found if group == loading.GROUP else [])


PAGERS: list[Diary] = []


class Pager(Diary):
    """What a package brings."""

    def __init__(self) -> None:
        super().__init__()
        PAGERS.append(self)


def make_pager() -> Pager:
    return Pager()


def make_nothing() -> int:
    return 3


def make_trouble() -> Plugin:
    raise SystemExit("no licence")


async def test_installed_plugins_are_loaded_as_classes_and_from_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, a=f"{__name__}:Pager", b=f"{__name__}:make_pager")
    PAGERS.clear()
    graph = Graph("g")
    graph.add("a", lambda: None)
    result = await DAGExecutor(graph, plugins="installed", capture=False).run()
    assert result.ok
    assert [len(pager.of("after_task")) for pager in PAGERS] == [1, 1]


async def test_without_being_asked_for_no_plugin_is_loaded_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, a=f"{__name__}:make_trouble")
    PAGERS.clear()
    graph = Graph("g")
    graph.add("a", lambda: None)
    _, problems = await run(graph)
    assert problems == []


async def test_a_plugin_that_cannot_be_loaded_is_one_problem_and_the_others_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(
        monkeypatch,
        absent="there_is_no_such_module:Pager",
        nothing=f"{__name__}:make_nothing",
        trouble=f"{__name__}:make_trouble",
        works=f"{__name__}:Pager",
    )
    PAGERS.clear()
    graph = Graph("g")
    graph.add("a", lambda: None)
    result, problems = await run(graph, "installed", "pager")
    assert result.ok
    assert len(PAGERS) == 1
    assert {one.source for one in problems} == {"plugins"}
    assert sorted(one.message for one in problems) == [
        "could not load plugin 'absent': ModuleNotFoundError: No module named 'there_is_no_such_module'",
        "could not load plugin 'nothing': TypeError: it makes a int, which is not derived from dagtop.Plugin",
        "could not load plugin 'pager': there is no such plugin; there are absent, nothing, otel, prometheus, trouble, works",
        "could not load plugin 'trouble': SystemExit: no licence",
    ]


async def test_an_installed_plugin_that_the_program_brings_itself_is_there_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, pager=f"{__name__}:Pager")
    own = Pager()
    PAGERS.clear()
    assert loading.load_plugins([own, "installed"]).plugins == [own]


@pytest.mark.parametrize("wanted", [3, "otel", [3], [int], b"x"])
def test_what_can_be_no_plugin_is_an_error_at_once(wanted: Any) -> None:
    with pytest.raises(ValueError, match="plugin"):
        DAGExecutor(Graph("g"), plugins=wanted)
