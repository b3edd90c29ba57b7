"""`dagtop.core.values.dataclass` makes what the standard library's makes, only later."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from dagtop.core.values import dataclass as later

Decorator = Callable[..., Callable[[type], Any]]


def _kinds(dataclass: Decorator) -> tuple[Any, Any, Any]:
    """The same three classes by either decorator."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Frozen:
        """A value."""

        number: int
        name: str = "x"
        many: list[int] = dataclasses.field(default_factory=list)

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("below 0")

    @dataclass(slots=True)
    class Loose:
        """Something that changes."""

        number: int
        hidden: str = dataclasses.field(default="h", repr=False, compare=False)

    @dataclass(frozen=True, slots=True, eq=False, repr=False)
    class Identity:
        """Something of which there is one."""

        number: int

        def __repr__(self) -> str:
            return "its own"

    return Frozen, Loose, Identity


BOTH = pytest.mark.parametrize("dataclass", [dataclasses.dataclass, later], ids=["as ever", "later"])


@BOTH
def test_values_are_made_compared_hashed_told_and_copied(dataclass: Decorator) -> None:
    frozen, loose, identity = _kinds(dataclass)
    one = frozen(number=1)
    assert one == frozen(number=1, many=[])
    assert one != frozen(number=2)
    assert one != 1
    assert repr(one).endswith("Frozen(number=1, name='x', many=[])")
    assert dataclasses.replace(one, number=2).number == 2
    assert dataclasses.asdict(one) == {"number": 1, "name": "x", "many": []}
    assert copy.copy(one) == one
    assert copy.deepcopy(one) == one
    assert repr(loose(3)).endswith("Loose(number=3)")
    assert loose(3, "a") == loose(3, "b")
    assert repr(identity(1)) == "its own"
    assert identity(1) != identity(1)
    assert hash(identity(1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(loose(1))
    match loose(4):
        case loose(number):
            assert number == 4
        case _:
            pytest.fail("it has no match args")


@BOTH
def test_what_is_wrong_is_refused(dataclass: Decorator) -> None:
    frozen, loose, identity = _kinds(dataclass)
    with pytest.raises(ValueError, match="below 0"):
        frozen(number=-1)
    with pytest.raises(TypeError, match=r"Frozen\.__init__\(\) got an unexpected keyword argument 'other'"):
        frozen(other=1)
    with pytest.raises(TypeError, match="positional"):
        frozen(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'number'"):
        identity(1).number = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'number'"):
        del identity(1).number
    loose(1).number = 2


@BOTH
def test_the_signature_is_that_of_the_fields(dataclass: Decorator) -> None:
    frozen, loose, _ = _kinds(dataclass)
    assert list(inspect.signature(frozen).parameters) == ["number", "name", "many"]
    assert str(inspect.signature(loose)) == "(number: 'int', hidden: 'str' = 'h') -> None"


@BOTH
def test_json_is_read_into_it(dataclass: Decorator) -> None:
    loose = _kinds(dataclass)[1]
    read = object.__new__(loose)  # as it comes from where no __init__ is called
    read.number, read.hidden = 5, "h"
    assert read == loose(5)
    assert msgspec.json.encode(loose(5)) == b'{"number":5,"hidden":"h"}'


@later(frozen=True, slots=True)
class Kept:
    """At the top of a module, where pickle finds it."""

    number: int


def test_one_that_comes_from_another_process_needs_none_made_before() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)
    raw = object.__new__(Kept)
    raw.__setstate__([3])  # type: ignore[attr-defined]  # given at run time
    assert raw == Kept(3)
    assert hash(raw) == hash(Kept(3))


@BOTH
def test_a_frozen_class_may_inherit_from_one_and_a_plain_one_may_have_more(dataclass: Decorator) -> None:
    """A user's `@dataclass(frozen=True)` that inherits from `Retry` was refused: its parent was said not to be frozen."""

    @dataclass(frozen=True, kw_only=True)
    class Parent:
        number: int = 1

    @dataclasses.dataclass(frozen=True)
    class Child(Parent):
        name: str = "x"

    @dataclass(frozen=True, kw_only=True)
    class Alike(Parent):
        name: str = "x"

    class Plain(Parent):
        def grow(self) -> None:
            self.extra = 1
            del self.extra
            self.extra = 2

    for kind in (Child, Alike):
        assert kind(name="y", number=2) == kind(name="y", number=2) != kind(name="z", number=2)
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind().number = 3  # type: ignore[misc]
    plain = Plain()
    plain.grow()
    assert plain.extra == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.number = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del plain.number
    assert [*inspect.signature(Plain).parameters] == ["number"]
    params: Any = Parent.__dataclass_params__  # type: ignore[attr-defined]
    assert (params.init, params.repr, params.eq, params.frozen) == (True, True, True, True)
    with pytest.raises(TypeError, match="non-frozen"):
        dataclasses.dataclass(type("Loose", (Parent,), {"__annotations__": {}}))
