"""Every command from code: answered with what it did, or refused with the reason (B22)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import anyio
import pytest
from dagtop import Answer, Breaker, CommandRefused, DAGExecutor, Graph, Run, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core.events import CommandApplied
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal


class Scene:
    """A run that stands still where a test wants it: `first` goes on until it is let go, `second` waits for it."""

    def __init__(self, loop: str) -> None:
        self.go_on, self.loop = threading.Event(), loop
        self.graph = Graph("g", max_parallel=4, pools={"db": 2}, breakers=[Breaker("api")])
        self.graph.add("first", self.first).add("second", self.second)
        self.run: Run

    def first(self, ctx: TaskContext) -> str:
        while not self.go_on.wait(0.002):
            if ctx.cancelled:
                return ""
        return f"attempt {ctx.attempt}"

    def second(self, first: Any) -> list[Any]:
        return [first]

    def start(self, **options: Any) -> Run:
        self.run = DAGExecutor(self.graph, capture=False).start(loop=self.loop, **options)
        return self.run

    def end(self) -> dict[str, str]:
        self.go_on.set()
        return {task.name: task.state.value for task in self.run.wait(20)}


@pytest.fixture(params=["asyncio", "trio"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    made = Scene(request.param)
    yield made
    made.go_on.set()
    made.run.cancel()
    made.run.wait(20)


def refusal(answer: Answer) -> str:
    with pytest.raises(CommandRefused) as refused:
        answer.wait(20)
    assert (answer.applied, answer.effect, answer.refusal) == (False, "", str(refused.value))
    return str(refused.value)


def test_B22_hold_and_release(scene: Scene) -> None:
    run = scene.start()
    assert run.hold(scene.second).wait(20) == "second will not start before it is released"
    assert refusal(run.hold("second")) == "second is held already"
    assert run.release("second").wait(20) == "second may start"
    assert scene.end() == {"first": "succeeded", "second": "succeeded"}


def test_B22_cancel_of_one_task_and_of_the_run(scene: Scene) -> None:
    scene.graph.add("other", scene.first)
    run = scene.start()
    assert "first is told to stop" in run.cancel("first", reason="too dear").wait(20)
    assert run.cancel(reason="enough").wait(20)
    result = run.wait(20)
    assert (result.state, result.reason) == (RunState.CANCELLED, "enough")
    assert result["first"].state is result["other"].state is TaskState.CANCELLED


def test_B22_restart_alone_and_with_what_comes_after(scene: Scene) -> None:
    run = scene.start(hold_open=True)
    ends = run.events("run.finished")
    scene.go_on.set()
    next(ends)
    assert run.restart("second").wait(20)
    next(ends)
    assert run.restart("first", downstream=True).wait(20) == "2 tasks run again"
    next(ends)
    result = run.wait(20)
    assert (result["first"].attempts, result["second"].attempts) == (2, 3)
    assert result["second"].output == ["attempt 2"]


def test_B22_retry_failed(scene: Scene) -> None:
    mended: list[bool] = []

    def breaks() -> str:
        if not mended:
            raise ValueError("broken")
        return "mended"

    scene.graph.add("breaks", breaks).add("below", lambda breaks: breaks)
    run = scene.start()
    next(run.events("task.skipped", tasks="below"))
    mended.append(True)
    assert run.retry_failed().wait(20)
    assert scene.end() == dict.fromkeys(["first", "second", "breaks", "below"], "succeeded")
    assert run.result["below"].output == "mended"


def test_B22_skip_and_mark_succeeded(scene: Scene) -> None:
    scene.graph.add("skipped", lambda first: 1).add("given", lambda skipped: 1).add("takes", lambda given: given)
    run = scene.start()
    assert run.mark_succeeded("given", {"by": "hand"}, reason="known already").wait(20)
    assert run.skip("skipped", reason="not today").wait(20)
    assert scene.end()["skipped"] == "skipped"
    assert run.result["takes"].output == {"by": "hand"}


def test_B22_pause_and_resume(scene: Scene) -> None:
    run = scene.start()
    assert run.pause().wait(20)
    assert run.state is RunState.PAUSED
    assert refusal(run.pause()) == "the run is paused already"
    scene.go_on.set()
    next(run.events("task.succeeded"))
    assert run.resume().wait(20) == "starts tasks again"
    assert scene.end()["second"] == "succeeded"


def test_B22_drain(scene: Scene) -> None:
    run = scene.start()
    assert run.drain().wait(20)
    assert scene.end() == {"first": "succeeded", "second": "cancelled"}


def test_B22_abandon(scene: Scene) -> None:
    deaf, begun = threading.Event(), threading.Event()
    scene.graph.add("deaf", lambda: (begun.set(), deaf.wait(30)))
    run = scene.start()
    assert begun.wait(20)
    assert "cancel first" in refusal(run.abandon())
    run.cancel().wait(20)
    next(run.events("task.cancelled", tasks="first"))
    assert run.abandon().wait(20)
    assert run.wait(20)["deaf"].state is TaskState.CANCELLED
    deaf.set()


def test_B22_limits(scene: Scene) -> None:
    scene.graph.add("pooled", lambda first: 1, pool="db")
    run = scene.start()
    assert run.set_max_parallel(7).wait(20) == "max_parallel 4 → 7"
    assert "at least 1" in refusal(run.set_max_parallel(0))
    assert "db" in run.set_pool_limit("db", 5).wait(20)
    assert refusal(run.set_pool_limit("dv", 5)) == "no task is in a pool 'dv'"


def test_B25_set_policy(scene: Scene) -> None:
    run = scene.start()
    assert run.set_policy("second", retries=4, timeout=30).wait(20)
    policies = run._engine.machine.ledger.policies
    assert (policies[1].retry.retries, policies[1].timeout) == (4, 30)
    assert run.set_policy("second", timeout=None).wait(20)
    assert policies[1].timeout is None
    assert refusal(run.set_policy("second")) == "no field was given a new value"
    assert refusal(run.set_policy("second", retries=-1))


def test_B21_breakers(scene: Scene) -> None:
    scene.graph.add("guarded", lambda first: 1, circuit="api")
    run = scene.start()
    assert run.trip_breaker("api").wait(20)
    assert run.reset_breaker("api").wait(20)
    assert run.force_breaker("api", "open").wait(20)
    assert run.force_breaker("api", None).wait(20)
    assert refusal(run.force_breaker("api", "ajar"))
    assert refusal(run.trip_breaker("apu")) == "no task asks a circuit breaker 'apu'; did you mean 'api'?"
    assert scene.end()["guarded"] == "succeeded"


def test_B22_gates(scene: Scene) -> None:
    scene.graph.add("gated", lambda: "through", gate="Really?").add("other", lambda: 1, gate=True)
    run = scene.start()
    waiting = run.events("gate.waiting")
    assert {next(waiting).task, next(waiting).task} == {"gated", "other"}
    assert run.approve("gated", reason="looked at").wait(20)
    assert run.reject("other", reason="not now").wait(20)
    assert scene.end() == {"first": "succeeded", "second": "succeeded", "gated": "succeeded", "other": "failed"}


COMMANDS: list[Callable[[Run], Answer]] = [
    lambda run: run.cancel("secund"),
    lambda run: run.restart("secund"),
    lambda run: run.skip("secund"),
    lambda run: run.mark_succeeded("secund", 1),
    lambda run: run.hold("secund"),
    lambda run: run.release("secund"),
    lambda run: run.approve("secund"),
    lambda run: run.reject("secund"),
    lambda run: run.set_policy("secund", retries=1),
    lambda run: run.send(cmd.HoldTask("secund")),
]


def test_B22_a_task_that_is_not_there_is_refused_with_the_nearest_name(scene: Scene) -> None:
    run = scene.start()
    for command in COMMANDS:
        assert refusal(command(run)) == "there is no task 'secund'; did you mean 'second'?"
    assert refusal(run.hold("\x1b[2J")) == "there is no task '\\x1b[2J'"


def test_values_of_a_wrong_type_are_errors_at_once_and_never_recorded(scene: Scene) -> None:
    run = scene.start()
    with pytest.raises(TypeError, match="set-max-parallel: Expected `int`, got `str`"):
        run.set_max_parallel("7")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a policy has no field 'retry'; did you mean 'retries'"):
        run.set_policy("second", retry=1)
    with pytest.raises(TypeError, match="retries cannot be None"):
        run.set_policy("second", retries=None)
    with pytest.raises(TypeError, match="timeout"):
        run.set_policy("second", timeout="long")
    with pytest.raises(TypeError, match="a command is one of those"):
        run.send("cancel")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="is no task of g"):
        run.cancel(print)
    scene.end()
    assert list(run.events("command.*")) == []


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_B22_answers_are_awaited_while_the_loop_goes_on(scene: Scene, around: str) -> None:
    async def inside() -> None:
        run = scene.start()
        answers = [run.set_max_parallel(number) for number in range(1, 101)]
        async with anyio.create_task_group() as group:
            for answer in answers:
                group.start_soon(hear, answer)
        assert [answer.effect for answer in answers][-1] == "max_parallel 99 → 100"
        with pytest.raises(CommandRefused, match="second is not held"):
            await run.release("second")

    async def hear(answer: Answer) -> None:
        assert await answer == answer.effect

    anyio.run(inside, backend=around)


def test_an_answer_says_where_it_is(scene: Scene) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    async def blocks() -> None:
        blocked.set()
        go_on.wait(20)

    scene.graph.add("blocks", blocks)
    run = scene.start()
    assert blocked.wait(20)
    answer = run.hold("second")
    assert (answer.done, answer.applied, repr(answer)) == (False, None, "Answer(hold, not answered yet)")
    with pytest.raises(TimeoutError, match=r"no answer to hold within 0\.01 s"):
        answer.wait(0.01)
    go_on.set()
    answer.wait(20)
    assert (answer.done, answer.applied) == (True, True)
    assert repr(answer) == "Answer(hold, applied: second will not start before it is released)"
    run.release("second").wait(20)


def test_B22_commands_are_recorded_with_who_gave_them(scene: Scene) -> None:
    run = scene.start()
    run.hold("second").wait(20)
    run.send(cmd.ReleaseTask("second"), by="the night watch").wait(20)
    scene.end()
    told = list(run.events(CommandApplied))
    assert [(event.by, event.command) for event in told] == [
        ("the program", cmd.HoldTask("second")),
        ("the night watch", cmd.ReleaseTask("second")),
    ]


def test_B22_a_command_after_the_end_is_refused(scene: Scene) -> None:
    run = scene.start()
    scene.end()
    assert refusal(run.restart("first")) == "the run is over and its engine has ended"


def test_B22_every_command_of_many_threads_is_answered_however_close_to_the_end(scene: Scene) -> None:
    run = scene.start()
    answers: list[Answer] = []

    def gives() -> None:
        while len(answers) < 2_000 and not run.done:
            answers.append(run.set_max_parallel(len(answers) % 9 + 1))
        answers.append(run.resume())

    threads = [threading.Thread(target=gives) for _ in range(4)]
    for thread in threads:
        thread.start()
    scene.go_on.set()
    run.wait(20)
    for thread in threads:
        thread.join(20)
    for answer in answers:
        with suppress(CommandRefused):
            answer.wait(20)
        assert answer.effect or answer.refusal


def test_B22_the_blast_radius_is_told_before(scene: Scene) -> None:
    run = scene.start()
    next(run.events("task.started"))
    radius = run.blast_radius(cmd.CancelTask("first"))
    assert (radius.stops, radius.never_runs, radius.loses_something) == (("first",), ("second",), True)
    assert run.blast_radius(cmd.ReleaseTask("second")).refusal == "second is not held"
    run.hold("second").wait(20)
    assert run.blast_radius(cmd.ReleaseTask("second")).refusal == ""
    run.release("second").wait(20)


def test_tasks_may_be_named_by_members_of_an_enum(scene: Scene) -> None:
    class Step(StrEnum):
        SECOND = "second"

    run = scene.start()
    assert run.hold(Step.SECOND).wait(20) == "second will not start before it is released"
    run.release(Step.SECOND).wait(20)
    scene.end()
    (command, _) = run.events(CommandApplied)
    assert type(command.command.task) is str  # type: ignore[union-attr]


class Monster:
    def __repr__(self) -> str:
        raise SystemExit("never looked at")

    __eq__ = __hash__ = __len__ = __bool__ = __repr__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (5, 5),
        (True, True),
        ("text", "text"),
        (float("nan"), "nan"),
        ({"rows": [1, 2]}, "{'rows': [1, 2]}"),
        (Monster(), "<Monster>"),
        (2**80, str(2**80)),
    ],
)
def test_B22_of_a_value_given_by_hand_no_more_is_recorded_than_of_any_output(
    scene: Scene, tmp_path: Path, value: Any, told: Any
) -> None:
    journal = tmp_path / "runs.sqlite3"
    scene.graph.add("given", lambda first: 1)
    scene.run = run = DAGExecutor(scene.graph, journal=journal, capture=False).start(loop=scene.loop)
    assert run.mark_succeeded("given", value).wait(20)
    scene.end()
    assert run.result["given"].output is value
    (applied,) = run.events(CommandApplied)
    assert isinstance(applied.command, cmd.MarkSucceeded)
    assert applied.command.value == told
    assert applied in list(SqliteJournal(journal).load(run.id).events())


def test_a_value_given_by_hand_is_there_when_the_run_is_gone_on_with(scene: Scene, tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "runs.sqlite3")
    ran: list[str] = []
    scene.graph.add("given", lambda: ran.append("given"), gate=True)
    scene.graph.add("nothing", lambda: ran.append("nothing"), gate=True)
    scene.graph.add("takes", lambda given, nothing, second: ran.append("takes") or [given, nothing])
    scene.run = run = DAGExecutor(scene.graph, journal=journal, capture=False).start(loop=scene.loop)
    run.mark_succeeded("given", {"rows": [1]}).wait(20)
    run.mark_succeeded("nothing").wait(20)
    run.cancel().wait(20)
    run.wait(20)
    assert not ran
    scene.go_on.set()
    again = plan_resumption(journal.load(run.id), scene.graph.validate(), scene.graph.fingerprints())
    result = DAGExecutor(scene.graph, journal=journal, resume=again, capture=False).start(loop=scene.loop).wait(20)
    assert result["takes"].output == [{"rows": [1]}, None]
    assert ran == ["takes"]
