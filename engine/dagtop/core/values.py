"""`dataclass` as the standard library has it, but its methods are made when they are first called.

Making them takes Python more than half a millisecond for each class, a third of all that importing dagtop takes, and of most
classes a program that has just been started makes none. Type checkers see the standard library's own.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


def lazily(
    *,
    frozen: bool = False,
    kw_only: bool = False,
    slots: bool = False,
    eq: bool = True,
    repr: bool = True,  # noqa: A002 - its names
) -> Callable[[type], type]:
    """As `dataclasses.dataclass` with these arguments."""

    def make(kind: type) -> type:
        own = kind.__dict__
        inherits = any(
            "__dataclass_fields__" in base.__dict__ for base in kind.__mro__[1:]
        )  # frozen from frozen ones only
        made: Any = dataclasses.dataclass(
            init=False, repr=False, eq=False, kw_only=kw_only, slots=slots, frozen=frozen and inherits
        )(kind)
        wanted = {"__init__": True, "__repr__": repr, "__eq__": eq, "__hash__": eq and frozen}
        for name, is_wanted in wanted.items():
            if is_wanted and name not in own:
                setattr(made, name, _stub(made, name, frozen=frozen))
        if eq and not frozen and "__hash__" not in own:
            made.__hash__ = None
        tells = made.__dataclass_params__  # to who inherits from it, or looks at it
        tells.init, tells.repr, tells.eq, tells.frozen = True, repr, eq, frozen
        if frozen:
            made.__setattr__, made.__delattr__ = _refuses(made)
            if slots and "__getstate__" not in own:
                made.__getstate__, made.__setstate__ = _state, _set_state
        if "__init__" not in own:
            made.__signature__ = _Signature(made)
        return made  # type: ignore[no-any-return]  # Any, where it is given attributes

    return make


def _stub(made: type, name: str, *, frozen: bool) -> Callable[..., Any]:
    """What stands for a method until it is called."""

    def first(self: object, *args: Any, **named: Any) -> Any:
        if made.__dict__[name] is first:  # else another thread was faster
            setattr(made, name, _made_as_ever(made, name, frozen=frozen))
        return getattr(made, name)(self, *args, **named)

    first.__name__, first.__qualname__, first.__module__ = name, f"{made.__qualname__}.{name}", made.__module__
    return first


def _made_as_ever(made: type, name: str, *, frozen: bool) -> Callable[..., Any]:
    """The method that the standard library makes for a class with the same fields."""
    body: dict[str, Any] = {field.name: field for field in dataclasses.fields(made)}
    body["__annotations__"] = {field: body[field].type for field in body}
    body |= {"__module__": made.__module__, "__qualname__": made.__qualname__, "__doc__": made.__doc__ or name}
    if hasattr(made, "__post_init__"):
        body["__post_init__"] = None  # what is called is that of `made`
    decorate = dataclasses.dataclass(
        frozen=frozen, init=name == "__init__", repr=name == "__repr__", eq=name in ("__eq__", "__hash__")
    )
    return decorate(type(made.__name__, (), body)).__dict__[name]  # type: ignore[no-any-return]  # a function


class _Signature:
    """That of the method that a class will have, for whoever inspects it."""

    def __init__(self, made: type) -> None:
        self._made = made

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if owner.__init__ is not self._made.__init__:  # type: ignore[misc]  # of a class that inherits it
            raise AttributeError("__signature__")
        signature = inspect.signature(_made_as_ever(self._made, "__init__", frozen=False))
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def _refuses(made: Any) -> tuple[Callable[..., None], Callable[..., None]]:
    """What refuses to set and to delete: fields, and of the class itself anything; a class that inherits may have more."""

    def assign(self: object, name: str, value: object) -> None:
        if type(self) is made or name in made.__dataclass_fields__:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        above: Any = super(made, self)
        above.__setattr__(name, value)

    def delete(self: object, name: str) -> None:
        if type(self) is made or name in made.__dataclass_fields__:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        above: Any = super(made, self)
        above.__delattr__(name)

    return assign, delete


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = lazily
