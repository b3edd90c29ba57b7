"""The peers, driven as their documents say, each with whatever of it costs least switched on. Left out when not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from workloads import Dependencies, perf

System = Callable[..., Awaitable[float]]


async def wave_executor(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """Without its adaptive window, which collapses to two at a time, and without events."""
    from wave_executor import DAGExecutor, WaveConfig  # noqa: PLC0415

    async def run(task_id: str, spec: object) -> None:
        await body.a(task_id)

    begun = perf()
    slots = limit or len(graph)
    config = WaveConfig(adaptive_batch_window=False, max_parallel_per_wave=slots, emit_events=False)
    needs = {node: set(found) for node, found in graph.items()}
    await DAGExecutor(config).execute({node: {} for node in graph}, needs, run)
    return perf() - begun


async def dagron(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """Its documented async executor, which goes level by level."""
    import dagron as peer  # noqa: PLC0415

    begun = perf()
    dag = peer.DAG()
    dag.add_nodes(list(graph))
    dag.add_edges([(need, node) for node, needs in graph.items() for need in needs])
    executor = peer.AsyncDAGExecutor(dag, max_workers=limit)
    result = await executor.execute({node: partial(body.a, node) for node in graph})
    took = perf() - begun
    assert result.succeeded == len(graph)
    return took


async def sdax(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """Its pre_execute phase, the one that follows dependencies."""
    from sdax import AsyncDagTaskProcessor, AsyncTask, task_func  # noqa: PLC0415

    begun = perf()
    builder = AsyncDagTaskProcessor.builder()
    for node, needs in graph.items():
        step = task_func(lambda context, node=node: body.a(node))
        builder.add_task(AsyncTask(name=node, pre_execute=step), depends_on=tuple(needs))
    await builder.build().process_tasks(None)
    return perf() - begun


async def pyworkflowy(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """Its asyncio pool."""
    from pyworkflowy import TaskRunner, task  # noqa: PLC0415

    begun = perf()
    runner = TaskRunner(max_workers=limit or len(graph))
    node_task = task(body.a)
    handles: dict[str, Any] = {}
    for node, needs in graph.items():
        handles[node] = runner.submit(node_task, args=(node,), depends_on=[handles[need] for need in needs])
    await runner.arun()
    took = perf() - begun
    runner.shutdown()
    return took


async def taskmaestro(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """Its runner is sync and runs one task after the other; the models are made before the clock starts."""
    from pydantic import BaseModel, create_model  # noqa: PLC0415
    from taskmaestro import Job, Runner, Task, Workflow  # noqa: PLC0415

    empty = create_model("Empty")
    out = empty()

    def task_class(fan_in: int) -> Any:
        fields: Any = {f"d{i}": (empty, ...) for i in range(fan_in)}
        given: type[BaseModel] = create_model("In", **fields) if fan_in else empty

        class Node(Task[given, empty]):  # type: ignore[valid-type]
            def run(self, input: Any, ctx: Any) -> Any:  # noqa: A002 - the peer's name
                body.s(self.name)
                return out

        return Node

    classes = {fan_in: task_class(fan_in) for fan_in in {len(needs) for needs in graph.values()}}
    root = classes.get(0)
    begun = perf()
    builder = Workflow.builder(name="bench", result_task=next(reversed(graph)))
    for node, needs in graph.items():
        if needs:
            named = {f"d{i}": need for i, need in enumerate(needs)}
            builder.add_task(classes[len(needs)], name=node, depends_on=named)
        else:
            builder.add_task(root, name=node)
    Runner().run(Job(builder.build(), empty()))
    return perf() - begun


_ALL: dict[str, tuple[str, System]] = {
    "wave-executor": ("wave_executor", wave_executor),
    "dagron": ("dagron", dagron),
    "sdax": ("sdax", sdax),
    "pyworkflowy": ("pyworkflowy", pyworkflowy),
    "taskmaestro": ("taskmaestro", taskmaestro),
}


def installed() -> dict[str, System]:
    """The peers that can be imported here."""
    return {name: run for name, (module, run) in _ALL.items() if importlib.util.find_spec(module) is not None}
