"""What holds in one node of a graph of graphs: its options, and those of the levels around it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagtop.core.guards import Pool
from dagtop.core.paths import SLASH
from dagtop.core.policy import TaskPolicy
from dagtop.core.values import dataclass
from dagtop.errors import OptionError
from dagtop.graph.flaws import Flaws
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.scope import Scope, UpstreamNode

if TYPE_CHECKING:
    from dagtop.graph.declare import Graph
    from dagtop.graph.surroundings import Service

#: Options that a graph's tasks get from the level around it where the graph leaves them open.
INHERITED = ("default_timeout", "default_retries", "default_restart", "backend")

#: Options that say something about a run of its own, which a node is not.
OF_A_RUN = ("run_timeout", "adaptive", "min_parallel", "cancel_event")


def slots(path: str) -> str:
    """The resource that stands for the `max_parallel` of a node."""
    return f"slots:{path}"


def outer_pool(name: str) -> str:
    """The resource that stands for a pool whose name a node further in uses for one of its own."""
    return f"pool:{name}"


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """A graph in a node, and its options."""

    graph: Graph
    config: ExecutorConfig
    place: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Level:
    """One level, and by `around` all those around it.

    The outermost one is the whole run: its `config` has what every level brings, by full names.
    """

    path: str
    own: ExecutorConfig
    """Its own options, and what it leaves open from the level around it."""
    whole: ExecutorConfig
    """Those of the whole run."""
    around: Level | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By name: what each input that may be used here is called in the whole."""
    brought: frozenset[str] = frozenset()
    """Of the outermost level: the full names of what nodes bring."""

    @classmethod
    def outermost(cls, own: ExecutorConfig, whole: ExecutorConfig, brought: Collection[str]) -> Level:
        """The level of the whole run. `brought`: the full names of pools and resources that are those of nodes."""
        inputs = {name: name for name in whole.inputs if name not in brought}
        return cls(path="", own=own, whole=whole, inputs=inputs, brought=frozenset(brought))

    def inner(self, name: str, config: ExecutorConfig) -> Level:
        """The level of a node in it."""
        path = self.full(name)
        inherited = ExecutorConfig(**{option: getattr(self.own, option) for option in INHERITED})
        inputs = dict(self.inputs)
        for key, default in config.inputs.items():
            full = f"{path}{SLASH}{key}"
            given_here = self.whole.inputs.get(full, default) is not default
            if given_here or key not in inputs:
                inputs[key] = full
        for full in self.whole.inputs:
            key = full.removeprefix(path + SLASH)
            if key != full and SLASH not in key and key not in config.inputs:
                inputs[key] = full
        return Level(path=path, own=config.over(inherited), whole=self.whole, around=self, inputs=inputs)

    def full(self, name: str) -> str:
        """What something of it is called in the whole."""
        return f"{self.path}{SLASH}{name}" if self.path else name

    def config_for_tasks(self, nodes: Mapping[str, str]) -> ExecutorConfig:
        """What the tasks of a graph at this level are checked with: the names that they may use, and the defaults."""
        inputs: dict[str, Any] = {name: self.whole.inputs.get(full) for name, full in self.inputs.items()}
        inputs |= dict.fromkeys(nodes, UpstreamNode())
        given: dict[str, Any] = {option: getattr(self.own, option) for option in INHERITED}
        pools = {name: (self.whole.pools or {})[full] for name, (full, _) in self.pools.items()}
        resources = {name: (self.whole.resources or {})[full[0]] for name, full in self.resources.items()}
        return ExecutorConfig(
            **given, inputs=inputs, pools=pools, resources=resources, breakers=list(self.whole.breakers or ())
        )

    @cached_property
    def pools(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By name: the pool that it means here, and the resources that stand for those of that name further out."""
        found: dict[str, list[str]] = {}
        for level in self._outwards():
            for name in level.own_pools:
                found.setdefault(name, []).append(level.full(name))
        whole = self.whole.resources or {}
        return {
            name: (full[0], tuple(one for outer in full if (one := outer_pool(outer)) in whole))
            for name, full in found.items()
        }

    @cached_property
    def resources(self) -> dict[str, tuple[str, ...]]:
        """By name: the resource at each level that has it, innermost first."""
        found: dict[str, list[str]] = {}
        for level in self._outwards():
            for name in level.own_resources:
                found.setdefault(name, []).append(level.full(name))
        return {name: tuple(full) for name, full in found.items()}

    def scope(
        self,
        config: ExecutorConfig,
        nodes: Mapping[str, str],
        by_function: Mapping[int, str],
        services: Mapping[str, Service],
    ) -> Scope:
        """What the names mean that the tasks of a graph at this level use."""
        levels = [level for level in self._outwards() if level.around is not None]
        return Scope(
            path=self.path,
            config=config,
            policy=config.run_policy(),
            nodes=nodes,
            by_function=by_function,
            services=services,
            inputs={name: full for name, full in self.inputs.items() if name not in nodes},
            pools=self.pools,
            resources=self.resources,
            slots=tuple(slots(level.path) for level in levels if slots(level.path) in (self.whole.resources or {})),
            fail_fast=tuple(level.path for level in levels if level.own.fail_fast),
        )

    def check(self, policy: TaskPolicy, who: str, place: str, flaws: Flaws) -> None:
        """What a task takes of a resource must be there at each level that has it."""
        whole = self.whole.resources or {}
        for name, amount in policy.resources.items():
            for full in self.resources.get(name, ())[1:]:
                if amount > whole[full]:
                    flaws.add(
                        OptionError,
                        f"{who} needs {amount} of {name!r}, and there are only {whole[full]} for all nodes together: "
                        "it could never start",
                        place,
                    )

    @cached_property
    def own_pools(self) -> Collection[str]:
        """The pools that this level itself has. Those that a run adds are the outermost level's."""
        return list(self.own.pools or ()) if self.around is not None else self._added(self.whole.pools or ())

    @cached_property
    def own_resources(self) -> Collection[str]:
        """The resources that this level itself has."""
        return list(self.own.resources or ()) if self.around is not None else self._added(self.whole.resources or ())

    def _added(self, names: Collection[str]) -> list[str]:
        return [name for name in names if name not in self.brought]

    def _outwards(self) -> list[Level]:
        found: list[Level] = [self]
        while (level := found[-1].around) is not None:
            found.append(level)
        return found


def whole_config(own: ExecutorConfig, levels: Iterable[tuple[str, ExecutorConfig]]) -> ExecutorConfig:
    """The options of the whole run: what each level says of itself has its full name."""
    inputs: dict[str, Any] = {}
    pools: dict[str, int | Pool] = {}
    resources: dict[str, int] = {}
    breakers = {breaker.name: breaker for breaker in own.breakers or ()}
    single: dict[str, Any] = {}
    by_path = {"": own, **dict(levels)}
    for path, config in by_path.items():
        prefix = f"{path}{SLASH}" if path else ""
        if path:
            inputs.update({f"{prefix}{name}": value for name, value in config.inputs.items()})
            if config.max_parallel is not None:
                resources[slots(path)] = config.max_parallel
            for breaker in config.breakers or ():
                breakers.setdefault(breaker.name, breaker)
            for option in ("dask", "cache", "cancel_grace"):
                if getattr(config, option) is not None:
                    single.setdefault(option, getattr(config, option))
        pools.update({f"{prefix}{name}": pool for name, pool in (config.pools or {}).items()})
        resources.update({f"{prefix}{name}": amount for name, amount in (config.resources or {}).items()})
        for name, pool in (config.pools or {}).items():
            if any(_is_below(other, path) and name in (inner.pools or {}) for other, inner in by_path.items()):
                resources[outer_pool(f"{prefix}{name}")] = pool.limit if isinstance(pool, Pool) else pool
    brought = ExecutorConfig(
        inputs=inputs,
        pools=pools or None,
        resources=resources or None,
        breakers=list(breakers.values()) or None,
        **single,
    )
    return replace(own, breakers=None).over(brought)


def _is_below(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith(outer + SLASH))
