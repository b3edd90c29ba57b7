"""What is written down of a graph before it is checked: tasks in columns, options by name, and where in which file that is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from dagtop.core.values import dataclass
from dagtop.errors import Flaw, OptionError
from dagtop.graph.options import GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, ExecutorConfig, unknown_options
from dagtop.graph.surroundings import Declarations


@dataclass(slots=True)
class Columns:
    """The declared tasks, one list for each thing known of them: 100,000 tasks stay small."""

    names: list[Any] = field(default_factory=list)
    fns: list[Callable[..., Any]] = field(default_factory=list)
    options: list[Mapping[str, Any]] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    specs: Mapping[Any, Any] | None = None
    dependencies: Mapping[Any, Iterable[Any]] | None = None
    around: Declarations = field(default_factory=Declarations)


def with_options(config: ExecutorConfig | None, options: dict[str, Any]) -> ExecutorConfig | None:
    """The config with options by name over it.

    Raises
    ------
    OptionError: one does not exist, or does not take its value.
    """
    check_config(config)
    if not options:
        return config
    flaws = unknown_options(options, GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, caller())
    if flaws:
        raise OptionError(flaws)
    return config_of(options, caller()).over(config or ExecutorConfig())


def check_config(config: object) -> None:
    """See that it is a config, or None.

    Raises
    ------
    OptionError: it is something else.
    """
    if config is not None and not isinstance(config, ExecutorConfig):
        message = f"config must be an ExecutorConfig, not {config!r}; options are given by name, such as max_parallel=4"
        hint = "; a run is of the whole graph, never of one task" if isinstance(config, str) or callable(config) else ""
        raise OptionError([Flaw(message + hint, caller())])


def config_of(options: dict[str, Any], place: str) -> ExecutorConfig:
    """The config that options by name make.

    Raises
    ------
    OptionError: one does not take its value.
    """
    try:
        return ExecutorConfig(**options)
    except (TypeError, ValueError) as error:
        raise OptionError([Flaw(str(error), place)]) from None


def caller() -> str:
    """File and line of the nearest frame outside this package."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("dagtop."):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
