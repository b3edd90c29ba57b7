"""What a function that builds a graph is called with, of the parameters that were given: checked against its annotations."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any, Union, get_args, get_origin

import msgspec

from dagtop.core.values import dataclass
from dagtop.loaders import problems

#: The annotations that values are checked against, and what a person is to give for each.
_EXPECTED: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "null",
}
_BY_NAME: Mapping[str, type] = {"None" if kind is types.NoneType else kind.__name__: kind for kind in _EXPECTED}

#: Cells of a value that a message shows.
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call is made with, or why it cannot be made."""

    given: Mapping[str, Any]
    takes: frozenset[str]
    """Every parameter that can be given by name, or that was."""
    wrong: str = ""
    """What is missing and what does not fit; "" if the call can be made."""


def arguments_of(name: str, build: Callable[..., Any], parameters: Mapping[str, Any]) -> Arguments:
    """Choose what `build` takes; a value for a parameter annotated with a plain type must be of it."""
    given: dict[str, Any] = {}
    missing: list[str] = []
    wrong: list[str] = []
    signature = inspect.signature(build).parameters.values()
    takes = {p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for parameter in signature:
        if parameter.kind is parameter.VAR_KEYWORD:
            given = {**parameters, **given}
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in takes and parameter.name in parameters:
            value = parameters[parameter.name]
            try:
                given[parameter.name] = converted(value, parameter.annotation)
            except msgspec.ValidationError:
                wrong.append(_misfit(parameter, value))
        elif parameter.default is parameter.empty:
            missing.append(parameter.name)
    if missing:
        options = " ".join(f"-p {it}=VALUE" for it in missing)
        wrong.insert(0, f"needs {', '.join(missing)}; give {options}{_slips(missing, parameters, takes)}")
    message = f"{name}() {'; it '.join(wrong)}" if wrong else ""
    return Arguments(given, frozenset(takes | given.keys()), message)


def converted(value: Any, annotation: Any) -> Any:
    """The value as the annotation wants it; as it is if that is none of the plain types.

    Raises
    ------
    msgspec.ValidationError: it is of another type.
    """
    kinds = _kinds(annotation)
    if not kinds:
        return value
    if str in kinds and int not in kinds and float not in kinds and type(value) is int:
        return str(value)  # the digits that were typed were read as JSON
    return msgspec.convert(value, reduce(or_, kinds), strict=True)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The plain types that it allows; none if it allows anything else."""
    if isinstance(annotation, str):
        parts: list[Any] = [_BY_NAME.get(part.strip()) for part in annotation.strip("\"'").split("|")]
    elif get_origin(annotation) in (Union, types.UnionType):
        parts = list(get_args(annotation))
    else:
        parts = [types.NoneType if annotation is None else annotation]
    plain = all(isinstance(part, type) and part in _EXPECTED for part in parts)
    return tuple(parts) if plain else ()


def _misfit(parameter: inspect.Parameter, value: Any) -> str:
    name, kinds = parameter.name, _kinds(parameter.annotation)
    way_out = f"; as text it is in quotes, -p '{name}=\"…\"'" if str in kinds else ""
    return f"takes {' or '.join(_EXPECTED[kind] for kind in kinds)} for {name}, not {_shown(value)}{way_out}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _slips(missing: list[str], parameters: Mapping[str, Any], takes: set[str]) -> str:
    """Given parameters that it does not take, and that were likely meant for the missing ones."""
    slips = sorted(parameters.keys() - takes)
    hints = [(name, problems.nearest(name, missing)) for name in slips]
    return "".join(f"; nothing takes {name!r}{hint}" for name, hint in hints if hint)
