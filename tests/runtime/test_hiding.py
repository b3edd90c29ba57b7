"""What leaves a run has no secrets in it; inside everything is as it was given, and nothing is looked at that tells nothing."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import anyio
import msgspec
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, MetaDAG, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.observe.redact import REDACTED, hide_secrets, use_vocabulary, vocabulary
from dagtop.observe.veil import NAMES, TEXTS, veiled
from dagtop.runtime.hiding import Hiding

pytestmark = pytest.mark.anyio
SECRET = "hunter2-of-ana"
NAMED = "load postgres://ana:pa55@db/a"
SEEN = f"load postgres://ana:{REDACTED}@db/a"


@pytest.fixture(autouse=True)
def as_before() -> Any:
    before = vocabulary()
    yield
    use_vocabulary(before)


class Recorder:
    def __init__(self) -> None:
        self.events: list[ev.AnyEvent] = []

    def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
        self.events += batch

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def graph_of(*functions: Callable[..., Any], **named: Callable[..., Any]) -> Graph:
    graph = Graph("g")
    for function in functions:
        graph.add(function.__name__, function)
    for name, function in named.items():
        graph.add(name, function)
    return graph


async def ran(graph: Graph, *, journal: Path | None = None, **inputs: Any) -> tuple[Any, Recorder]:
    recorder = Recorder()
    executor = DAGExecutor(graph, ExecutorConfig(inputs=inputs), recorders=[recorder], capture=True, journal=journal)
    return await executor.run(), recorder


# -- events --------------------------------------------------------------------------------------------------------------


def _texts_of(kind: type[msgspec.Struct]) -> set[str]:
    """Fields that may hold free text: of texts, of failures and reports, of commands."""
    told = {str, Failure, Failure | None}
    found = {field.name for field in msgspec.structs.fields(kind) if field.type in told}
    return found | ({"report", "command"} & {field.name for field in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("kind", get_args(ev.AnyEvent), ids=lambda kind: kind.__name__)
def test_every_field_of_free_text_of_every_event_is_known_as_one(kind: type[msgspec.Struct]) -> None:
    harmless = {"what", "source"} if kind in (ev.LimitChanged, ev.Problem) else set[str]()
    assert _texts_of(kind) - NAMES - harmless == set(TEXTS.get(kind, ()))


def test_an_event_without_a_secret_is_the_same_object() -> None:
    event = ev.TaskFailed(1.0, "a", 1, Failure(error="E", message="all is well", traceback="line\n"))
    assert Hiding(Graph("g").add("a", print).checked(ExecutorConfig()), {}).veil(event) is event


def test_of_events_that_tell_nothing_nothing_is_looked_at() -> None:
    def looked_at(text: str) -> str:
        raise AssertionError(text)

    for event in (ev.TaskReady(0.0, "a"), ev.TaskStarted(0.0, "a", 1), ev.RunPaused(0.0), ev.TaskReleased(0.0, "a")):
        assert veiled(event, looked_at) is event


def test_specs_are_looked_into_once_there_is_a_text() -> None:
    class Specs(dict[str, Any]):
        looked = 0

        def values(self) -> Any:
            Specs.looked += 1
            return super().values()

    graph = Graph.from_specs("g", tasks={"a": {"password": SECRET}}, run=lambda task, spec: None)
    checked = graph.checked(ExecutorConfig())
    object.__setattr__(checked, "specs", Specs(checked.specs or {}))
    hiding = Hiding(checked, {})
    hiding.veil(ev.TaskReady(0.0, "a"))
    assert Specs.looked == 0
    log = ev.Log(0.0, "a", 1, "stdout", "", f"with {SECRET}")
    assert hiding.veil(log) == msgspec.structs.replace(log, line=f"with {REDACTED}")
    assert Specs.looked == 1


def test_two_threads_that_tell_the_first_text_at_once_both_hide_what_is_in_specs() -> None:
    """The second one told its text while the first was still looking for what is secret."""
    told: list[str] = []
    second = threading.Thread(target=lambda: told.append(hiding.text(f"with {SECRET}")))

    class Specs(dict[str, Any]):
        def values(self) -> Any:
            second.start()
            second.join(0.05)  # it has to wait until this is done
            return super().values()

    graph = Graph.from_specs("g", tasks={"a": {"password": SECRET}}, run=lambda task, spec: None)
    checked = graph.checked(ExecutorConfig())
    object.__setattr__(checked, "specs", Specs(checked.specs or {}))
    hiding = Hiding(checked, {})
    assert hiding.text(f"with {SECRET}") == f"with {REDACTED}"
    second.join()
    assert told == [f"with {REDACTED}"]


def test_a_private_key_that_is_printed_line_by_line_is_hidden_to_its_end() -> None:
    hiding = Hiding(Graph("g").add("a", print).checked(ExecutorConfig()), {})

    def seen(line: str, task: str = "a") -> str:
        event = hiding.veil(ev.Log(0.0, task, 1, "stdout", "", line))
        assert type(event) is ev.Log
        return event.line

    assert seen("-----BEGIN RSA PRIVATE KEY-----") == REDACTED
    assert seen("of another task", "b") == "of another task"
    assert seen("MIIEvQIBADANBgkq") == REDACTED
    assert seen("-----END RSA PRIVATE KEY-----") == REDACTED
    assert seen("and on it goes") == "and on it goes"


async def test_B45_errors_logs_and_reasons_are_told_without_what_is_known() -> None:
    async def bad(password: str, ctx: TaskContext) -> None:
        ctx.log.info("as %s", password)
        ctx.progress(1, 2, f"with {password}")
        error = ValueError(f"no: {password}")
        error.add_note(f"note: {password}")
        raise error

    result, recorder = await ran(graph_of(bad), password=SECRET)
    assert SECRET not in repr(recorder.events)
    assert [log.line for log in recorder.of(ev.Log)] == [f"as {REDACTED}"]
    (failed,) = recorder.of(ev.TaskFailed)
    assert failed.failure.message == f"no: {REDACTED}"
    assert f"note: {REDACTED}" in failed.failure.traceback
    assert SECRET not in repr(result.to_dict())
    assert SECRET not in repr(result["bad"].failure)


async def test_what_an_upstream_gave_is_known_once_the_task_has_failed() -> None:
    def login() -> dict[str, str]:
        return {"token": SECRET}

    def bad(login: dict[str, str]) -> None:
        raise ValueError(login["token"])

    result, recorder = await ran(graph_of(login, bad))
    assert result["login"].output == {"token": SECRET}
    assert SECRET not in repr(recorder.events)


async def test_what_partial_binds_and_what_a_spawned_task_is_given_is_known() -> None:
    def connect(api_key: str) -> None:
        raise ValueError(f"refused: {api_key}")

    def spawn(ctx: TaskContext) -> None:
        ctx.spawn("spawned", functools.partial(connect, api_key="sp4wned-key-1"))

    graph = graph_of(spawn)
    graph.add("bound", functools.partial(connect, api_key=SECRET))
    result, recorder = await ran(graph)
    assert result.counts == {"succeeded": 1, "failed": 2}
    assert SECRET not in repr(recorder.events)
    assert "sp4wned-key-1" not in repr(recorder.events)


async def test_secrets_may_be_shown() -> None:
    hide_secrets(on=False)

    def bad(password: str) -> None:
        raise ValueError(f"password={password}")

    graph = Graph("g").add(NAMED, bad)
    _, recorder = await ran(graph, password=SECRET)
    (failed,) = recorder.of(ev.TaskFailed)
    assert (failed.task, failed.failure.message) == (NAMED, f"password={SECRET}")


# -- names ---------------------------------------------------------------------------------------------------------------


async def test_B45_a_name_that_tells_a_secret_is_another_one_outside_and_itself_inside(tmp_path: Path) -> None:
    graph = Graph("g token=of-the-graph")
    heard: list[str] = []

    @graph.on_event
    def hear(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.TaskSucceeded):
            heard.append(event.task)

    def first(ctx: TaskContext) -> str:
        return ctx.task

    def after(ctx: TaskContext) -> Any:
        return dict(ctx.upstream)

    graph.add(NAMED, first)
    graph.add("after", after, depends_on=[NAMED])
    result, recorder = await ran(graph, journal=tmp_path / "runs.db")
    assert result[NAMED].output == NAMED
    assert result["after"].output == {NAMED: NAMED}
    assert heard == [NAMED, "after"]
    assert {event.task for event in recorder.of(ev.TaskSucceeded)} == {SEEN, "after"}
    assert recorder.of(ev.RunStarted)[0].graph == f"g token={REDACTED}"
    told = result.to_dict()
    assert (told["graph"], [task["name"] for task in told["tasks"]]) == (f"g token={REDACTED}", [SEEN, "after"])
    with closing(SqliteJournal(tmp_path / "runs.db").load("last")) as stored:
        assert stored.record.names == (SEEN, "after")
        assert "pa55" not in repr(stored.record)
        assert stored.output(SEEN) == NAMED


async def test_names_that_look_alike_are_told_apart_and_gone_on_with_each_as_itself(tmp_path: Path) -> None:
    names = [f"load postgres://ana:pa55-{number}@db/a" for number in range(3)]
    mended = tmp_path / "mended"  # what a task closes over counts as its code

    def load(ctx: TaskContext) -> str:
        if ctx.task == names[2] and not mended.exists():
            raise ValueError(ctx.task)
        return ctx.task

    def made(order: Sequence[str]) -> Graph:
        graph = Graph("g")
        for name in order:
            graph.add(name, load)
        return graph

    _, recorder = await ran(made(names), journal=tmp_path / "runs.db")
    seen = {event.task for event in recorder.of(ev.TaskStarted)}
    assert len(seen) == 3
    assert all(name.startswith(f"{SEEN}·") for name in seen)
    assert "pa55" not in repr(recorder.events)
    again = made(names[::-1])  # by name, not by place
    mended.touch()
    with closing(SqliteJournal(tmp_path / "runs.db").load("last")) as stored:
        resume = plan_resumption(stored, again.validate(), again.fingerprints())
    assert resume.kept == {name: name for name in names[:2]}
    assert resume.left == (names[2],)
    executor = DAGExecutor(again, journal=tmp_path / "runs.db", resume=resume, capture=True)
    result = await executor.run()
    assert {name: (result[name].output, result[name].attempts) for name in names} == {
        names[0]: (names[0], 1),
        names[1]: (names[1], 1),
        names[2]: (names[2], 2),
    }


async def test_a_command_for_the_name_that_people_see_is_for_the_task() -> None:
    graph = Graph("g").add(NAMED, anyio.sleep_forever)
    recorder = Recorder()
    executor = DAGExecutor(graph, recorders=[recorder], capture=True)
    engine = executor.prepare()
    engine.send(cmd.CancelTask(SEEN, f"for token={SECRET}"), 7, "ana")
    result = await executor.run()
    assert result[NAMED].state is TaskState.CANCELLED
    (applied,) = recorder.of(ev.CommandApplied)
    assert applied.command == cmd.CancelTask(SEEN, f"for token={REDACTED}")
    assert "pa55" not in repr(recorder.events)
    assert SECRET not in repr(recorder.events)


async def test_tasks_that_come_with_such_names_are_hidden_and_stored_under_the_others(tmp_path: Path) -> None:
    def spawn(ctx: TaskContext) -> None:
        ctx.spawn(NAMED, lambda: "spawned")

    result, recorder = await ran(graph_of(spawn), journal=tmp_path / "runs.db")
    assert result[NAMED].output == "spawned"
    assert "pa55" not in repr(recorder.events)
    with closing(SqliteJournal(tmp_path / "runs.db").load("last")) as stored:
        assert stored.output(SEEN) == "spawned"


async def test_what_is_inside_of_a_node_with_such_a_name_stays_inside_of_it() -> None:
    inner = (
        Graph("shop token=pa55-0")
        .add("load token=pa55-1", lambda: 1)
        .add("load token=pa55-2", lambda: 2)
        .add("plain", lambda: 3)
    )
    meta = MetaDAG("all").add(inner).add(Graph("quiet").add("one", lambda: 1))
    executor = DAGExecutor(meta, capture=True)
    names = executor.plan.names
    seen = executor.hiding.names.plan(executor.plan)
    assert "pa55" not in repr(seen.names)
    assert len(set(seen.names)) == len(names)
    node = names.index("shop token=pa55-0")
    assert seen.names[node] == f"shop token={REDACTED}"
    assert {name for name in seen.names if name.startswith(seen.names[node] + "/")} == {
        seen.names[index] for index, name in enumerate(names) if name.startswith("shop token=pa55-0/")
    }
    assert seen.names[names.index("shop token=pa55-0/plain")] == f"shop token={REDACTED}/plain"
    assert "quiet/one" in seen.names
    result = await executor.run()
    assert result.ok
    assert result["shop token=pa55-0/load token=pa55-2"].output == 2
