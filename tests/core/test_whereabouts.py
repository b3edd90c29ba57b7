"""Which tasks run outside of the engine's process (B37)."""

from __future__ import annotations

import pytest
from dagtop import ExecutorConfig, Graph, OptionError
from dagtop.core.policy import BackendName


async def on_loop() -> None:
    pass


def plain() -> None:
    pass


def test_B37_the_plan_tells_what_runs_elsewhere_and_only_that() -> None:
    graph = Graph("g").add("a", on_loop).add("b", plain).add("c", plain, backend="process").add("d", plain)
    assert graph.validate().backends == {2: BackendName.PROCESS}


def test_B37_the_graphs_backend_is_for_plain_functions_that_do_not_say() -> None:
    graph = Graph("g", backend="process").add("a", on_loop).add("b", plain).add("c", plain, backend="thread")
    assert graph.validate().backends == {1: BackendName.PROCESS}
    assert graph.validate(ExecutorConfig(backend="thread")).backends == {}


def test_B37_it_is_also_for_graphs_of_specs() -> None:
    specs = {"a": 1, "b": 2}
    graph = Graph.from_specs("g", tasks=specs, run=lambda task, spec: spec, backend="process")
    assert graph.validate().backends == {0: BackendName.PROCESS, 1: BackendName.PROCESS}

    async def run(task: str, spec: int) -> None:
        pass

    assert Graph.from_specs("g", tasks=specs, run=run, backend="process").validate().backends == {}


@pytest.mark.parametrize("options", [{"backend": "async"}, {"backend": "moon"}, {"dask": ""}, {"dask": 7}])
def test_B37_a_value_that_a_graph_does_not_take_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Graph("g", **options)


def test_B37_an_async_function_runs_on_the_loop_and_nowhere_else() -> None:
    with pytest.raises(OptionError, match="write the function with def"):
        Graph("g").add("a", on_loop, backend="process").validate()


def test_B37_a_service_of_this_process_does_not_go_to_another() -> None:
    graph = Graph("g", backend="process")

    @graph.service
    def db():
        yield 1

    graph.add("uses", lambda db: None)
    with pytest.raises(OptionError, match="the service 'db' of this process cannot go"):
        graph.validate()
