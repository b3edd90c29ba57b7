"""How the parameters of a function are filled: by upstream outputs, inputs, services, and the task's context."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from dagtop.core.nearest import nearest
from dagtop.core.values import dataclass
from dagtop.errors import Flaw

if TYPE_CHECKING:
    from dagtop.graph.scope import Scope

_CONTEXT = re.compile(r"\bTaskContext\b")


@dataclass(frozen=True, slots=True)
class FromTask:
    """The output of the task with this index."""

    index: int


@dataclass(frozen=True, slots=True)
class FromInput:
    """The input of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class FromContext:
    """The task's `TaskContext`."""


@dataclass(frozen=True, slots=True)
class FromService:
    """The shared service of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class FromResource:
    """What the task's `setup` returned."""


@dataclass(frozen=True, slots=True)
class Item:
    """An element of the list over which a task is mapped."""

    owner: int
    """Number of the task that gathers what the elements come to."""
    place: int
    """Place in the list, from 0."""


@dataclass(frozen=True, slots=True)
class FromNode:
    """What the tasks in the node of this path returned, by name."""

    path: str


@dataclass(frozen=True, slots=True)
class StateOf:
    """The state of the task of this name."""

    name: str


#: What others call the parameter `ctx`.
_CONTEXTS = frozenset({"context", "contex", "ctxt", "cxt", "task_context", "taskcontext"})
_CONTEXT_HINT = "; the task's context is the parameter 'ctx', or one that is annotated with TaskContext"

Source = FromTask | FromInput | FromContext | FromService | FromResource | Item | FromNode | StateOf


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that must be filled, as the function declares it."""

    name: str
    positional: bool
    has_default: bool
    wants_context: bool


@dataclass(frozen=True, slots=True)
class Call:
    """How one task's function is called."""

    fn: Callable[..., Any]
    is_async: bool
    arguments: tuple[tuple[Parameter, Source], ...] = ()
    spec: Any = None
    """What `from_specs` calls the function with, after the task's id."""
    by_spec: bool = False
    """Called as `fn(task_id, spec)`."""
    wants_context: bool = False
    """Whether a `TaskContext` must be made for it."""
    scope: Scope | None = None
    """What the names mean that it uses, if it is in a node of a `MetaDAG`."""


def parameters_of(fn: Callable[..., Any]) -> tuple[Parameter, ...]:
    """What the function must be given; `*args` and `**kwargs` are left empty.

    Raises
    ------
    ValueError: the function has no signature that can be read.
    """
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its parameters cannot be read ({error}); wrap it in a function of your own") from None
    found: list[Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        found.append(
            Parameter(
                name=parameter.name,
                positional=parameter.kind is parameter.POSITIONAL_ONLY,
                has_default=parameter.default is not parameter.empty,
                wants_context=_is_context(parameter),
            )
        )
    return tuple(found)


def _is_context(parameter: inspect.Parameter) -> bool:
    """By its annotation, alone or in a union, as a type or as a text; named `ctx` it needs none."""
    annotation = parameter.annotation
    if annotation is parameter.empty or annotation is Any:
        return parameter.name == "ctx"
    if isinstance(annotation, str):
        return _CONTEXT.search(annotation) is not None or (annotation == "Any" and parameter.name == "ctx")
    return any(getattr(kind, "__name__", "") == "TaskContext" for kind in (annotation, *get_args(annotation)))


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether calling `fn` gives a coroutine."""
    while isinstance(fn, partial):
        fn = fn.func
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


def bind(
    fn: Callable[..., Any],
    parameters: Sequence[Parameter],
    index: Mapping[str, int],
    own: int,
    inputs: Mapping[str, Any],
    place: str,
    *,
    hints: bool = True,
    services: Collection[str] = (),
    resource: bool = False,
    own_output: bool = False,
    item: Item | None = None,
) -> tuple[Call, list[int], list[Flaw]]:
    """Find a source for each parameter: (call, tasks it thereby depends on, what is wrong, with the nearest name if `hints`).

    `resource`: there is a setup whose result a parameter of that name takes. `own_output`: a parameter may name the task itself.
    `item`: what the first parameter takes.
    """
    arguments: list[tuple[Parameter, Source]] = []
    needs: list[int] = []
    flaws: list[Flaw] = []
    wants_context = False
    for parameter in parameters:
        task = index.get(parameter.name)
        if parameter.wants_context:
            arguments.append((parameter, FromContext()))
            wants_context = True
        elif item is not None:
            arguments.append((parameter, item))
            item = None
        elif task is not None and task != own:
            arguments.append((parameter, FromTask(task)))
            needs.append(task)
        elif task is not None and own_output:
            arguments.append((parameter, FromTask(task)))
        elif parameter.name in services:
            arguments.append((parameter, FromService(parameter.name)))
        elif parameter.name in inputs:
            arguments.append((parameter, FromInput(parameter.name)))
        elif resource and parameter.name == "resource":
            arguments.append((parameter, FromResource()))
        elif not parameter.has_default:
            others = [*(name for name in index if index[name] != own), *services] if hints else []
            way_out = (
                _CONTEXT_HINT * (parameter.name in _CONTEXTS)
                or nearest(parameter.name, others)
                or _near_input(parameter.name, inputs)
                or (f"; as an input it is given with -p {parameter.name}=VALUE or inputs={{{parameter.name!r}: …}}")
            )
            kinds = "no task, no service and no input" if services else "no task and no input"
            flaws.append(Flaw(f"parameter {parameter.name!r} is {kinds}{way_out}", place))
    return Call(fn, is_async(fn), tuple(arguments), wants_context=wants_context), needs, flaws


def _near_input(name: str, inputs: Mapping[str, Any]) -> str:
    """A hint at an input that is spelt nearly so: either of the two may be the slip."""
    found = difflib.get_close_matches(name, list(inputs), n=1)
    return f"; there is an input {found[0]!r}: did you mean {name!r} there, or {found[0]!r} here?" if found else ""
