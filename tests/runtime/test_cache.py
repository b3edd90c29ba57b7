"""Incremental runs: what is unchanged is taken from an earlier run, and why a task ran or did not is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, RunResult, TaskState
from dagtop.core import events as ev
from dagtop.core.commands import RestartTask
from dagtop.errors import OptionError, UnknownDependencyError
from dagtop.journal.cache_memory import SHELF
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from engine_driver import Watch, live

pytestmark = pytest.mark.anyio


class Ran(Watch):
    """One run, and what its events tell of the cache."""

    result: RunResult

    @property
    def ran(self) -> str:
        return "".join(event.task for event in self.of(ev.TaskStarted))

    @property
    def cached(self) -> dict[str, str]:
        return {event.task: event.reason for event in self.of(ev.TaskCached)}

    @property
    def why(self) -> dict[str, str]:
        return {event.task: event.reason for event in self.of(ev.TaskNotCached)}

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        return [(event.source, event.task, event.message) for event in self.of(ev.Problem)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def run(graph: Graph, path: Path | None, **config: Any) -> Ran:
    watch = Ran()
    executor = DAGExecutor(
        graph,
        ExecutorConfig(**config),
        journal=path,
        recorders=[watch],
        run_id=config.pop("run_id", None),
        capture=False,
    )
    watch.result = await executor.run()
    return watch


def chain(a: Any = 1, b: Callable[..., Any] | None = None, **options: Any) -> Graph:
    """a → b → c, all cached; `a` is what the first one returns."""

    def first() -> Any:
        return a

    def second(a: Any) -> Any:
        return ["b", a]

    def third(b: Any) -> Any:
        return ["c", b]

    graph = Graph("chain", **options)
    graph.add("a", first, cache=True).add("b", b or second, cache=True).add("c", third, cache=True)
    return graph


class TestUnchanged:
    async def test_B43_the_second_run_takes_all_that_is_unchanged_and_says_from_where(self, path: Path) -> None:
        first = await run(chain(), path)
        assert first.ran == "abc"
        assert first.why == dict.fromkeys("abc", "nothing stored yet")
        again = await run(chain(), path)
        assert again.ran == ""
        assert again.cached == dict.fromkeys("abc", f"code, options and inputs unchanged since run {first.result.run}")
        assert [again.result[name].state for name in "abc"] == [TaskState.CACHED] * 3
        assert again.result["c"].output == ["c", ["b", 1]]
        assert again.result.ok
        assert again.types("c") == ["cached"]

    async def test_B43_None_is_an_output_like_any_other(self, path: Path) -> None:
        await run(chain(None), path)
        again = await run(chain(None), path)
        assert (again.ran, again.result["a"].output) == ("", None)

    async def test_B43_async_tasks_are_cached_too(self, path: Path) -> None:
        async def one() -> int:
            return 1

        for ran in ("a", ""):
            assert (await run(Graph("g").add("a", one, cache=True), path)).ran == ran

    async def test_B43_specs_are_part_of_the_key(self, path: Path) -> None:
        def work(task: str, spec: Any) -> Any:
            return spec

        def of(**specs: Any) -> Graph:
            options = {task: {"cache": True} for task in specs}
            return Graph.from_specs("specs", tasks=specs, run=work, task_options=options)

        await run(of(a=1, b=2), path)
        again = await run(of(a=1, b=3), path)
        assert (again.ran, again.why) == ("b", {"b": "its spec changed"})

    async def test_B43_a_task_without_the_option_runs_every_time(self, path: Path) -> None:
        graph = Graph("g").add("a", lambda: 1).add("b", lambda a: a, cache=True)
        await run(graph, path)
        again = await run(graph, path)
        assert (again.ran, set(again.cached)) == ("a", {"b"})

    async def test_B43_large_outputs_come_back_too(self, path: Path) -> None:
        large = ["x" * 100] * 2000
        await run(chain(large), path)
        again = await run(chain(large), path)
        assert (again.ran, again.result["b"].output) == ("", ["b", large])


class TestChanged:
    async def test_B43_early_cut_off_what_is_behind_an_upstream_that_returned_the_same_is_cached(
        self, path: Path
    ) -> None:
        await run(chain(b=lambda a: ["b", a]), path)
        again = await run(chain(b=lambda a: ["b", a, *()]), path)  # other code, the same output
        assert again.ran == "b"
        assert again.why == {"b": "its code changed"}
        assert set(again.cached) == {"a", "c"}

    async def test_B43_another_output_of_an_upstream_is_told_by_its_name(self, path: Path) -> None:
        await run(chain(1), path)
        again = await run(chain(2), path)
        assert again.ran == "abc"
        assert again.why == {"a": "its code changed", "b": "input a changed", "c": "input b changed"}

    async def test_B43_one_can_go_back_to_what_was_before(self, path: Path) -> None:
        for value, ran in ((1, "abc"), (2, "abc"), (1, ""), (2, "")):
            assert (await run(chain(value), path)).ran == ran

    async def test_B43_another_input_is_told_by_its_name(self, path: Path) -> None:
        def work(day: str, hour: int) -> str:
            return f"{day} {hour}"

        graph = Graph("g", inputs={"day": "monday", "hour": 1}).add("a", work, cache=True)
        await run(graph, path)
        again = await run(graph, path, inputs={"day": "tuesday"})
        assert (again.ran, again.why) == ("a", {"a": "input day changed"})
        assert (await run(graph, path, inputs={"day": "tuesday"})).ran == ""

    async def test_B43_options_that_decide_what_comes_out_count_and_others_do_not(self, path: Path) -> None:
        def of(**options: Any) -> Graph:
            return Graph("g").add("a", lambda: 1).add("b", lambda a: a, cache=True, **options)

        await run(of(), path)
        assert (await run(of(retries=5, timeout=9, priority=2, cost=3, tags=["x"]), path)).ran == "a"
        assert (await run(of(on_upstream_failure="run"), path)).why == {"b": "its code changed"}

    async def test_B43_an_upstream_that_failed_is_not_one_that_returned_None(self, path: Path) -> None:
        def of(first: Callable[[], Any]) -> Graph:
            graph = Graph("g").add("a", first)
            return graph.add("b", lambda a: "ran", cache=True, on_upstream_failure="run")

        def fails() -> None:
            raise ValueError("no")

        await run(of(lambda: None), path)
        assert (await run(of(fails), path)).why == {"b": "input a changed"}

    async def test_B43_many_changes_are_counted(self, path: Path) -> None:
        def work(a: int, b: int, c: int, d: int, e: int) -> int:
            return a

        graph = Graph("g", inputs=dict.fromkeys("abcde", 1)).add("t", work, cache=True)
        await run(graph, path)
        again = await run(graph, path, inputs=dict.fromkeys("abcde", 2))
        assert again.why == {"t": "input a changed, input b changed, input c changed and 2 more"}

    async def test_B43_of_a_mapped_list_only_the_elements_that_changed_run(self, path: Path) -> None:
        def of(*elements: int) -> Graph:
            graph = Graph("mapped").add("xs", lambda: list(elements))
            graph.map("double", lambda x: 2 * x, over="xs", cache=True)
            return graph.add("sum", lambda double: sum(double), cache=True)

        await run(of(1, 2, 3), path)
        again = await run(of(1, 2, 3), path)
        assert set(again.cached) == {"double[0]", "double[1]", "double[2]", "sum"}
        other = await run(of(1, 5, 3), path)
        assert set(other.cached) == {"double[0]", "double[2]"}
        assert other.why == {"double[1]": "its element changed", "sum": "input double changed"}
        assert other.result["sum"].output == 18


class TestKeyFunctions:
    async def test_B43_what_a_key_function_returns_joins_the_key(self, path: Path) -> None:
        version = [1]

        def key(day: str) -> Any:
            return day, version[0]

        async def late(a: int) -> int:
            return version[0] + a

        graph = Graph("g", inputs={"day": "monday"})
        graph.add("a", lambda: 1, cache=key).add("b", lambda a: 2, cache=late)
        assert (await run(graph, path)).ran == "ab"
        assert (await run(graph, path)).ran == ""
        version[0] = 2
        again = await run(graph, path)
        assert again.why == {"a": "its cache key changed", "b": "its cache key changed"}

    async def test_B43_a_key_function_makes_what_it_names_a_dependency(self) -> None:
        graph = Graph("g").add("a", lambda: 1).add("b", lambda: 2, cache=lambda a: a)
        assert graph.validate().upstream[1] == [0]

    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
    async def test_B16_a_key_function_that_raises_is_shown_and_the_task_runs_uncached(
        self, path: Path, error: BaseException
    ) -> None:
        def key() -> None:
            raise error

        graph = Graph("g").add("a", lambda: 1, cache=key)
        for _ in range(2):
            done = await run(graph, path)
            assert (done.ran, done.result.ok) == ("a", True)
            ((source, task, message),) = done.problems
            said = f"its cache key raised {type(error).__name__}: {error}"
            assert (source, task, message) == ("cache", "a", f"{said}; it runs uncached")
            assert done.why == {"a": said}

    async def test_B43_a_key_that_cannot_be_compared_is_shown(self, path: Path) -> None:
        done = await run(Graph("g").add("a", lambda: 1, cache=lambda: object()), path)
        assert done.ran == "a"
        assert done.problems[0][2].startswith("what its cache key returned cannot be compared: it is an object")


class TestWhatIsNotStored:
    async def test_B43_only_successes_are_stored(self, path: Path) -> None:
        ok = [False]

        def flaky() -> int:
            if not ok[0]:
                raise ValueError("no")
            return 1

        graph = Graph("g").add("a", flaky, cache=True)
        assert not (await run(graph, path)).result.ok
        ok[0] = True
        again = await run(graph, path)
        assert (again.ran, again.why) == ("a", {"a": "nothing stored yet"})
        assert (await run(graph, path)).ran == ""

    async def test_B17_an_output_that_cannot_be_stored_is_a_problem_and_the_task_runs_next_time(
        self, path: Path
    ) -> None:
        graph = Graph("g").add("a", lambda: object(), cache=True)
        for _ in range(2):
            done = await run(graph, path)
            assert (done.ran, done.result.ok, done.why) == ("a", True, {"a": "nothing stored yet"})
            assert (
                "cache",
                "a",
                "the output is an object; it is not cached, and the task runs next time",
            ) in done.problems

    async def test_B43_an_input_that_cannot_be_compared_is_told_and_the_task_runs(self, path: Path) -> None:
        graph = Graph("g").add("a", lambda: object()).add("b", lambda a: 1, cache=True)
        for _ in range(2):
            done = await run(graph, path)
            assert done.why == {"b": "input a cannot be compared: it is an object"}
            assert done.result.ok

    @pytest.mark.parametrize("size", [3, 50_000])
    async def test_B43_an_output_is_stored_as_it_was_returned_whatever_is_done_to_it_later(
        self, path: Path, size: int
    ) -> None:
        async def spoils(a: list[int]) -> None:
            a.clear()

        def ones() -> list[int]:
            return [1] * size

        graph = Graph("g").add("a", ones, cache=True).add("b", spoils)
        for ran in ("ab", "b"):
            assert (await run(graph, path)).ran == ran
        graph = Graph("g").add("a", ones, cache=True)
        assert (await run(graph, path)).result["a"].output == [1] * size


class TestPlaces:
    async def test_B43_without_a_journal_the_process_remembers(self) -> None:
        graph = chain("in memory")
        assert (await run(graph, None)).ran == "abc"
        assert (await run(graph, None)).ran == ""

    async def test_B43_a_file_of_its_own(self, path: Path) -> None:
        assert (await run(chain("own"), None, cache=path)).ran == "abc"
        assert (await run(chain("own"), None, cache=str(path))).ran == ""
        assert SqliteJournal(path).runs() == ()

    async def test_B43_False_takes_nothing_and_stores_anew(self, path: Path) -> None:
        await run(chain(), path)
        fresh = await run(chain(), path, cache=False)
        assert (fresh.ran, set(fresh.why.values())) == ("abc", {"this run takes nothing from the cache"})
        again = await run(chain(), path)
        assert set(again.cached.values()) == {f"code, options and inputs unchanged since run {fresh.result.run}"}

    @pytest.fixture
    def no_database(self, path: Path) -> Path:
        path.write_text("no database, but long enough to be looked at" * 100)
        return path

    async def test_B43_a_cache_that_cannot_be_read_is_a_problem_and_every_task_runs(self, no_database: Path) -> None:
        done = await run(chain(), None, cache=no_database)
        assert (done.ran, done.result.ok) == ("abc", True)
        assert set(done.why.values()) == {"the cache cannot be read"}
        assert done.problems[0][:2] == ("cache", "")
        assert "is not a journal" in done.problems[0][2]

    async def test_B43_a_damaged_entry_is_a_problem_and_the_task_runs_and_is_stored_anew(self, path: Path) -> None:
        await run(chain(), path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE cache SET value = CAST('7' AS BLOB) WHERE task = CAST('b' AS BLOB)")
        done = await run(chain(), path)
        assert (done.ran, done.result["c"].output) == ("b", ["c", ["b", 1]])
        assert done.why == {"b": "what is stored is damaged"}
        ((source, task, _),) = done.problems
        assert (source, task) == ("cache", "b")
        assert (await run(chain(), path)).ran == ""

    @pytest.mark.parametrize(("value", "said"), [(True, "not True"), (5, "not 5")])
    async def test_B43_a_place_that_is_none_is_said_so(self, value: Any, said: str) -> None:
        with pytest.raises(ValueError, match=f"cache must be the path of a file, or False .* {said}"):
            ExecutorConfig(cache=value)


class TestByHand:
    async def test_B43_a_task_that_is_restarted_runs_and_what_comes_after_may_be_cached(self, path: Path) -> None:
        await run(chain(), path)
        async with live(chain(), cache=path) as again:
            again.engine.hold_open = True
            await again.until(ev.RunFinished)
            await again.command(RestartTask("a", downstream=True))
            await again.until(ev.RunFinished, count=2)
            again.engine.close()
        assert [event.task for event in again.of(ev.TaskStarted)] == ["a"]
        assert [(event.task, event.reason) for event in again.of(ev.TaskNotCached)] == [("a", "restarted by hand")]
        assert [event.task for event in again.of(ev.TaskCached)] == [*"abcbc"]

    async def test_B43_a_resumed_run_keeps_what_was_cached(self, path: Path) -> None:
        await run(chain(None), path)
        again = await run(chain(None), path)
        graph = chain(None)
        stored = SqliteJournal(path).load(again.result.run)
        resumption = plan_resumption(stored, graph.validate(), graph.fingerprints())
        assert dict(resumption.kept) == {"a": None, "b": ["b", None], "c": ["c", ["b", None]]}
        assert resumption.nothing_left


class TestDeclaring:
    @pytest.mark.parametrize("value", [False, None, 0, ""])
    async def test_B43_no_cache_is_no_cache(self, value: Any) -> None:
        assert not Graph("g").add("a", lambda: 1, cache=value).validate().asks

    async def test_B43_what_is_no_cache_is_said_so(self) -> None:
        with pytest.raises(OptionError, match="cache of task 'a' must be a function, True or False, not 5"):
            Graph("g").add("a", lambda: 1, cache=5).validate()

    async def test_B43_a_key_function_of_what_is_not_there_is_an_error(self) -> None:
        with pytest.raises(UnknownDependencyError, match="cache of task 'a': parameter 'dya' is no task and no input"):
            Graph("g", inputs={"day": 1}).add("a", lambda day: 1, cache=lambda dya: 1).validate()

    async def test_B43_a_key_function_takes_no_context(self) -> None:
        with pytest.raises(OptionError, match="cache of task 'a' takes no TaskContext"):
            Graph("g").add("a", lambda: 1, cache=lambda ctx: 1).validate()


@pytest.fixture(autouse=True)
def empty_shelf() -> None:
    SHELF.clear()
