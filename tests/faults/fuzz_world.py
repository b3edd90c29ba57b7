"""Random graphs of tasks that misbehave, random commands, and what the tasks themselves saw: for the fuzz of the engine."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import anyio
import anyio.lowlevel
from dagtop import Breaker, Gate, Graph, Pool, Retry, RetryAfter, Skip, Task, TaskContext
from dagtop.core import commands as cmd
from dagtop.core.commands import Command

#: Seconds that pass at once.
DELAYS = (0.0, 0.001, 0.3, 1.0)


class Rude(BaseException):
    """Nobody is meant to catch it."""


class World:
    """One example: its dice, its graph, and what is going on inside of its tasks.

    Parameters
    ----------
    plain: whether there are plain functions, which run in threads.
    """

    def __init__(self, seed: int, *, plain: bool) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.plain = plain
        self.breakers = (f"api {seed}", f"mail {seed}")
        self.inside: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        """By what is limited: how many were inside of their code at once, at most."""
        self.alive = 0
        """User code that has begun and has not ended."""
        self.open_services: Counter[str] = Counter()
        self.spawned = 0
        self.limit = self.dice.randint(1, 5)
        self.services = [f"service{i}" for i in range(self.dice.randrange(3))]
        self.sets_up = self.chance(0.2)
        self.cleans_up = self.chance(0.2)
        self.commanded_limits: Counter[str] = Counter()
        self._lock = Lock()

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    # -- what tasks do ----------------------------------------------------------------------------------------------

    @contextmanager
    def code(self, *limited: str) -> Generator[None]:
        """The user's code runs: counted from inside."""
        with self._lock:
            self.alive += 1
            self.inside.update(limited)
            for what in limited:
                self.peak[what] = max(self.peak[what], self.inside[what])
        try:
            yield
        finally:
            with self._lock:
                self.alive -= 1
                self.inside.subtract(limited)

    def ending(self, dice: random.Random) -> Any:
        """What the code comes to: a value, or something it raises. Most do well."""
        match dice.randrange(24):
            case 0 | 1:
                raise ValueError("no")
            case 2:
                raise OSError("the network is gone")
            case 3:
                raise dice.choice([SystemExit, Rude, GeneratorExit, KeyboardInterrupt, StopAsyncIteration])
            case 4:
                raise Skip("enough")
            case 5:
                raise RetryAfter(dice.choice(DELAYS))
            case 6:
                raise ExceptionGroup("both", [ValueError(), MemoryError()])
            case 7:
                raise anyio.get_cancelled_exc_class() if not self.plain else RuntimeError("stray")
            case 8:
                return object()
            case _:
                return dice.randrange(100)

    def task(self, limited: tuple[str, ...], services: list[str], budget: int) -> Callable[..., Any]:
        """A task's function."""
        manner = self.dice.randrange(12)
        if self.plain and manner < 3:
            return self._plain(limited, manner)
        return self._on_loop(limited, manner, services, budget)

    def _plain(self, limited: tuple[str, ...], manner: int) -> Callable[..., Any]:
        def in_thread(ctx: TaskContext) -> Any:
            with self.code(*limited):
                dice = self._dice(ctx)
                ctx.progress(dice.randrange(9), 9)
                if manner == 0 and not ctx.cancelled:
                    self._spawn(ctx)
                return self.ending(dice)

        return in_thread

    def _on_loop(self, limited: tuple[str, ...], manner: int, services: list[str], budget: int) -> Callable[..., Any]:
        wanted = self.dice.choice(services) if services and self.chance(0.4) else ""
        swallow = manner == 5
        clean = manner == 6

        async def on_loop(ctx: TaskContext) -> Any:
            with self.code(*limited):
                dice = self._dice(ctx)
                if wanted:
                    assert await ctx.service(wanted) == wanted
                    assert self.open_services[wanted], "a service that is closed was given to a task"
                try:
                    for _ in range(dice.randrange(3)):
                        await (anyio.lowlevel.checkpoint() if dice.random() < 0.3 else anyio.sleep(dice.choice(DELAYS)))
                except anyio.get_cancelled_exc_class():
                    if not swallow:
                        raise
                    await anyio.lowlevel.checkpoint()
                finally:
                    if clean:
                        with anyio.CancelScope(shield=True):
                            await anyio.sleep(dice.choice(DELAYS))
                if manner < 2 and budget:
                    self._spawn(ctx)
                if manner == 2 and budget and self.spawned < 8:
                    self.spawned += 1
                    return [Task(f"{ctx.task}.r{ctx.attempt}", self.task((), [], 0), priority=1)]
                return self.ending(dice)

        return on_loop

    def _dice(self, ctx: TaskContext) -> random.Random:
        return random.Random(f"{self.seed} {ctx.task} {ctx.attempt}")

    def _spawn(self, ctx: TaskContext) -> None:
        if self.spawned < 8:
            self.spawned += 1
            retries = Retry(retries=1, base=0.3)
            ctx.spawn(f"{ctx.task}.s{ctx.attempt}", self.task(("pool db",), [], 0), pool="db", retries=retries)

    def beside(self, *, good: float = 0.8) -> Callable[..., Any]:
        """Code beside the tasks: a condition, a setup, a teardown."""
        fine, delay = self.chance(good), self.dice.choice(DELAYS)

        def plain() -> bool:
            with self.code():
                if not fine:
                    raise OSError("not today")
                return True

        async def on_loop() -> bool:
            with self.code():
                await anyio.sleep(delay)
                if not fine:
                    raise OSError("not today")
                return True

        return plain if self.plain and self.chance(0.3) else on_loop

    def service(self, name: str) -> Callable[..., Any]:
        fine = self.chance(0.85)

        async def on_loop() -> AsyncIterator[str]:
            await anyio.sleep(0.3)
            if not fine:
                raise OSError("no service")
            self.open_services[name] += 1
            try:
                yield name
            finally:
                self.open_services[name] -= 1

        return on_loop  # a plain one would have a thread all its life, and real time would pass

    # -- the graph --------------------------------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """Options of a graph."""
        dice = self.dice
        return {
            "max_parallel": self.limit,
            "adaptive": self.chance(0.3),
            "fail_fast": self.chance(0.15),
            "run_timeout": dice.choice([None, None, None, 4.0]),
            "cancel_grace": dice.choice([0.0, 0.5, 20.0]),
            "pools": {"db": 2, "slow": Pool(2, rate=2.0)},
            "resources": {"gpu": 2, "ram": 1},
            "breakers": [
                Breaker(self.breakers[0], failure_threshold=1, recovery_timeout=1.0),
                Breaker(
                    self.breakers[1], failure_threshold=2, recovery_timeout=2.0, success_threshold=2, on_open="fail"
                ),
            ],
        }

    def graph(self) -> Graph:
        """A graph with everything."""
        graph = Graph(f"fuzz {self.seed}", **self.options())
        self.surround(graph)
        self.fill(graph, self.dice.randint(1, 12))
        if self.chance(0.25):
            over = self.dice.choice([[1, 2, 3], [], ("a", "b")])
            graph.map("all", self.element(), over=over, limit=2, retries=1, collect=self.dice.choice(["all", "some"]))
        return graph

    def version(self, graph: Graph) -> Graph:
        """Another version of a graph: the same around it, and tasks of the same names that do other things."""
        other = Graph(graph.name, **self.options())
        self.surround(other)
        self.fill(other, self.dice.randint(1, 12))
        return other

    def surround(self, graph: Graph) -> None:
        for name in self.services:
            graph.service(self.service(name), name=name)
        if self.sets_up:
            graph.setup(self.beside(good=0.9))
        if self.cleans_up:
            graph.teardown(self.beside())

    def fill(self, graph: Graph, count: int) -> None:
        names: list[str] = []
        for i in range(count):
            name = f"t{i if self.chance(0.9) else i + 20}"
            self.add(graph, name, names, self.services)
            names.append(name)

    def element(self) -> Callable[..., Any]:
        async def each(one: Any) -> Any:
            with self.code("pool map:all"):
                await anyio.sleep(0.3)
                return one

        return each

    def add(self, graph: Graph, name: str, names: list[str], services: list[str]) -> None:
        dice, limited = self.dice, list[str]()
        options: dict[str, Any] = {}
        if self.chance(0.25):
            options["pool"] = dice.choice(["db", "slow"])
            limited.append(f"pool {options['pool']}")
        if self.chance(0.2):
            options["resources"] = dice.choice([{"gpu": 1}, {"gpu": 2, "ram": 1}])
            limited += [what for what, amount in options["resources"].items() for _ in range(amount)]
        if self.chance(0.25):
            options["circuit"] = dice.choice(self.breakers)
        if self.chance(0.1):
            options["gate"] = dice.choice([True, Gate(timeout=1.0, on_timeout="approve"), Gate(on_reject="skip")])
        for what in ("when", "setup", "teardown"):
            if self.chance(0.15):
                options[what] = self.beside()
        if self.plain and self.chance(0.15) and options.keys().isdisjoint(("setup", "teardown")):
            options["cache"] = True  # what is cached is looked after in threads
        graph.add(
            name,
            self.task(("slots", *limited), services, 1),
            depends_on=dice.sample(names, min(len(names), dice.randint(0, 3))),
            retries=Retry(retries=dice.randrange(3), base=dice.choice(DELAYS), jitter=dice.choice([0.0, 0.5])),
            timeout=dice.choice([None, None, 0.5]),
            trigger=dice.choice(["all_success", "all_success", "any_success", "all_done", "none_failed"]),
            on_upstream_failure=dice.choice(["skip", "fail", "run"]),
            priority=dice.randrange(2),
            **options,
        )

    # -- commands ---------------------------------------------------------------------------------------------------

    def command(self, names: list[str]) -> Command:
        dice, name = self.dice, self.dice.choice(names)
        limit = dice.randint(1, 6)
        options: list[Callable[[], Command]] = [
            lambda: cmd.CancelTask(name),
            lambda: cmd.RestartTask(name, downstream=self.chance(0.6)),
            lambda: cmd.RestartTask(name, downstream=self.chance(0.6)),
            lambda: cmd.HoldTask(name),
            lambda: cmd.ReleaseTask(name),
            lambda: cmd.PauseRun(),
            lambda: cmd.ContinueRun(),
            lambda: self._note("slots", limit, cmd.SetMaxParallel(limit)),
            lambda: self._note("pool db", limit, cmd.SetPoolLimit("db", limit)),
            lambda: self._policy(name),
            lambda: cmd.SkipTask(name),
            lambda: cmd.MarkSucceeded(name, dice.choice([None, 7, {"a": [1]}])),
            lambda: cmd.RetryFailed(),
            lambda: cmd.ApproveTask(name),
            lambda: cmd.RejectTask(name),
            lambda: cmd.TripBreaker(dice.choice(self.breakers)),
            lambda: cmd.ResetBreaker(dice.choice(self.breakers)),
            lambda: cmd.ForceBreaker(dice.choice(self.breakers), dice.choice(["open", "closed", "half_open", ""])),
            lambda: cmd.SetBreaker(
                dice.choice(self.breakers), failure_threshold=limit, recovery_timeout=dice.choice([None, 0.0, 2.5])
            ),
            lambda: cmd.AcknowledgeEscalation(limit, dice.choice(["", "seen"]), withdraw=self.chance(0.2)),
            lambda: cmd.AbandonRun(),
            lambda: dice.choice([cmd.DrainRun(), cmd.CancelRun(), cmd.ContinueRun()]),
        ]
        return dice.choice(options)()

    def _note(self, what: str, limit: int, command: Command) -> Command:
        self.commanded_limits[what] = max(self.commanded_limits[what], limit)
        return command

    def _policy(self, name: str) -> Command:
        dice = self.dice
        changes: Mapping[str, Any] = dice.choice(
            [
                {"retries": dice.randrange(3), "base": dice.choice(DELAYS)},
                {"timeout": dice.choice([0.0, 0.2, 3.0])},
                {"pool": dice.choice(["", "db", "slow"])},
                {"circuit": dice.choice(["", *self.breakers])},
                {"trigger": "all_done", "priority": 3},
                {"on_upstream_failure": "run", "retry_on_timeout": False},
            ]
        )
        if "pool" in changes:
            self.commanded_limits["any pool"] = 1
        return cmd.SetPolicy(name, **changes)
