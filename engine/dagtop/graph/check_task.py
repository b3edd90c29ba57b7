"""The checks of one task: its function's parameters, its options, what it depends on, and whether it could ever start."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagtop.core.checks import MOST_REPLICAS, is_count
from dagtop.core.nearest import nearest
from dagtop.core.policy import DEFAULT_POLICY, RunPolicy, TaskPolicy
from dagtop.errors import GraphError, OptionError, UnknownDependencyError
from dagtop.graph.binding import Call, Item, bind, parameters_of
from dagtop.graph.flaws import HINTS, Flaws
from dagtop.graph.options import (
    LATER_TASK_OPTIONS,
    TASK_OPTIONS,
    ExecutorConfig,
    backend_of,
    option_errors,
    task_policy,
    unknown_options,
)

if TYPE_CHECKING:
    from dagtop.graph.surroundings import AroundCheck


def check_task(
    own: int,
    task: object,
    fn: Any,
    options: Mapping[str, Any],
    place: str,
    config: ExecutorConfig,
    index: Mapping[str, int],
    by_function: Mapping[int, str],
    around: AroundCheck,
    flaws: Flaws,
    *,
    base: TaskPolicy | None = None,
    item: Item | None = None,
) -> tuple[TaskPolicy, Call, list[int]]:
    """Check one task: (its policy, how its function is called, the tasks that it needs).

    Parameters
    ----------
    own: the task's number.
    base: the policy of a task without options, where the caller has it.
    item: the element of a list that its first parameter takes.
    """
    base = base or default_policy(config)
    if not callable(fn):
        flaws.add(GraphError, f"task {task!r} must be a function, not {fn!r}", place)
        return base, Call(fn, False), []
    call, needed = _bind(fn, own, index, config, place, around, options, flaws, item)
    policy = base
    if options or around.services:
        needed += around.task(own, task, call, options, str(options.get("backend", "")), place)
    if options:
        policy, depends_on = check_options(options, config, call.is_async, f"task {task!r}", place, flaws)
        policy = base if policy == base else policy
        needed += _named_tasks(str(task), depends_on, index, by_function, place, flaws)
    return policy, call, needed


def _bind(
    fn: Callable[..., Any],
    own: int,
    index: Mapping[str, int],
    config: ExecutorConfig,
    place: str,
    around: AroundCheck,
    options: Mapping[str, Any],
    flaws: Flaws,
    item: Item | None,
) -> tuple[Call, list[int]]:
    try:
        call, needs, found = bind(
            fn,
            parameters_of(fn),
            index,
            own,
            config.inputs,
            place,
            hints=len(flaws.found) < HINTS,
            services=around.services,
            resource=options.get("setup") is not None,
            item=item,
        )
    except ValueError as error:
        flaws.add(GraphError, str(error), place)
        return Call(fn, False), []
    for flaw in found:
        flaws.add(UnknownDependencyError, flaw.message, flaw.place)
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        flaws.add(
            GraphError,
            "it has a yield, and calling it runs nothing of it: collect what it gives and return that",
            place,
        )
    return call, needs


def check_options(
    options: Mapping[str, Any], config: ExecutorConfig, is_async: bool, who: str, place: str, flaws: Flaws
) -> tuple[TaskPolicy, Iterable[Any]]:
    """(the policy that a task's options make, what it depends on)."""
    for flaw in unknown_options(options, TASK_OPTIONS, LATER_TASK_OPTIONS, place):
        flaws.add(OptionError, f"{who}: {flaw.message}", place)
    if (count := options.get("replicas")) is not None:
        what = (
            "are for Graph.add and @graph.task"
            if is_count(count)
            else f"must be a whole number from 0 to {MOST_REPLICAS}, not {count!r}"
        )
        flaws.add(OptionError, f"{who}: replicas {what}", place)
    depends_on = options.get("depends_on")
    if depends_on is None:
        depends_on = ()
    elif isinstance(depends_on, str) or callable(depends_on):
        depends_on = (depends_on,)
    try:
        backend_of(options, is_async=is_async)
        return _policy(options, config), depends_on
    except (TypeError, ValueError) as error:
        for message in option_errors(options, is_async=is_async) or [str(error)]:
            flaws.add(OptionError, f"{who}: {message}", place)
        return DEFAULT_POLICY, depends_on


def _named_tasks(
    task: str,
    depends_on: Iterable[Any],
    index: Mapping[str, int],
    by_function: Mapping[int, str],
    place: str,
    flaws: Flaws,
) -> list[int]:
    """The indices of what `depends_on` lists: names, or functions that are tasks."""
    found: list[int] = []
    try:
        listed = list(depends_on)
    except TypeError:
        flaws.add(OptionError, f"task {task!r}: depends_on must be a list of tasks, not {depends_on!r}", place)
        return found
    for item in listed:
        name = by_function.get(id(item)) if callable(item) else item
        if isinstance(name, str) and name in index:
            found.append(index[name])
        elif callable(item):
            flaws.add(
                UnknownDependencyError,
                f"task {task!r} depends on {_called(item)}, which is no task of this graph",
                place,
            )
        else:
            hint = nearest(str(item), flaws.hints(index))
            flaws.add(UnknownDependencyError, f"task {task!r} depends on {item!r}, which is no task{hint}", place)
    return found


def _called(item: object) -> str:
    return f"{getattr(item, '__name__', item)}()"


def check_guards(
    policies: Sequence[TaskPolicy],
    names: Sequence[str],
    places: Mapping[int, str],
    run: RunPolicy,
    flaws: Flaws,
) -> None:
    """Pools and resources that a task names must be there, and large enough for it (B10); a breaker must be no slip."""
    if not any(policy.is_guarded for policy in {id(policy): policy for policy in policies}.values()):
        return
    meant = {circuit: _declared_like(circuit, run) for circuit in {policy.circuit for policy in policies}}
    for i, policy in enumerate(policies):
        place, who = places.get(i, ""), f"task {names[i]!r}"
        if meant[policy.circuit]:
            flaws.add(
                OptionError,
                f"{who}: there is no breaker {policy.circuit!r}; did you mean {meant[policy.circuit]!r}? "
                f"If not, declare it with breakers=[Breaker({policy.circuit!r})]",
                place,
            )
        if policy.pool and policy.pool not in run.pools:
            hint = nearest(policy.pool, run.pools) or f'; declare it with pools={{"{policy.pool}": 4}}'
            flaws.add(OptionError, f"{who}: there is no pool {policy.pool!r}{hint}", place)
        for resource, amount in policy.resources.items():
            there = run.resources.get(resource)
            if there is None:
                hint = (
                    nearest(resource, run.resources)
                    or f'; declare it with resources={{"{resource}": {max(amount, 1)}}}'
                )
                flaws.add(OptionError, f"{who}: there is no resource {resource!r}{hint}", place)
            elif amount > there:
                flaws.add(
                    OptionError,
                    f"{who} needs {amount} of {resource!r} and there are only {there}: it could never start",
                    place,
                )


def _declared_like(circuit: str, run: RunPolicy) -> str:
    """The declared breaker of which a name is a slip; "" if it is none: a breaker may be named without being declared."""
    if not circuit or circuit in run.breakers:
        return ""
    return next((name for name in run.breakers if _is_slip(circuit.lower(), name.lower())), "")


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one letter too many, too few, or two in the wrong order, or one wrong one in a longer word, makes the difference.

    Another number, and another letter that stands alone ("shard-a"), are meant so.
    """
    if _digits(typed) != _digits(meant):
        return False
    if abs(len(typed) - len(meant)) == 1:
        shorter, longer = sorted((typed, meant), key=len)
        return len(shorter) > 1 and any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
    if len(typed) != len(meant):
        return False
    wrong = [i for i, (one, other) in enumerate(zip(typed, meant, strict=True)) if one != other]
    if len(wrong) < 2:
        word = next((word for word in _WORDS.finditer(meant) if wrong and word.start() <= wrong[0] < word.end()), None)
        return not wrong or (word is not None and len(word.group()) > 3)
    return (
        len(wrong) == 2
        and wrong[1] == wrong[0] + 1
        and typed[wrong[0]] + typed[wrong[1]] == meant[wrong[1]] + meant[wrong[0]]
    )


_WORDS = re.compile(r"[^\W_]+")


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def default_policy(config: ExecutorConfig) -> TaskPolicy:
    """The policy of a task that has no options of its own."""
    if config.default_timeout is None and config.default_retries is None and config.default_restart is None:
        return DEFAULT_POLICY
    return _policy({}, config)


def _policy(options: Mapping[str, Any], config: ExecutorConfig) -> TaskPolicy:
    return task_policy(
        options, timeout=config.default_timeout, retries=config.default_retries, restart=config.default_restart
    )
