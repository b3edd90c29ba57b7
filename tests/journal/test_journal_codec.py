"""What the journal keeps of an output comes back equal in type and value, or it is not kept."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import io
import math
import sys
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from dagtop.errors import JournalError
from dagtop.journal import codec
from hypothesis import given, settings
from hypothesis import strategies as st


def same(one: Any, other: Any) -> bool:
    """Equal in type and value, all the way down; nan is the same as nan, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isnan(one) and math.isnan(other) if math.isnan(one) else one.hex() == other.hex()
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, Decimal):
        return str(one) == str(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other) and all(any(same(item, found) for found in other) for item in one)
    if isinstance(one, (dt.datetime, dt.time)):
        if one.fold != other.fold or one.tzname() != other.tzname():
            return False
        return one.replace(tzinfo=None) == other.replace(tzinfo=None) and same_zone(one.tzinfo, other.tzinfo)
    return bool(one == other)


def same_zone(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def back(value: Any) -> Any:
    encoded = codec.encode(value)
    assert encoded.storable, encoded.reason
    return codec.decode(encoded.codec, encoded.blob)


def refused(value: Any, **options: Any) -> str:
    encoded = codec.encode(value, **options)
    assert not encoded.storable
    return encoded.reason


PLAIN = [None, True, 0, 1, -1, 2**63 - 1, 2**64 - 1, -(2**63), 0.1, -0.0, 1e16, 5e-324, 1.7976931348623157e308]
PLAIN += [
    "",
    "é\x00\n",
    [],
    [[]],
    {},
    {"a": {"b": [1, 1.0, True, None]}},
    {"": ""},
    [1, True, 1.0],
    {"$": "tuple", "v": [1]},
]

NAIVE = dt.datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - users have such

TAGGED: list[Any] = [
    *[(), (1,), [(1, [2])], {"a": (1,)}, {1: 2}, {True: 1}, {1.0: "x"}, {None: 1}, {(1, "a"): [{2}]}],
    *[{"$": "tuple", "v": (1,)}, [{"$": {"$": ()}}], {"$": 1, "other": (2,)}, ({"$": "tuple", "v": [1]},)],
    *[{1, "a"}, frozenset(), {frozenset({1}), 2}, {(1, 2)}, {1.5, None}],
    *[b"", [b"\x00\xff"], bytearray(b"x"), {"a": bytearray()}],
    *[math.inf, -math.inf, math.nan, [math.nan, {"x": math.inf}], 2**64, -(2**63) - 1, [10**5000], -(10**5000)],
    *["\ud800", ["a", "\udcff"], {"\ud800": 1}, "\ud83d\ude00", {"a": "\ud800"}],
    *[dt.date(1, 1, 1), dt.date.max, NAIVE, NAIVE.replace(fold=1), NAIVE.replace(9999), NAIVE.replace(1)],
    dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-3, microseconds=7))),
    dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1), "né\ud800")),
    dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("UTC")),
    *[dt.time(1, 2, 3, 4), dt.time(2, fold=1), dt.time(3, tzinfo=dt.UTC)],
    *[dt.timedelta(days=-1, microseconds=1), dt.timedelta.max, dt.timedelta.min, dt.timedelta()],
    *[
        Decimal("1.10"),
        Decimal("NaN"),
        Decimal("-sNaN12"),
        Decimal("-Infinity"),
        Decimal("-0E+7"),
        Decimal("1e-999999"),
    ],
    *[UUID(int=0), UUID(int=2**128 - 1), Path("a/b"), Path("/x/\udcff"), PurePosixPath("a"), PureWindowsPath("c:/x")],
    *[1j, complex(-0.0, math.inf), complex(math.nan, -0.0)],
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_json_comes_back_as_it_was(value: Any) -> None:
    assert codec.encode(value).codec == "json"
    assert same(back(value), value)


@pytest.mark.parametrize("value", TAGGED, ids=range(len(TAGGED)))
def test_what_json_has_no_words_for_comes_back_as_it_was(value: Any) -> None:
    assert codec.encode(value).codec != "json"
    assert same(back(value), value)


