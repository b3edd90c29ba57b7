"""B15 through the engine: what a report knows of real exceptions, real inputs and real timeouts, and where it arrives."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Retry, RetryAfter, TaskContext
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.forecast import Usual
from dagtop.core.ledger import Ledger
from dagtop.core.snapshot import Blocked
from dagtop.journal import chunks
from dagtop.runtime.evidence import Kept, blocker_of
from dagtop.runtime.failures import failure_of
from engine_driver import live, run_all

pytestmark = pytest.mark.anyio


async def report_of(graph: Graph, task: str, **config: Any) -> EscalationReport:
    result = (await run_all(graph, **config)).result
    assert result is not None
    made = result[task].escalation
    assert made is not None
    return made


class TestWhereItArrives:
    async def test_B15_it_is_an_event_and_in_the_result_and_never_takes_the_outputs_place(self) -> None:
        graph = Graph("g")

        @graph.task
        async def fine() -> int:
            return 1

        @graph.task
        def fails(fine: int) -> None:
            raise ValueError("no")

        run = await run_all(graph)
        assert run.result is not None
        (event,) = run.of(ev.TaskEscalated)
        assert run.types("fails")[-2:] == ["failed", "escalated"]
        assert run.result.escalations == (event.report,)
        assert run.result["fails"].escalation is event.report
        assert run.result["fails"].output is None
        assert run.result["fine"].escalation is None
        assert json.loads(json.dumps(run.result.to_dict()))["tasks"][1]["escalation"]["cause"] == "repeated"

    async def test_B15_it_carries_the_clock_of_the_events(self) -> None:
        graph = Graph("g")

        @graph.task
        async def fails() -> None:
            raise ValueError("no")

        run = await run_all(graph)
        (event,) = run.of(ev.TaskEscalated)
        (began,) = run.of(ev.RunStarted)
        made = datetime.fromisoformat(event.report.escalated_at)
        assert event.report.escalated_at.endswith("Z")
        assert made.utcoffset() == timedelta(0)
        assert abs(made.timestamp() - (began.started_at + event.at)) < 0.1

    async def test_B15_a_task_that_succeeds_after_its_restart_keeps_what_was_told_before(self) -> None:
        graph = Graph("g")

        @graph.task
        async def again(ctx: TaskContext) -> str:
            if ctx.attempt == 1:
                raise ValueError("no")
            return "well"

        @graph.task
        async def waits() -> None:
            await anyio.sleep_forever()

        async with live(graph) as run:
            await run.until(ev.TaskEscalated, "again")
            await run.command(cmd.RestartTask("again"))
            await run.until(ev.TaskSucceeded, "again")
            await run.command(cmd.CancelTask("waits"))
        assert run.result is not None
        assert run.result["again"].output == "well"
        assert [(one.task, one.cause) for one in run.result.escalations] == [
            ("again", Cause.REPEATED),
            ("waits", Cause.BY_HAND),
        ]

    async def test_B15_the_journals_codec_gives_it_back_and_the_replay_has_it(self) -> None:
        graph = Graph("g")

        @graph.task(retries=Retry(retries=1, backoff="none"))
        async def fails() -> None:
            raise ValueError("\udc80 \x1b[31m «…»")

        run = await run_all(graph)
        batch = run.of(ev.TaskEscalated)
        chunk = chunks.encode(batch, {ev.TaskEscalated})
        assert chunk.replaced == 0
        assert chunks.decode(chunk.format, chunk.blob) == batch
        replayed = Ledger(run.engine.machine.plan)
        for event in run.events:
            replayed.apply(event)
        assert replayed.escalations == run.engine.machine.ledger.escalations

    async def test_B15_a_stored_run_has_it(self, tmp_path: Any) -> None:
        from dagtop.journal.sqlite import SqliteJournal

        graph = Graph("g")

        @graph.task
        async def fails() -> None:
            raise ValueError("no")

        journal = SqliteJournal(tmp_path / "runs.db")
        result = await DAGExecutor(graph, ExecutorConfig(), journal=journal).run()
        stored = [event for event in journal.load(result.run).events() if isinstance(event, ev.TaskEscalated)]
        assert [event.report for event in stored] == list(result.escalations)


class TestExceptions:
    async def test_B15_a_chain_is_told_in_full_and_its_root_named(self) -> None:
        graph = Graph("g")

        @graph.task
        async def fails() -> None:
            try:
                try:
                    raise ConnectionResetError("by peer")
                except ConnectionResetError as error:
                    raise OSError("read failed") from error
            except OSError as error:
                error.add_note("while reading orders")
                raise RuntimeError("load failed") from error

        made = await report_of(graph, "fails")
        (attempt,) = made.attempts
        assert attempt.failure is not None
        text = attempt.failure.traceback
        order = [text.index(part) for part in ("by peer", "read failed", "while reading orders", "load failed")]
        assert order == sorted(order)
        assert attempt.failure.root == "ConnectionResetError: by peer"
        assert made.cause is Cause.UNAVAILABLE

    async def test_B15_a_raise_in_an_except_block_is_a_chain_without_saying_from(self) -> None:
        graph = Graph("g")

        @graph.task
        async def fails() -> None:
            try:
                raise ConnectionResetError("by peer")
            except OSError:
                raise RuntimeError("load failed")  # noqa: B904 - that is the point

        made = await report_of(graph, "fails")
        assert made.cause is Cause.UNAVAILABLE
        assert "comes from ConnectionResetError: by peer" in made.summary

    async def test_B15_what_went_wrong_before_and_was_dealt_with_is_not_the_root(self) -> None:
        graph = Graph("g")

        def fetch() -> None:
            raise RuntimeError("no such page")

        @graph.task
        async def fails() -> None:
            try:
                raise ConnectionResetError("no cache")
            except OSError:
                fetch()

        made = await report_of(graph, "fails")
        assert made.cause is Cause.FAILED_ONCE
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.root == ""
        assert "no cache" in made.attempts[0].failure.traceback

    async def test_B15_groups_of_groups_are_told_in_full_and_judged_by_what_is_in_them(self) -> None:
        graph = Graph("g")

        @graph.task
        async def fails() -> None:
            inner = ExceptionGroup("inner", [ConnectionRefusedError("a"), TimeoutError("b")])
            inner.add_note("two of three")
            raise ExceptionGroup("outer", [inner, BrokenPipeError("c")])

        made = await report_of(graph, "fails")
        assert made.attempts[0].failure is not None
        text = made.attempts[0].failure.traceback
        for part in (
            "outer",
            "inner",
            "two of three",
            "ConnectionRefusedError: a",
            "TimeoutError: b",
            "BrokenPipeError: c",
        ):
            assert part in text
        assert made.attempts[0].failure.error == "ExceptionGroup"
        assert made.cause is Cause.UNAVAILABLE

    async def test_B15_a_group_with_one_error_is_where_that_one_is(self) -> None:
        graph = Graph("g")

        async def child() -> None:
            raise MemoryError("all of it")

        @graph.task
        async def fails() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(child)

        made = await report_of(graph, "fails")
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.where.endswith("in child")
        assert made.cause is Cause.EXHAUSTED

    def test_B15_a_chain_that_bites_its_own_tail_is_walked_once(self) -> None:
        first, second = ValueError("first"), KeyError("second")
        first.__cause__, second.__cause__ = second, first
        assert failure_of(first).kinds == ("KeyError", "LookupError")
        assert failure_of(first).root == "KeyError: 'second'"

    def test_B15_a_monster_tells_what_it_can(self) -> None:
        class Meta(type):
            def __getattribute__(cls, name: str) -> Any:
                raise SystemExit("monster")

        class Monster(Exception, metaclass=Meta):  # noqa: N818 - a name of a test
            __cause__ = property(lambda self: 1 / 0)  # type: ignore[assignment]
            __context__ = property(lambda self: 1 / 0)  # type: ignore[assignment]

            def __str__(self) -> str:
                raise SystemExit("monster")

        failure = failure_of(Monster(), {"up": [1]})
        assert failure.error.endswith("Monster")
        assert "cannot be read" in failure.message

    def test_B15_a_very_long_chain_and_a_very_wide_group_are_bounded(self) -> None:
        error: Exception = ValueError("root")
        for n in range(300):
            above = RuntimeError(f"level {n}")
            above.__cause__ = error
            error = above
        wide = ExceptionGroup("wide", [error, *(type(f"Odd{n}", (Exception,), {})("x") for n in range(500))])
        failure = failure_of(wide)
        assert len(failure.kinds) <= 20
        assert len(failure.traceback) <= 21_000


class TestTimeouts:
    async def test_B15_a_timeout_says_where_it_stood(self) -> None:
        graph = Graph("g")

        async def deep() -> None:
            await anyio.sleep_forever()

        @graph.task(timeout=0.5)  # not before it has begun, however busy the machine is
        async def slow() -> None:
            await deep()

        made = await report_of(graph, "slow")
        assert made.cause is Cause.TIMEOUT
        assert any("it stood at" in line and line.endswith("in deep.") for line in made.evidence)

    async def test_B15_what_earlier_runs_took_is_told(self) -> None:
        graph = Graph("g")

        @graph.task(timeout=0.01)
        async def slow() -> None:
            await anyio.sleep_forever()

        async with live(graph) as run:
            run.engine.job.usual[0] = Usual(median=5.1, p95=6.0, runs=12)
        assert run.result is not None
        made = run.result["slow"].escalation
        assert made is not None
        assert made.summary.endswith("it usually takes 5.1 s.")
        assert "It usually takes 5.1 s, 6 s at most in 95 of 100 (12 earlier runs)." in made.evidence
        assert made.options[0].startswith("Raise timeout= above 6 s")


class TestInputs:
    async def test_B15_inputs_are_described_and_secrets_are_not(self) -> None:
        graph = Graph("g", inputs={"limit": 3, "api_key": "hunter2", "unused": 1})

        @graph.task
        async def fetch_token() -> str:
            return "s3cret-value"

        @graph.task
        async def rows() -> list[dict[str, Any]]:
            return [{"id": n, "password": "hunter2"} for n in range(1000)]

        @graph.task
        def load(rows: Any, fetch_token: Any, limit: int, api_key: str) -> None:
            raise OSError("disk")

        made = await report_of(graph, "load")
        assert set(made.inputs) == {"rows", "fetch_token", "limit", "api_key"}
        assert made.inputs["rows"].startswith("list of 1,000: [{'id': 0, 'password': «redacted»}")
        assert made.inputs["limit"] == "int: 3"
        told = json.dumps(dict(made.inputs))
        assert "hunter2" not in told
        assert "s3cret" not in told

    async def test_B15_an_upstream_that_gave_nothing_is_told_as_that(self) -> None:
        graph = Graph("g")

        @graph.task
        async def broken() -> None:
            raise RuntimeError("no")

        @graph.task(on_upstream_failure="run")
        async def load(broken: Any) -> int:
            return len(broken)

        made = await report_of(graph, "load")
        assert made.inputs == {"broken": "nothing: it failed"}
        assert made.cause is Cause.BAD_INPUT
        assert "broken failed, so it gave None." in made.evidence
        assert made.options[0] == "See why broken did not succeed, then restart that with downstream."

    async def test_B15_a_spec_is_an_input_too(self) -> None:
        def run(task: str, spec: dict[str, Any]) -> None:
            raise OSError("disk")

        graph = Graph.from_specs("g", tasks={"a": {"url": "x", "token": "hunter2"}}, dependencies={}, run=run)
        made = await report_of(graph, "a")
        assert "url" in made.inputs["spec"]
        assert "hunter2" not in made.inputs["spec"]

    async def test_B15_of_a_wide_join_some_inputs_are_described(self) -> None:
        graph = Graph("g")
        for n in range(60):
            graph.add(f"t{n}", lambda: "x" * 10_000)

        @graph.task(depends_on=[f"t{n}" for n in range(60)])
        def join() -> None:
            raise OSError("disk")

        made = await report_of(graph, "join")
        assert len(made.inputs) == 21
        assert made.inputs["…"] == "and 40 more upstream tasks"
        assert sum(map(len, made.inputs.values())) < 8_000


# The bodies of tasks that fail on what they were given; each has the upstream tasks "rows" and "other".


def by_item(rows: Any, other: Any) -> Any:
    return [row["price"] for row in rows]


def by_item_over_lines(rows: Any, other: Any) -> Any:
    return [
        row["price"]
        for row in rows
        if row is not other
    ]  # fmt: skip


def by_loop(rows: Any, other: Any) -> Any:
    total = 0
    for row in rows:
        total += row["price"]
    return total


def by_helper(rows: Any, other: Any) -> Any:
    def price(row: Any) -> Any:
        return row["price"]

    return [price(row) for row in rows]


def by_library(rows: Any, other: Any) -> Any:
    return json.loads(rows)


def by_attribute(rows: Any, other: Any) -> Any:
    return rows.price


def by_wrapped_error(rows: Any, other: Any) -> Any:
    try:
        return rows["price"]
    except TypeError as error:
        raise RuntimeError("cannot load") from error


async def by_context(ctx: TaskContext) -> Any:
    return ctx.upstream["rows"]["price"]


def by_own_fault(rows: Any, other: Any) -> Any:
    table = {"a": 1}
    return table["b"]


def by_number(rows: Any, other: Any) -> Any:
    return other + "x"


class TestBadInput:
    @pytest.mark.parametrize(
        "body",
        [by_item, by_item_over_lines, by_loop, by_helper, by_library, by_attribute, by_wrapped_error, by_context],
        ids=lambda body: body.__name__,
    )
    async def test_B15_the_upstream_whose_output_the_failing_line_had_is_named(self, body: Any) -> None:
        graph = Graph("g")
        graph.add("rows", lambda: [{"cost": 1}, {"cost": 2}]).add("other", lambda: 3)
        graph.add("load", body, depends_on=["rows", "other"])
        made = await report_of(graph, "load")
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.given_by == "rows"
        assert made.cause is Cause.BAD_INPUT

    async def test_B15_a_scalar_that_is_given_by_name_is_found_too(self) -> None:
        graph = Graph("g")
        graph.add("rows", list).add("other", lambda: 3).add("load", by_number)
        made = await report_of(graph, "load")
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.given_by == "other"

    async def test_B15_a_bug_in_the_tasks_own_things_blames_nobody(self) -> None:
        graph = Graph("g")
        graph.add("rows", list).add("other", lambda: 3).add("load", by_own_fault)
        made = await report_of(graph, "load")
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.given_by == ""
        assert made.cause is Cause.REPEATED


class TestServices:
    async def test_B15_retry_after_from_an_error_keeps_that_error_in_the_report(self) -> None:
        graph = Graph("g")

        @graph.task(retries=1)
        async def busy() -> None:
            try:
                raise ConnectionError("503 from api")
            except ConnectionError as error:
                raise RetryAfter(0) from error

        made = await report_of(graph, "busy")
        assert made.cause is Cause.UNAVAILABLE
        assert [past.failure.error for past in made.attempts if past.failure] == ["ConnectionError"] * 2
        assert made.attempts[0].failure is not None
        assert made.attempts[0].failure.message == "503 from api"
        assert "RetryAfter" in made.attempts[0].failure.traceback

    async def test_B15_a_thousand_failures_at_once_each_have_their_report(self) -> None:
        def run(task: str, spec: Any) -> None:
            raise ValueError(f"bad {task}")

        tasks = {f"t{n}": n for n in range(1000)}
        dependencies = {"join": set(tasks), "end": {"join"}}
        graph = Graph.from_specs("g", tasks={**tasks, "join": 0, "end": 0}, dependencies=dependencies, run=run)
        result = (await run_all(graph)).result
        assert result is not None
        assert len(result.escalations) == 1000
        assert {one.blocks for one in result.escalations} == {("join", "end")}
        assert [one.number for one in result.escalations] == list(range(1, 1001))


def test_B15_who_kept_the_loop_for_most_of_an_attempts_time_is_its_blocker() -> None:
    def kept(until: float, task: str, seconds: float, who: str = "") -> Kept:
        return Kept(until, Blocked(task=task, seconds=seconds, stack="", where=f"{task}.py:1", who=who))

    crunch = kept(9.0, "crunch", 4.0)
    assert blocker_of([crunch], 5.0, 9.0) == (crunch.blocked, 4.0)
    assert blocker_of([kept(3.0, "a", 3.0), crunch], 7.0, 9.0) == (crunch.blocked, 2.0), "only while the attempt ran"
    assert blocker_of([crunch], 0.0, 9.0) == (None, 0.0), "it had time enough besides"
    assert blocker_of([kept(9.0, "", 4.0), kept(9.0, "held", 4.0, "holds the interpreter")], 5.0, 9.0) == (None, 0.0)
    assert blocker_of([crunch], None, 9.0) == (None, 0.0)


async def test_B15_a_graphs_service_that_cannot_be_opened_is_named() -> None:
    graph = Graph("g")

    @graph.service
    def db() -> Any:
        raise OSError("no such host today")

    graph.add("load", lambda db: 1)
    result = await DAGExecutor(graph).run()
    made = result["load"].escalation
    assert made is not None
    assert made.cause is Cause.UNAVAILABLE
    assert made.summary.startswith("The service db cannot be opened: OSError: no such host today")
