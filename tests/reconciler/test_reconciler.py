"""`Reconciler` in real runs: a desired state is kept, changed by difference, stopped and brought back (B27 to B33)."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import anyio
import pytest
from dagtop import CommandRefused, DagtopError, Graph, GraphError, MetaDAG, Probe, Reconciler, TaskContext, TaskState
from dagtop.runtime.probing import HANGING

PATIENCE = 20
pytestmark = pytest.mark.anyio


class Pages:
    """Tasks by spec: {"serve": True} goes on until it is stopped, {"fail": n} fails the first n times, others return at once."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.stopped: Counter[str] = Counter()
        self.let_go = threading.Event()

    async def __call__(self, task: str, spec: dict[str, Any], ctx: TaskContext) -> Any:
        self.runs[task] += 1
        if spec.get("fail", 0) >= self.runs[task]:
            raise ValueError(f"failure {self.runs[task]}")
        if spec.get("serve"):
            ctx.ready(spec)
            try:
                await anyio.sleep_forever()
            finally:
                self.stopped[task] += 1
                if spec.get("slow"):
                    with anyio.CancelScope(shield=True):
                        await anyio.to_thread.run_sync(self.let_go.wait, PATIENCE)
        return spec

    def graph(self, tasks: dict[str, Any], **options: Any) -> Graph:
        return Graph.from_specs("pages", tasks=tasks, run=self, **options)


SERVE = {"serve": True}


