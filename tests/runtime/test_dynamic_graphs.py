"""Graphs that grow while they run: tasks that are spawned or returned, and lists that are known only at run time."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dagtop import (
    CycleError,
    DAGExecutor,
    DuplicateTaskError,
    Graph,
    GraphError,
    OptionError,
    Pool,
    Retry,
    RunResult,
    RunState,
    Skip,
    Task,
    TaskContext,
    TaskState,
    UnknownDependencyError,
)
from dagtop.core import events as ev
from engine_driver import run_all

pytestmark = pytest.mark.anyio


async def played(graph: Graph) -> tuple[RunResult, list[ev.AnyEvent]]:
    run = await run_all(graph)
    assert run.result is not None
    return run.result, run.events


class TestSpawning:
    async def test_B42_a_spawned_task_runs_with_its_arguments_by_name(self) -> None:
        graph = Graph("crawl")

        @graph.task
        async def start(ctx: TaskContext) -> int:
            assert ctx.spawn("page", lambda start: start + 1) == "page"
            ctx.spawn("next_page", lambda page: page + 1, retries=2)
            return 1

        result, events = await played(graph)
        assert {task.name: task.output for task in result} == {"start": 1, "page": 2, "next_page": 3}
        grown = [event for event in events if isinstance(event, ev.GraphChanged)]
        assert [(task.name, task.upstream) for change in grown for task in change.added] == [
            ("page", ("start",)),
            ("next_page", ("page",)),
        ]
        assert {change.reason for change in grown} == {"spawned by start"}

    async def test_B42_from_a_thread_and_by_a_task_that_was_spawned_itself(self) -> None:
        graph = Graph("crawl")

        def level(ctx: TaskContext) -> int:
            depth = int(ctx.task.removeprefix("level_"))
            if depth < 5:
                ctx.spawn(f"level_{depth + 1}", level)
            return depth

        graph.add("level_0", level)
        result, _ = await played(graph)
        assert [task.output for task in result] == [0, 1, 2, 3, 4, 5]

    async def test_B42_a_task_that_has_not_started_waits_for_it_if_it_is_told_to(self) -> None:
        graph = Graph("crawl")

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("page", lambda: "text", before=["report"])

        @graph.task(depends_on=[start])
        async def report(ctx: TaskContext) -> dict[str, Any]:
            return dict(ctx.upstream)

        result, _ = await played(graph)
        assert result["report"].output == {"start": None, "page": "text"}

    async def test_B42_returned_tasks_come_too_and_their_names_are_the_output(self) -> None:
        graph = Graph("crawl")

        @graph.task
        def several() -> list[Task]:
            return [Task("one", lambda: 1), Task("two", lambda one: one + 1, tags=["late"])]

        @graph.task
        async def single() -> Task:
            return Task("alone", lambda: 3)

        @graph.task
        def names(several: list[str], single: str) -> list[str]:
            return [*several, single]

        result, _ = await played(graph)
        assert result["names"].output == ["one", "two", "alone"]
        assert [result[name].output for name in ("one", "two", "alone")] == [1, 2, 3]

    async def test_B42_a_failed_attempt_of_the_spawner_takes_nothing_back(self) -> None:
        graph = Graph("crawl")

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("page", lambda: "text")
            raise ValueError("after the fact")

        result, _ = await played(graph)
        assert result["start"].state is TaskState.FAILED
        assert result["page"].output == "text"

    async def spawned_twice(self, *variants: Any, **later: Any) -> tuple[RunResult, list[int]]:
        """Two attempts of one task spawn one name: what it returns each time, and with which options the second time."""
        graph, ran = Graph("g").add("first", lambda: 1), list[int]()

        @graph.task(retries=Retry(retries=1, base=0))
        async def start(ctx: TaskContext) -> None:
            value = variants[ctx.attempt - 1]
            ctx.spawn("page", lambda: ran.append(value) or value, **(later if ctx.attempt == 2 else {}))
            if ctx.attempt == 1:
                raise ValueError("once")

        result, _ = await played(graph)
        return result, ran

    async def test_B42_a_spawner_that_is_tried_again_may_spawn_the_same_again(self) -> None:
        """It got "there is a task named 'page' already", and could never succeed."""
        result, ran = await self.spawned_twice(5, 5)
        assert (result.state, result["page"].output, ran) == (RunState.SUCCEEDED, 5, [5])

    @pytest.mark.parametrize(("value", "later"), [(6, {}), (5, {"depends_on": ["first"]}), (5, {"retries": 2})])
    async def test_B42_what_is_spawned_again_as_another_one_starts_over(
        self, value: int, later: dict[str, Any]
    ) -> None:
        result, ran = await self.spawned_twice(5, value, **later)
        assert (result.state, result["page"].output) == (RunState.SUCCEEDED, value)
        assert ran[-1] == value
        assert result.plan.upstream[result.plan.index["page"]] == ([0] if "depends_on" in later else [])

    async def test_B42_what_is_spawned_again_cannot_have_another_setup(self) -> None:
        result, ran = await self.spawned_twice(5, 5, setup=lambda: 1)
        failure = result["start"].failure
        assert failure is not None
        assert failure.message.startswith("'page' is there already, with other when=, cache=, setup=")
        assert ran == [5]

    async def test_B42_one_attempt_cannot_spawn_one_name_twice_nor_another_task_the_same(self) -> None:
        graph = Graph("g")

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("page", lambda: 1)
            with pytest.raises(DuplicateTaskError):
                ctx.spawn("page", lambda: 1)

        @graph.task(depends_on=[start])
        async def other(ctx: TaskContext) -> None:
            with pytest.raises(DuplicateTaskError):
                ctx.spawn("page", lambda: 1)

        result, _ = await played(graph)
        assert result.state is RunState.SUCCEEDED

    async def test_B42_what_is_spawned_again_cannot_depend_on_what_depends_on_it(self) -> None:
        graph = Graph("g")

        @graph.task(retries=Retry(retries=1, base=0))
        async def start(ctx: TaskContext) -> None:
            if ctx.attempt == 1:
                ctx.spawn("page", lambda: 1)
                ctx.spawn("next", lambda page: page)
                raise ValueError("once")
            with pytest.raises(CycleError):
                ctx.spawn("page", lambda next: next)  # noqa: A006

        result, _ = await played(graph)
        assert result.state is RunState.SUCCEEDED

    @pytest.mark.parametrize("first", [True, False])
    async def test_B42_tasks_among_other_values_are_refused(self, first: bool) -> None:
        """The tasks were taken for values, and never ran."""
        graph, both = Graph("g"), [Task("page", lambda: 1), 5]
        graph.add("start", lambda: both if first else both[::-1])
        result, _ = await played(graph)
        failure = result["start"].failure
        assert failure is not None
        assert failure.message.startswith("it returned 1 Task among 1 other value: return Tasks alone")
        assert "page" not in result

    @pytest.mark.parametrize("returned", [True, False])
    async def test_B42_what_spawned_is_not_taken_from_the_cache(self, returned: bool, tmp_path: Path) -> None:
        """Taken from the cache it spawned nothing, and its tasks were missing without a word."""
        for _ in range(2):
            graph = Graph("g", cache=str(tmp_path / "cache.sqlite3"))

            def start(ctx: TaskContext) -> Any:
                return [Task("page", lambda: 1)] if returned else ctx.spawn("page", lambda: 1)

            graph.add("start", start, cache=True)
            result, events = await played(graph)
            assert (result["start"].state, result["page"].output) == (TaskState.SUCCEEDED, 1)
            told = [event.reason for event in events if isinstance(event, ev.TaskNotCached)]
            assert told[-1].startswith("it spawned tasks, which would be missing: what it returns is not stored")

    @pytest.mark.parametrize(
        ("name", "fn", "options", "kind", "said"),
        [
            ("start", lambda: 1, {}, DuplicateTaskError, "there is a task named 'start' already"),
            ("  ", lambda: 1, {}, GraphError, "not empty"),
            ("page", lambda nowhere: 1, {}, UnknownDependencyError, "parameter 'nowhere' is no task"),
            ("page", lambda: 1, {"depends_on": ["stat"]}, UnknownDependencyError, "did you mean 'start'?"),
            ("page", lambda: 1, {"before": ["stat"]}, UnknownDependencyError, "did you mean 'start'?"),
            ("page", lambda: 1, {"retrys": 1}, OptionError, "did you mean 'retries'?"),
            ("page", lambda: 1, {"pool": "db"}, OptionError, "there is no pool 'db'"),
            ("page", lambda: 1, {"timeout": -1}, OptionError, "timeout"),
            ("page", 5, {}, GraphError, "must be a function"),
            ("page", lambda: 1, {"backend": "marmalade"}, OptionError, "backend must be one of"),
            ("page", lambda: 1, {"before": 5}, OptionError, "before must be a task or a list of tasks, not 5"),
            ("page", lambda later: 1, {"before": ["start"]}, CycleError, "cannot come before 'start'"),
        ],
    )
    async def test_B1_what_could_not_be_declared_cannot_be_spawned(
        self, name: str, fn: Any, options: dict[str, Any], kind: type[GraphError], said: str
    ) -> None:
        graph = Graph("crawl")
        caught: list[GraphError] = []

        @graph.task
        async def start(ctx: TaskContext) -> None:
            with pytest.raises(kind) as error:
                ctx.spawn(name, fn, **options)
            caught.append(error.value)

        graph.add("later", lambda start: start)
        result, _ = await played(graph)
        assert said in str(caught[0])
        assert result.state is RunState.SUCCEEDED
        assert len(result) == 2, "nothing was added"

    async def test_B42_a_flaw_in_a_returned_task_fails_the_task_that_returned_it(self) -> None:
        graph = Graph("crawl")
        graph.add("start", lambda: [Task("page", lambda nowhere: 1)])
        result, _ = await played(graph)
        failure = result["start"].failure
        assert failure is not None
        assert "parameter 'nowhere' is no task" in failure.message

    async def test_B26_whatever_is_wrong_with_a_returned_task_only_the_task_that_returned_it_fails(self) -> None:
        """A backend that does not exist, and options that raise when they are looked at, ended the engine."""

        class Exits:
            def __iter__(self) -> Any:
                raise SystemExit("no")

            def __repr__(self) -> str:
                raise KeyboardInterrupt

        graph = Graph("crawl")
        for number, options in enumerate([{"backend": "x"}, {"before": 5}, {"tags": Exits()}, {"timeout": Exits()}]):
            graph.add(f"start{number}", partial(Task, "page", int, **options))
        result, _ = await played(graph)
        assert [task.state for task in result] == [TaskState.FAILED] * 4

    async def test_B42_what_has_started_cannot_be_held_back(self) -> None:
        graph = Graph("crawl")
        caught: list[str] = []
        begun, told = threading.Event(), threading.Event()

        @graph.task
        def other() -> None:
            begun.set()
            told.wait(10)

        @graph.task
        def start(ctx: TaskContext) -> None:
            begun.wait(10)
            try:
                ctx.spawn("page", lambda: 1, before=[other])
            except GraphError as error:
                caught.append(str(error))
            told.set()

        await played(graph)
        (said,) = caught
        assert said.endswith("'page' cannot come before 'other', which has started already")

    async def test_B42_one_that_is_refused_leaves_the_arguments_of_those_after_it_as_they_are(self) -> None:
        """Its number was given away, and later tasks took the output of another than the one that they named."""
        graph = Graph("crawl").add("early", lambda: 1)
        refused: list[str] = []

        @graph.task(depends_on=["early"])
        async def start(ctx: TaskContext) -> None:
            try:
                ctx.spawn("page", lambda: 0, before="early")
            except GraphError as error:
                refused.append(str(error))
            ctx.spawn("page", lambda: "page")
            ctx.spawn("parsed", lambda page: f"parsed {page}")

        result, _ = await played(graph)
        assert len(refused) == 1
        assert result["parsed"].output == "parsed page"

    async def test_B42_one_comes_before_another_that_was_spawned_at_the_same_time(self) -> None:
        graph = Graph("crawl")
        order: list[str] = []

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("later", lambda: order.append("later"))
            ctx.spawn("sooner", lambda: order.append("sooner"), before="later")
            with pytest.raises(CycleError, match="'circle' cannot come before 'sooner', on which it depends"):
                ctx.spawn("circle", lambda: None, before="sooner", depends_on=["later"])

        result, _ = await played(graph)
        assert result.ok
        assert order == ["sooner", "later"]

    async def test_B42_spawned_tasks_have_conditions_setups_caches_and_pools_like_others(self) -> None:
        graph = Graph("crawl", pools={"db": 1})
        told: list[str] = []

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("never", lambda: 1, when=lambda: False)
            ctx.spawn(
                "within",
                lambda resource: told.append(f"run with {resource}"),
                setup=lambda: "a table",
                teardown=lambda resource: told.append(f"dropped {resource}"),
                pool="db",
            )

        result, _ = await played(graph)
        assert result["never"].state is TaskState.SKIPPED
        assert told == ["run with a table", "dropped a table"]

    async def test_B42_a_thousand_tasks_from_many_threads(self) -> None:
        graph = Graph("crawl", max_parallel=16)

        def start(ctx: TaskContext) -> None:
            for number in range(100):
                ctx.spawn(f"{ctx.task}_{number}", async_nothing)

        async def async_nothing() -> int:
            return 1

        for number in range(10):
            graph.add(f"start_{number}", start)
        result, _ = await played(graph)
        assert result.counts == {"succeeded": 1010}

    async def test_B42_graphs_of_specs_grow_too(self) -> None:
        async def run(task: str, spec: int, ctx: TaskContext) -> int:
            if spec:
                ctx.spawn(f"{task}_more", lambda: spec * 10)
            return spec

        graph = Graph.from_specs("specs", tasks={"a": 0, "b": 3}, run=run)
        result, _ = await played(graph)
        assert {task.name: task.output for task in result} == {"a": 0, "b": 3, "b_more": 30}

    async def test_B4_a_graph_that_grew_in_one_run_is_as_declared_in_the_next(self) -> None:
        graph = Graph("crawl")

        @graph.task
        async def start(ctx: TaskContext) -> None:
            ctx.spawn("page", lambda: 1, when=lambda: True)

        for _ in range(2):
            result, _ = await played(graph)
            assert [task.name for task in result] == ["start", "page"]
        assert graph.names == ("start",)


class TestMaps:
    @pytest.mark.parametrize("items", [[3, 1, 2], (3, 1, 2), range(3), {"a": 1}.items(), {}, iter([5])])
    async def test_B42_each_element_has_a_task_and_the_outputs_are_gathered_in_order(self, items: Any) -> None:
        graph = Graph("maps")
        elements = list(items) if not hasattr(items, "__next__") else [5]
        graph.add("numbers", lambda: elements)
        graph.map("double", lambda number: (number, number), over="numbers")
        graph.add("total", lambda double: len(double))
        result, _ = await played(graph)
        assert result["double"].output == [(one, one) for one in elements]
        assert result["total"].output == len(elements)

    async def test_B42_a_mapping_gives_pairs_and_a_given_list_needs_no_task(self) -> None:
        graph = Graph("maps")
        graph.add("sizes", lambda: {"a": 1, "b": 2})
        graph.map("said", lambda pair: f"{pair[0]}{pair[1]}", over="sizes")
        graph.map("plain", lambda number: number + 1, over=[1, 2])
        result, _ = await played(graph)
        assert result["said"].output == ["a1", "b2"]
        assert result["plain"].output == [2, 3]

    async def test_B42_other_parameters_are_filled_by_name(self) -> None:
        graph = Graph("maps", inputs={"factor": 3})
        graph.add("base", lambda: 100)

        async def work(number: int, base: int, factor: int, ctx: TaskContext) -> str:
            return f"{ctx.task}: {number * factor + base}"

        graph.map("work", work, over=[1, 2])
        result, _ = await played(graph)
        assert result["work"].output == ["work[0]: 103", "work[1]: 106"]

    async def test_B6_its_limit_is_never_exceeded(self) -> None:
        graph = Graph("maps", max_parallel=10)
        lock, now, most = threading.Lock(), 0, 0
        both = threading.Barrier(2, timeout=10)

        def work(number: int) -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            both.wait()
            with lock:
                now -= 1

        graph.map("work", work, over=range(6), limit=2)
        result, _ = await played(graph)
        assert result.state is RunState.SUCCEEDED
        assert most == 2

    async def test_B42_one_that_fails_keeps_the_gathering_from_running_unless_some_are_enough(self) -> None:
        def work(number: int) -> int:
            if number == 2:
                raise ValueError("two")
            return number

        graph = Graph("maps")
        graph.map("all", work, over=[1, 2, 3])
        graph.map("some", work, over=[1, 2, 3], collect="some")
        result, _ = await played(graph)
        assert (result["all"].state, result["all"].reason) == (TaskState.SKIPPED, "upstream all[1] failed")
        assert result["some"].output == [1, None, 3]

    async def test_B42_elements_have_the_options_of_tasks(self) -> None:
        graph = Graph("maps")
        tries: list[int] = []

        def work(number: int) -> int:
            tries.append(number)
            if len(tries) < 3:
                raise ValueError("not yet")
            if number == 0:
                raise Skip("nothing there")
            return number

        graph.map("work", work, over=[7], retries=2, tags=["slow"])
        graph.map("never", work, over=[1, 2], when=False)
        result, _ = await played(graph)
        assert result["work"].output == [7]
        assert result["work[0]"].attempts == 3
        assert result["never"].state is TaskState.SKIPPED
        assert "never[0]" not in result, "nothing is made of a list that is not wanted"

    async def test_B42_what_cannot_be_iterated_fails_the_gathering_task_and_says_so(self) -> None:
        graph = Graph("maps")
        graph.add("numbers", lambda: 5)
        graph.map("work", lambda number: number, over="numbers")
        result, _ = await played(graph)
        failure = result["work"].failure
        assert failure is not None
        assert failure.message == "'int' object is not iterable"

    async def test_B42_nothing_is_made_of_the_list_of_a_task_that_failed(self) -> None:
        graph = Graph("maps")
        graph.add("numbers", lambda: 1 / 0)
        graph.map("work", lambda number: number, over="numbers")
        result, _ = await played(graph)
        assert (result["work"].state, result["work"].reason) == (TaskState.SKIPPED, "upstream numbers failed")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"over": 5}, "over must be a task or a list, not 5"),
            ({"over": [1], "limit": 0}, "limit must be a whole number of at least 1 or None, not 0"),
            ({"over": [1], "limit": 2, "pool": "db"}, "limit and pool exclude each other"),
            ({"over": [1], "collect": "none"}, "collect must be 'all' or 'some', not 'none'"),
        ],
    )
    def test_B1_options_that_cannot_be_are_refused(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(OptionError, match=said):
            Graph("maps").map("work", lambda number: number, **options)

    def test_B1_a_list_that_no_task_returns_is_an_error_before_the_run(self) -> None:
        graph = Graph("maps")
        graph.add("numbers", lambda: [1])
        graph.map("work", lambda number: number, over="number")
        with pytest.raises(UnknownDependencyError, match="did you mean 'numbers'"):
            graph.validate()

    async def test_B42_its_pool_may_be_shared_with_others(self) -> None:
        graph = Graph("maps", pools={"db": Pool(1)})
        graph.map("work", lambda number: number, over=[1, 2, 3], pool="db")
        result, _ = await played(graph)
        assert result["work"].output == [1, 2, 3]


RAN: list[Any] = []


def double(number: int) -> int:
    RAN.append(number)
    return number * 2


async def nothing() -> None:
    pass


def page() -> str:
    RAN.append("page")
    return "text"


class TestTogetherWithTheRest:
    async def test_B42_elements_are_cached_one_by_one(self, anyio_backend_name: str) -> None:
        def graph_of(*numbers: int) -> Graph:
            graph = Graph(f"cached maps on {anyio_backend_name}")
            return graph.map("work", double, over=list(numbers), cache=True)

        RAN.clear()
        await played(graph_of(1, 2))
        result, _ = await played(graph_of(1, 2, 3))
        assert sorted(RAN) == [1, 2, 3]
        assert result["work"].output == [2, 4, 6]
        assert result["work[0]"].state is TaskState.CACHED

    async def test_B42_a_spawned_task_is_cached_though_none_was_when_the_run_began(
        self, anyio_backend_name: str
    ) -> None:
        def graph() -> Graph:
            made = Graph(f"cached spawns on {anyio_backend_name}")

            @made.task
            async def start(ctx: TaskContext) -> None:
                ctx.spawn("page", page, cache=True)

            return made

        RAN.clear()
        await played(graph())
        result, _ = await played(graph())
        assert RAN == ["page"]
        assert result["page"].output == "text"

    async def test_B42_so_is_one_that_returns_None_on_a_worker_from_before(self, tmp_path: Path) -> None:
        def graph() -> Graph:
            made = Graph("g", max_parallel=1)

            @made.task
            async def start(ctx: TaskContext) -> None:
                ctx.spawn("nothing", nothing, cache=True)

            return made

        await DAGExecutor(graph(), journal=tmp_path / "j.db", capture=False).run()
        result = await DAGExecutor(graph(), journal=tmp_path / "j.db", capture=False).run()
        assert result["nothing"].state is TaskState.CACHED

    async def test_B42_B43_of_cached_tasks_that_come_together_none_is_asked_before_the_cache_is_open(
        self, tmp_path: Path
    ) -> None:
        """The first of them opened it; the others found none meanwhile, ran without a word, and nothing of them was stored."""

        def graph() -> Graph:
            made = Graph("g")

            @made.task
            async def start(ctx: TaskContext) -> None:
                for name in ("one", "two", "three"):
                    ctx.spawn(name, nothing, cache=True)

            return made

        await DAGExecutor(graph(), journal=tmp_path / "j.db", capture=False).run()
        result = await DAGExecutor(graph(), journal=tmp_path / "j.db", capture=False).run()
        assert [result[name].state for name in ("one", "two", "three")] == [TaskState.CACHED] * 3

    async def test_B9_elements_are_of_one_kind(self) -> None:
        graph = Graph("kinds", adaptive=True)
        graph.add("numbers", lambda: [1, 2, 3])

        def work(number: int) -> int:
            return number

        graph.map("work", work, over="numbers")
        run = await run_all(graph)
        plan = run.engine.machine.plan
        assert plan.kinds is not None
        assert len({plan.kinds[plan.index[f"work[{place}]"]] for place in range(3)}) == 1