def test_a_number_longer_than_the_interpreter_would_print_comes_back_elsewhere() -> None:
    """A process may lift the limit on digits, and the one that resumes has it again."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        encoded = codec.encode({"n": 7**6000})
    finally:
        sys.set_int_max_str_digits(limit)
    assert codec.decode(encoded.codec, encoded.blob) == {"n": 7**6000}


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_are_stored_as_they_are(kind: type) -> None:
    value = kind(range(256)) * 10
    encoded = codec.encode(value)
    assert (encoded.codec, len(encoded.blob)) == (kind.__name__, 2560)
    assert same(back(value), value)


_atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.just(ZoneInfo("UTC")))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.uuids()
    | st.complex_numbers()
)
_keys = st.recursive(
    _atoms.filter(lambda atom: not (isinstance(atom, Decimal) and atom.is_snan())),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
_values = st.recursive(
    _atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.just("$"), inner, max_size=4)
        | st.dictionaries(_keys, inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(_keys, max_size=3)
    ),
    max_leaves=12,
)


@given(_values)
@settings(max_examples=150, deadline=None)
def test_any_value_made_of_known_types_comes_back_as_it_was(value: Any) -> None:
    assert same(back(value), value)


# -- what is refused ---------------------------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 1


class Pair(NamedTuple):
    one: int
    other: int


@dataclasses.dataclass
class Data:
    x: int = 1


class Stamp(dt.datetime):
    pass


class Zone(dt.tzinfo):
    def utcoffset(self, when: object) -> dt.timedelta:
        raise AssertionError("user code must not run")


class Meta(type):
    """A metaclass that answers every question with an error."""

    def __hash__(cls) -> int:
        raise AssertionError("user code must not run")

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("user code must not run")

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError("user code must not run")


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise SystemExit

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        raise SystemExit

    def __len__(self) -> int:
        raise SystemExit

    def __iter__(self) -> Any:
        raise SystemExit

    @property
    def __class__(self) -> type:  # type: ignore[override] # that is the point
        raise SystemExit

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit


HostileKind = Meta("HostileKind", (), {"__module__": "m"})


REFUSED: list[Any] = [
    *[Text("x"), Number(1), Colour.RED, Size.BIG, Pair(1, 2), Data(), Stamp(2026, 1, 1), object(), object, print, ...],
    *[(x for x in "ab"), range(3), memoryview(b""), io.StringIO(), collections.OrderedDict(), collections.Counter("a")],
    *[collections.defaultdict(list), Exception("x"), Hostile(), HostileKind(), dt.datetime(2026, 1, 1, tzinfo=Zone())],
    *[dt.UTC, ZoneInfo("UTC"), {Text("x"): 1}, NotImplemented, type("Ünïcode", (), {})()],
]


@pytest.mark.parametrize("place", range(len(REFUSED)))  # pytest itself would ask the hostile ones
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"k": (x,)}], ids=["bare", "list", "deep"])
def test_other_types_are_refused_without_running_their_code(place: int, wrap: Any) -> None:
    reason = refused(wrap(REFUSED[place]))
    assert reason.startswith(("is a", "holds a"))


def test_the_reason_names_the_type() -> None:
    assert refused(collections.OrderedDict()) == "is a collections.OrderedDict"
    assert refused([object()]) == "holds an object"
    assert refused(HostileKind()) == "is a m.HostileKind"
    assert refused(dt.time(1, tzinfo=Zone())).startswith("is a time with a time zone of type ")


def test_a_time_zone_that_is_not_what_its_key_says_is_refused() -> None:
    assert "time zone" in refused(dt.datetime(2026, 1, 1, tzinfo=ZoneInfo.no_cache("UTC")))


def test_values_that_contain_themselves_or_go_too_deep_are_refused() -> None:
    circle: list[Any] = []
    circle.append({"a": (circle,)})
    assert refused(circle) == "contains itself"
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert refused(deep) == "is nested more than 200 levels deep"
    while isinstance(deep, list):  # taken apart by hand: the interpreter's own way would be as deep
        deep = deep[0]


def test_nesting_up_to_the_limit_comes_back() -> None:
    for leaf, wrap in ((1, lambda x: [x]), ((), lambda x: {1: x}), (1, lambda x: (x,))):
        value: Any = leaf
        for _ in range(150):
            value = wrap(value)
        assert back(value) == value


def test_too_large_a_value_is_refused_before_it_is_encoded() -> None:
    assert refused(b"x" * 1001, limit=1000) == "is larger than the 1,000 bytes that are kept of one output"
    for value in ("x" * 1001, ["x" * 600, "y" * 600], list(range(400)), {"k" * 1001: 1}, "\x00" * 400, [b"x" * 1001]):
        assert "larger" in refused(value, limit=1000)
    bomb: list[Any] = ["ha"]
    for _ in range(60):
        bomb = [bomb] * 10
    assert "larger" in refused(bomb)
    assert codec.encode("x" * 998, limit=1000).storable


def test_a_value_that_changes_under_our_hands_is_refused_not_raised() -> None:
    class Mean(dict[str, int]):
        pass

    assert refused(Mean(a=1)).startswith("is a ")


@pytest.mark.parametrize(
    ("name", "blob"),
    [
        *[("json", b"\x00\x00"), ("json", b""), ("tagged", b'{"$":"nothing","v":1}'), ("tagged", b'{"$":"tuple"}')],
        *[
            ("tagged", b'{"$":"date","v":"x"}'),
            ("tagged", b'{"$":"set","v":[[]]}'),
            ("pickle", b""),
            ("unstorable", b"x"),
        ],
        *[
            ("tagged", b'{"$":"decimal","v":"x"}'),
            ("tagged", b'{"$":"datetime","v":["2026-01-01",0,"Nowhere/At_All"]}'),
        ],
    ],
)
def test_damaged_bytes_are_an_error_of_ours(name: str, blob: bytes) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        codec.decode(name, blob)
