"""The sample graphs run through the real engine, and what they find is compared with the same found another way."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagtop import Graph, MetaDAG, Reconciler, RunResult, RunState, TaskContext, TaskState, breakers
from dagtop.loaders.python import load

SAMPLES = Path(__file__).parents[2] / "sample_graphs"
#: Those whose tasks come while they run, or whose few tasks go on and on.
FEW = {"crawl": 4, "services": 10}


@pytest.fixture(autouse=True)
def modules_stay_as_they_were() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name in {path.stem for path in SAMPLES.glob("*.py")}:
            del sys.modules[name]


def sample(name: str, **parameters: Any) -> tuple[Graph, Any]:
    """The graph that a sample file defines, and its module."""
    loaded = load(str(SAMPLES / f"{name}.py"), parameters, kinds=(MetaDAG, Reconciler, Graph))
    return loaded.target, loaded.module


def states(result: RunResult) -> dict[str, str]:
    return {task.name: task.state.value for task in result}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_sample_says_what_it_shows_and_is_a_sound_graph(path: Path) -> None:
    target: Any
    target, module = sample(path.stem)
    assert "Shows" in module.__doc__
    assert f"dagtop sample_graphs/{path.name}" in module.__doc__
    plan = (target.graph if isinstance(target, Reconciler) else target).validate()
    assert len(plan) >= FEW.get(path.stem, 15)


class TestStdlibCensus:
    def test_it_counts_what_the_files_say(self) -> None:
        graph, module = sample("stdlib_census", only="json,email,bisect,this")
        result = graph.run()
        assert result.state is RunState.SUCCEEDED
        files = [*module.files_of(module.LIBRARY / "json"), *module.files_of(module.LIBRARY / "email")]
        files += [module.LIBRARY / "bisect.py", module.LIBRARY / "this.py"]
        totals = result["totals"].output
        assert totals["modules"] == len(files)
        assert totals["lines"] == sum(path.read_bytes().count(b"\n") for path in files)
        defs = 0
        for path in files:
            with path.open("rb") as file:
                defs += sum(token[:2] == (tokenize.NAME, "def") for token in tokenize.tokenize(file.readline))
        assert totals["functions"] == defs
        assert result["report"].output["biggest"][0][0] == "email"

    def test_it_knows_who_imports_whom(self) -> None:
        graph, _ = sample("stdlib_census", only="json")
        found = {module["module"]: module for module in graph.run()["parse json"].output}
        assert {"json", "json.decoder", "json.encoder", "json.scanner", "json.tool"} <= found.keys()
        assert "re" in found["json.decoder"]["imports"]
        assert {"argparse", "sys"} <= set(found["json.tool"]["imports"])

    def test_an_elif_is_not_deeper_than_its_if(self) -> None:
        _, module = sample("stdlib_census", only="json")
        chain = "if a:\n pass\n" + "elif b:\n pass\n" * 10 + "else:\n if c:\n  pass\n"
        assert module.deepest_nesting(ast.parse(chain)) == 2
        assert module.deepest_nesting(ast.parse("class A:\n def f(self):\n  for x in y:\n   pass")) == 3

    def test_the_whole_library_is_tens_of_tasks(self) -> None:
        graph, _ = sample("stdlib_census")
        assert 30 <= len(graph) <= 100


class TestEtl:
    def expected(self, module: Any, seed: int, orders: int) -> dict[str, Any]:
        """The same sums without SQLite."""
        customers = {row[0]: row for row in module.customer_rows(seed, orders // 10)}
        products = {row[0]: row for row in module.product_rows(seed)}
        by_country: Counter[str] = Counter()
        by_month: Counter[str] = Counter()
        by_customer: Counter[str] = Counter()
        seen: set[int] = set()
        for number, customer, product, quantity, day in module.order_rows(seed, orders, orders // 10):
            known = customers.get(customer)
            double = number in seen
            seen.add(number)
            if double or quantity <= 0 or known is None or not known[2] or products[product][2] <= 0:
                continue
            amount = quantity * products[product][2]
            by_country[known[3]] += amount
            by_month[day[:7]] += amount
            by_customer[str(customer)] += amount
        best = sorted(by_customer.items(), key=lambda item: (-item[1], int(item[0])))[:10]
        return {"by_country": dict(by_country), "by_month": dict(by_month), "best_customers": dict(best)}

    def test_its_sums_are_those_of_a_direct_computation(self, tmp_path: Path) -> None:
        graph, module = sample("etl")
        result = graph.run(inputs={"orders": 4000, "seed": 11, "folder": str(tmp_path / "out")})
        assert result.state is RunState.SUCCEEDED, states(result)
        summary = result["summary"].output
        for key, value in self.expected(module, 11, 4000).items():
            assert summary[key] == value
        assert summary["revenue"] == sum(summary["by_month"].values())
        assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary

    def test_its_bad_rows_are_put_aside(self) -> None:
        graph, module = sample("etl")
        result = graph.run(inputs={"orders": 4000})
        rows = list(module.order_rows(7, 4000, 400))
        assert result["check_orders"].output == {
            "no quantity": sum(row[3] == 0 for row in rows),
            "unknown customer": sum(row[1] == 401 for row in rows),
            "double": len(rows) - 4000,
        }
        assert result["check_products"].output == {"bad price": 1}

    def test_its_temporary_folder_is_removed_only_if_all_went_well(self) -> None:
        graph, _ = sample("etl")
        good = graph.run(inputs={"orders": 2000})
        assert not Path(good["workspace"].output).exists()
        bad = graph.run(inputs={"orders": 1})
        assert bad["quarantine"].state is TaskState.FAILED
        left = Path(bad["workspace"].output)
        assert (left / "shop.sqlite").exists()
        for path in left.iterdir():
            path.unlink()
        left.rmdir()

    def test_a_locked_database_is_tried_again(self, tmp_path: Path) -> None:
        """Another writer holds the database until the second attempt; the sample's own load and retries see to the rest."""
        _, module = sample("etl")
        (tmp_path / "visits.csv").write_text("1,AT,5\n2,SE,7\n")
        other = sqlite3.connect(tmp_path / "shop.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("CREATE TABLE visits (id INTEGER, country TEXT, pages INTEGER)")
        other.execute("BEGIN IMMEDIATE")

        def load(ctx: TaskContext) -> int:
            if ctx.attempt == 2:
                other.close()
            return module.load_visits(str(tmp_path / "visits.csv"), str(tmp_path), ctx)

        told = Graph("load").add("load", load, retries=module.LOCKED).run()["load"]
        assert (told.output, told.attempts) == (2, 2)
        assert [attempt.failure.message for attempt in told.history if attempt.failure] == ["database is locked"]


class TestFlaky:
    @pytest.fixture(scope="class")
    def result(self) -> RunResult:
        graph, _ = sample("flaky")
        return graph.run()

    def test_it_fails_by_design(self, result: RunResult) -> None:
        assert result.state is RunState.FAILED
        assert all(state in {"succeeded", "failed", "timed_out", "skipped"} for state in states(result).values())

    @pytest.mark.parametrize(
        ("task", "state", "attempts", "message"),
        [
            ("third_time_lucky", "succeeded", 3, ""),
            ("by_chance", "succeeded", 2, ""),
            ("never_works", "failed", 3, "the order has no customer"),
            ("not_worth_trying_again", "failed", 1, "no access to the archive"),
            ("many_at_once", "failed", 1, "2 sub-exceptions"),
            ("too_slow", "timed_out", 2, "timeout of 0.4 s"),
            ("own_timeout", "failed", 1, "the other side did not answer"),
            ("deaf", "timed_out", 1, "timeout of 0.3 s"),
            ("polite", "timed_out", 1, "timeout of 0.3 s"),
            ("exits", "failed", 1, "sys.exit(3)"),
            ("interrupts", "failed", 1, "KeyboardInterrupt"),
            ("blocks_the_loop", "succeeded", 1, ""),
            ("chatty", "succeeded", 1, ""),
            ("big_output", "succeeded", 1, ""),
            ("not_storable", "succeeded", 1, ""),
            ("fails_with_it", "failed", 0, "upstream never_works failed"),
            ("runs_without_it", "succeeded", 1, ""),
            ("skipped_is_fine", "succeeded", 1, ""),
        ],
    )
    def test_each_kind_of_trouble_ends_as_it_should(
        self, result: RunResult, task: str, state: str, attempts: int, message: str
    ) -> None:
        told = result[task]
        assert (told.state.value, told.attempts) == (state, attempts)
        if message:
            assert told.failure is not None
            assert message in told.failure.message

    def test_what_comes_after_a_failure_follows_its_rule(self, result: RunResult) -> None:
        assert result["skipped_by_default"].reason == "upstream never_works failed"
        assert result["runs_without_it"].output == "never_works gave None, third_time_lucky gave 'at last'"
        assert result["one_is_enough"].output == ["third_time_lucky"]
        assert result["tidy_up"].output == 5

    def test_a_hostile_name_is_a_name_like_any_other(self, result: RunResult) -> None:
        hostile = next(task for task in result if "\x1b" in task.name)
        assert hostile.failure is not None
        assert hostile.failure.error == "RuntimeError"


class TestWide:
    @pytest.mark.parametrize("shape", ["layers", "wide", "chain", "random"])
    def test_outputs_are_the_lengths_of_the_longest_ways(self, shape: str) -> None:
        graph, _ = sample("wide", n=120, width=10, seconds=0, shape=shape)
        result = graph.run()
        assert result.counts == {"succeeded": 120}
        longest = [0] * 120
        for index in result.plan.order:
            longest[index] = 1 + max((longest[i] for i in result.plan.upstream[index]), default=0)
        assert [task.output for task in result] == longest
        assert max(longest) == {"layers": 12, "wide": 1, "chain": 120}.get(shape, max(longest))

    def test_an_unknown_shape_is_refused(self) -> None:
        _, module = sample("wide")
        with pytest.raises(ValueError, match="shape must be one of layers, wide, chain, random"):
            module.build(shape="round")


class TestSteering:
    def test_everything_that_holds_tasks_up_does_and_all_of_it_is_overcome(self) -> None:
        breakers.forget()
        graph, module = sample("steering", patience=0.01, slowness=0.2)
        seen: list[Any] = []
        graph.on_event(seen.append)
        result = graph.run()
        assert result.state is RunState.SUCCEEDED, states(result)
        orders = {number: module.order(number) for number in range(1, module.ORDERS + 1)}
        worth = {number: sum(module.price(item) * n for item, n in wanted.items()) for number, wanted in orders.items()}
        assert result["invoice"].output == worth
        assert result["lorry"].output == f"12 boxes are on their way, worth {sum(worth.values()) / 100:,.2f}"
        assert result["label"].output == [f"[box {number}: {sum(orders[number].values())} pieces]" for number in orders]
        assert result["report"].output["most inside"] <= module.BEARS
        assert result["report"].output["labels tried"] == module.ORDERS + module.OFF_FOR
        types = {event.type for event in seen}
        assert {"gate.waiting", "gate.decided", "breaker.opened", "breaker.half_opened", "breaker.closed"} <= types
        (decided,) = [event for event in seen if event.type == "gate.decided"]
        assert decided.approved
        assert "nobody decided within" in decided.reason

    def test_the_price_list_is_taken_from_the_cache_of_the_first_run(self, tmp_path: Path) -> None:
        for state in (TaskState.SUCCEEDED, TaskState.CACHED):
            breakers.forget()
            graph, _ = sample("steering", patience=0.01, slowness=0.1)
            assert graph.run(cache=tmp_path / "cache.db")["price_list"].state is state


class TestCrawl:
    def test_it_finds_every_page_and_counts_their_words(self) -> None:
        breakers.forget()
        graph, module = sample("crawl")
        result = graph.run(inputs={"pages": 25, "refusals": 0.1})
        assert result.state is RunState.SUCCEEDED, result
        pages = [task.name for task in result if task.name.startswith("page/")]
        assert sorted(pages, key=lambda name: int(name[5:])) == [f"page/{number}" for number in range(25)]
        words: Counter[str] = Counter()
        for number in range(25):
            words.update(re.findall("[a-z]+", module.text_of(number, 25).partition("<p>")[2].partition("</p>")[0]))
        assert result["total"].output == dict(words)
        assert len(result["words"].output) == 25
