"""`Graph.map`: a task for each element of a list that is known only when the graph runs, and one that gathers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagtop.core.guards import Pool
from dagtop.core.policy import Trigger
from dagtop.core.values import dataclass
from dagtop.errors import Flaw, OptionError

if TYPE_CHECKING:
    from dagtop.runtime.context import TaskContext

#: Options that are those of the task that gathers; the others are those of the task of each element.
_GATHERS = ("when", "trigger", "on_upstream_failure", "tags", "description", "priority")
_MARK = "__dagtop_map__"


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """What is done with each element.

    The task of element 3 of `load` is called `load[3]`.
    """

    fn: Callable[..., Any]
    over: str | Callable[..., Any] | None
    """The task that returns the elements; None if they are given."""
    items: Sequence[Any]
    """The elements, if they are given."""
    options: Mapping[str, Any]


def gathering(
    name: str,
    fn: Callable[..., Any],
    over: Any,
    limit: int | None,
    collect: str,
    options: Mapping[str, Any],
    place: str,
) -> tuple[Callable[..., Any], dict[str, Any], dict[str, Pool]]:
    """(the function of the task that gathers, its options, the pool that the elements share).

    Raises
    ------
    OptionError: `over`, `limit` or `collect` is nothing of the kind.
    """
    flaws: list[Flaw] = []
    is_task = isinstance(over, str) or callable(over)
    if not is_task and (not isinstance(over, Sequence) or isinstance(over, (bytes, bytearray))):
        flaws.append(Flaw(f"map {name!r}: over must be a task or a list, not {over!r}", place))
    if collect not in ("all", "some"):
        flaws.append(Flaw(f"map {name!r}: collect must be 'all' or 'some', not {collect!r}", place))
    of_each = {option: value for option, value in options.items() if option not in _GATHERS}
    for option in ("tags", "priority"):
        if option in options:
            of_each[option] = options[option]
    if "replicas" in options:
        flaws.append(Flaw(f"map {name!r}: there is a task for each element, and no replicas of it", place))
    pools: dict[str, Pool] = {}
    if limit is not None:
        if "pool" in options:
            flaws.append(Flaw(f"map {name!r}: limit and pool exclude each other: give the pool its limit", place))
        try:
            pools[f"{name}[]"] = Pool(limit)
        except ValueError:
            flaws.append(
                Flaw(f"map {name!r}: limit must be a whole number of at least 1 or None, not {limit!r}", place)
            )
        of_each["pool"] = f"{name}[]"
    if flaws:
        raise OptionError(flaws)
    own = {option: options[option] for option in _GATHERS if option in options}
    own["depends_on"] = [*_listed(options.get("depends_on", ())), *([over] if is_task else [])]
    if collect == "some":
        own.setdefault("trigger", Trigger.ALL_DONE)
    given: Any = over  # whose type the checks above have settled
    mapped = Mapped(fn, given if is_task else None, () if is_task else tuple(given), of_each)
    return _gatherer(mapped), own, pools


def mapped_by(fn: object) -> Mapped | None:
    """What the task of this function gathers, if it gathers."""
    found = getattr(fn, _MARK, None) if inspect.isfunction(fn) else None
    return found if isinstance(found, Mapped) else None


def element(name: str, place: int) -> str:
    """What the task of an element is called."""
    return f"{name}[{place}]"


def _listed(depends_on: Any) -> list[Any]:
    return [depends_on] if isinstance(depends_on, str) or callable(depends_on) else list(depends_on)


def _gatherer(mapped: Mapped) -> Callable[..., Any]:
    async def gather(ctx: TaskContext) -> list[Any]:
        found: list[Any] = []
        while (task := element(ctx.task, len(found))) in ctx.upstream:
            found.append(ctx.upstream[task])
        return found

    gather.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )
    setattr(gather, _MARK, mapped)
    if callable(mapped.fn):
        gather.__wrapped__ = mapped.fn  # type: ignore[attr-defined]  # so that its source and its place are those of this
    return gather