class TestKeeping:
    async def test_B27_a_chain_comes_up_by_events_without_a_poll(self) -> None:
        graph = Graph("chain")
        names = [f"s{i}" for i in range(10)]
        for above, name in zip([None, *names], names, strict=False):

            async def serve(ctx: TaskContext) -> None:
                ctx.ready()
                await anyio.sleep_forever()

            graph.add(name, serve, depends_on=[above] if above else [], restart="always")
        async with Reconciler(graph, capture=False) as services:
            assert await services.wait_ready(timeout=PATIENCE)
            assert [services[name].state for name in names] == [TaskState.RUNNING] * 10

    async def test_B28_a_task_that_fails_is_started_again_and_comes_to_a_good_end(self) -> None:
        pages = Pages()
        async with Reconciler(pages.graph({"a": {"fail": 2}}, default_restart="on-failure"), capture=False) as services:
            services.set_policy("a", restart_backoff=0.0)
            assert await services.wait(PATIENCE)
            assert pages.runs["a"] == 3

    async def test_B29_at_the_ceiling_it_is_blocked_and_what_waits_for_it_is_skipped(self) -> None:
        pages = Pages()
        graph = pages.graph({"a": {"fail": 3}, "b": {}}, dependencies={"b": ["a"]}).specified(
            max_restarts={"a": 1}, restart_backoff=0.0
        )
        async with Reconciler(graph, capture=False) as services:
            assert not await services.wait(PATIENCE)
            assert (services["a"].state, services["b"].state) == (TaskState.BLOCKED, TaskState.SKIPPED)
            assert pages.runs["a"] == 2
            await services.set_policy("a", max_restarts=2)
            await services._running.until(lambda: pages.runs["a"] == 3 and services["a"].state is TaskState.BLOCKED)
            await services.start_task("a")  # what was skipped because of it gets another chance
            assert await services.wait(PATIENCE)
            assert (services["a"].state, services["b"].state) == (TaskState.SUCCEEDED, TaskState.SUCCEEDED)

    async def test_B31_a_dependent_gets_what_ready_was_given(self) -> None:
        graph, got = Graph("g"), []

        @graph.task(restart="always")
        async def api(ctx: TaskContext) -> None:
            ctx.ready({"port": 8123})
            await anyio.sleep_forever()

        graph.add("client", lambda api: got.append(api))
        async with Reconciler(graph, capture=False) as services:
            assert await services.wait_ready(timeout=PATIENCE)
            assert got == [{"port": 8123}]

    async def test_B31_a_readiness_probe_lets_the_dependents_start(self) -> None:
        graph, open_now, order = Graph("g"), threading.Event(), []

        def is_open() -> bool:
            return open_now.is_set()

        @graph.task(restart="always", ready=Probe(is_open, interval=0.01))
        async def door() -> None:
            order.append("door")
            open_now.set()
            await anyio.sleep_forever()

        graph.add("guest", lambda: order.append("guest"), depends_on=["door"])
        async with Reconciler(graph, capture=False) as services:
            assert await services.wait_ready(timeout=PATIENCE)
            assert order == ["door", "guest"]

    async def test_B31_a_task_that_is_not_well_is_stopped_and_started_again(self) -> None:
        graph, starts, well = Graph("g"), [], iter([True, False, False])

        async def is_well() -> bool:
            return next(well, True)

        @graph.task(restart="always", alive=Probe(is_well, interval=0.01, threshold=2), restart_backoff=0.0)
        async def service(ctx: TaskContext) -> None:
            starts.append(ctx.attempt)
            ctx.ready()
            await anyio.sleep_forever()

        async with Reconciler(graph, capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            await services._running.until(lambda: starts == [1, 2])
            (record,) = services["service"].history
            assert record.failure is not None
            assert "liveness probe failed 2 times in a row" in record.failure.message

    @pytest.mark.parametrize("kind", ["raises", "hangs"])
    async def test_B31_a_probe_that_raises_or_hangs_says_no(self, kind: str) -> None:
        graph, over = Graph("g"), threading.Event()
        patience = 0.05 if kind == "hangs" else PATIENCE  # a thread that raises may take long to begin

        def probe() -> None:
            if kind == "raises":
                raise ConnectionError("nobody there")
            over.wait(PATIENCE)

        @graph.task(restart="no", alive=Probe(probe, interval=0.01, threshold=1, timeout=patience))
        async def service() -> None:
            await anyio.sleep_forever()

        async with Reconciler(graph, capture=False) as services:
            assert not await services.wait(PATIENCE)
            failure = services["service"].failure
            over.set()
            assert failure is not None
            said = "ConnectionError: nobody there" if kind == "raises" else "no answer within 0.05 s"
            assert said in failure.message

    async def test_B31_a_probe_that_always_hangs_has_so_many_threads_and_no_more(self) -> None:
        graph, over, asked = Graph("g"), threading.Event(), list[int]()

        def probe() -> bool:
            asked.append(1)
            return over.wait(PATIENCE)

        @graph.task(ready=Probe(probe, interval=0.001, timeout=0.001))
        async def service() -> None:
            await anyio.sleep_forever()

        @graph.task(ready=Probe(lambda: len(asked) >= HANGING, interval=0.001))
        async def other() -> None:
            await anyio.sleep_forever()

        async with Reconciler(graph, capture=False) as services:
            await services.wait_ready("other", timeout=PATIENCE)
            await anyio.sleep(0.05)
            assert len(asked) == HANGING
            over.set()
            assert await services.wait_ready("service", timeout=PATIENCE)

    async def test_B33_a_default_timeout_does_not_end_what_is_to_stay_up(self) -> None:
        pages = Pages()
        graph = pages.graph({"a": SERVE}, default_timeout=5)
        assert graph.checked().plan.policies[0].timeout == 5
        services = Reconciler(graph)
        assert services.executor().plan.policies[0].timeout is None


class TestUpdates:
    async def test_B30_what_is_unchanged_is_not_disturbed(self) -> None:
        pages, spec = Pages(), {"serve": True, "n": 1}
        async with Reconciler(pages.graph({"a": spec, "b": SERVE, "c": SERVE}), capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            spec["n"] = 2  # the same object: compared by value, as it was when it was handed in
            wanted = {"a": spec, "b": dict(SERVE), "d": SERVE}
            planned = services.plan_update(tasks=wanted)
            done = await services.update(tasks=wanted)
            assert planned == done
            assert (done.added, done.changed, done.removed, done.untouched) == (("d",), ("a",), ("c",), ("b",))
            await services.wait_ready(timeout=PATIENCE)
            await services._running.until(lambda: pages.runs["a"] == 2 and services["c"].state is TaskState.CANCELLED)
            assert (pages.runs["b"], services["c"].gone, services["a"].generation) == (1, True, 2)

    async def test_B30_what_the_call_does_not_mention_stays(self) -> None:
        pages = Pages()
        graph = pages.graph({"a": {}, "b": {}}, dependencies={"b": ["a"]}).specified(
            policies={"a": "always"}, max_restarts=7
        )
        services = Reconciler(graph)
        await services.update(add={"c": {}})
        checked = services.graph.checked()
        assert checked.plan.upstream[1] == [0]
        assert [policy.restart.max_restarts for policy in checked.plan.policies] == [7, 7, None]
        assert checked.plan.policies[0].restart.policy == "always"

    async def test_B30_a_removed_task_may_come_back(self) -> None:
        pages = Pages()
        async with Reconciler(pages.graph({"a": SERVE, "b": SERVE}), capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            await services.update(remove=["b"])
            await services._running.until(lambda: services["b"].state is TaskState.CANCELLED)
            await services.update(add={"b": SERVE})
            assert await services.wait_ready(timeout=PATIENCE)
            await services._running.until(lambda: pages.runs["b"] == 2)
            assert not services["b"].gone

    async def test_B30_a_slow_cancel_delays_nobody_else(self) -> None:
        pages = Pages()
        async with Reconciler(pages.graph({"a": {**SERVE, "slow": True}}), capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            await services.update(tasks={"b": SERVE})
            assert await services.wait_ready("b", timeout=PATIENCE)
            assert services["a"].state is TaskState.CANCELLING
            pages.let_go.set()

    async def test_a_version_that_cannot_be_run_changes_nothing(self) -> None:
        pages = Pages()
        async with Reconciler(pages.graph({"a": SERVE}), capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            with pytest.raises(GraphError, match="no task"):
                await services.update(dependencies={"a": ["nobody"]})
            with pytest.raises(GraphError, match="there is no option 'polices'; did you mean"):
                await services.update(polices="always")
            assert services.plan_update().is_empty
            assert services["a"].state is TaskState.RUNNING

    @pytest.mark.parametrize("before_it_is_up", [True, False])
    async def test_B30_other_options_and_inputs_of_the_graph_count_too(self, *, before_it_is_up: bool) -> None:
        """Those of the first version lay over those of all later ones: "nothing is different"."""

        def version(count: int) -> Graph:
            graph = Graph("g", inputs={"count": count}, default_retries=count, default_restart="no")
            return graph.add("pages", lambda count: count).add("other", lambda: 0)

        services = Reconciler(version(1), capture=False)
        if not before_it_is_up:
            await services.start()
            assert await services.wait(PATIENCE)
        done = await services.update(version(2))
        assert (done.changed, done.policies) == (("pages",), ("pages", "other"))
        await services.start()
        await services._running.until(lambda: services["pages"].state is TaskState.SUCCEEDED)
        assert await services.wait(PATIENCE)
        result = await services.close()
        assert result is not None
        assert result["pages"].output == 2

    async def test_B30_a_swap_by_its_run_takes_the_options_of_the_new_version_too(self) -> None:
        def version(retries: int) -> Graph:
            return Graph("g", default_retries=retries).add("once", lambda: 0, restart="no")

        async with Reconciler(version(1), capture=False) as services:
            assert await services.wait(PATIENCE)
            await services.begin().swap(version(2))
            assert services["once"].policy.retry.retries == 2

    async def test_who_listens_before_the_start_hears_of_a_version_that_came_before_it_too(self) -> None:
        """The version was carried out by another executor, which knew of no listener."""
        heard: list[str] = []
        services = Reconciler(Graph("g").add("a", print), capture=False)
        services.subscribe(lambda event: heard.append(event.task), "task.succeeded")
        await services.update(Graph("g").add("b", lambda: 1))
        await services.start()
        assert await services.wait(PATIENCE)
        await services.close()
        assert heard == ["b"]

    async def test_the_plan_is_shown_before_it_is_applied(self) -> None:
        services = Reconciler(Pages().graph({"a": {}, "b": {}}))
        plan = services.plan_update(tasks={"b": {"n": 1}, "c": {}})
        assert str(plan) == "+ added: c\n~ changed: b\n- removed: a"
        assert str(services.plan_update()) == "nothing is different"
        assert plan.restarts == ("b",)


class TestUpAndDown:
    async def test_B33_stop_and_start_bring_back_what_was_wanted(self) -> None:
        pages = Pages()
        services = Reconciler(pages.graph({"a": SERVE, "b": SERVE, "once": {}}), capture=False)
        await services.start()
        await services.start()  # idempotent
        await services.wait_ready(timeout=PATIENCE)
        await services.stop_task("b")
        await services.stop()
        assert [services[name].state for name in "ab"] == [TaskState.CANCELLED] * 2
        await services.start()
        assert await services.wait_ready("a", timeout=PATIENCE)
        assert (pages.runs["a"], pages.runs["b"], pages.runs["once"]) == (2, 1, 1)
        assert not services["b"].wanted
        await services.start_task("b")
        assert await services.wait_ready(timeout=PATIENCE)
        result = await services.close()
        assert result is not None
        assert pages.stopped["a"] == pages.runs["a"]

    async def test_a_task_that_a_person_cancels_stays_down(self) -> None:
        pages = Pages()
        async with Reconciler(pages.graph({"a": SERVE}, default_restart="always"), capture=False) as services:
            await services.wait_ready(timeout=PATIENCE)
            await services.cancel("a")
            await services._running.until(lambda: services["a"].state is TaskState.CANCELLED)
            assert await services.wait(PATIENCE)  # it went as it was wanted
            assert (services["a"].wanted, pages.runs["a"]) == (False, 1)
            with pytest.raises(CommandRefused, match="is to be down already"):
                await services.stop_task("a")

    async def test_a_graph_that_cannot_be_run_is_told_when_it_is_brought_up_and_what_is_no_graph_at_once(self) -> None:
        services = Reconciler(Graph("g").add("a", lambda nothing: nothing))
        with pytest.raises(GraphError, match="'nothing' is no task and no input"):
            await services.start()
        with pytest.raises(GraphError, match=r"not MetaDAG.*: add the Reconciler to the MetaDAG, as a node"):
            Reconciler(MetaDAG("m"))  # type: ignore[arg-type]
        with pytest.raises(GraphError, match="restart must be one of"):
            Reconciler(Graph("g"), restart="sometimes")

    async def test_commands_before_the_start_are_told_so(self) -> None:
        with pytest.raises(DagtopError, match="await its start"):
            Reconciler(Graph("g").add("a", print)).stop_task("a")

    def test_it_runs_from_code_that_is_not_async(self) -> None:
        pages = Pages()
        result = Reconciler(pages.graph({"a": {}, "b": {}}), capture=False).run()
        assert result.state.value == "succeeded"
        assert pages.runs == {"a": 1, "b": 1}


def test_with_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match="entered with `async with`; from code that is not async, begin"):  # noqa: SIM117
        with Reconciler(Graph("g").add("a", lambda: 1)):
            pass


async def test_what_is_ready_is_so_in_the_snapshot_too() -> None:
    graph = Graph("g")

    @graph.task(restart="always")
    async def a(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep_forever()

    async with Reconciler(graph, capture=False) as up:
        assert await up.wait_ready(timeout=PATIENCE)
        assert up.snapshot.rows[0].serving
