"""Digests of values: the same in every process, another as soon as any part differs."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dagtop.journal.digests import PARTS, UndigestibleError, digest, is_small

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**70, 0.0, 1.0, 1.5, float("inf"), "", "a", "1", "\ud800", b"", b"a", bytearray(b"a"),
    [], [1], [1, 2], [2, 1], (), (1,), {}, {"a": 1}, {"a": 2}, {"b": 1}, {1: "a"}, {"$": "set", "v": []}, set(),
    {1}, {"a", "b"}, {("a", 1), ("b", 2)}, frozenset({1}), [{1, 2}], dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    Decimal(1), Path("a"), 1j,
]  # fmt: skip


def test_different_values_have_different_digests() -> None:
    found = [digest(value) for value in VALUES]
    assert len(set(found)) == len(VALUES)


def test_equal_values_have_one_digest() -> None:
    assert digest({"a": [1, {"x", "y"}]}) == digest({"a": [1, {"y", "x"}]})


def test_the_digest_of_a_set_is_the_same_in_every_process() -> None:
    code = (
        "from dagtop.journal.digests import digest\n"
        "print(digest({'a', 'b', 'c', ('d', frozenset({'e', 'f'}))}), digest([{'x': {'p', 'q', 'r'}}]))"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(printed) == 1


class Strange:
    def __eq__(self, other: object) -> bool:
        raise AssertionError("code of the user's was called")

    __hash__ = object.__hash__
    __repr__ = __eq__  # type: ignore[assignment]


@pytest.mark.parametrize(("value", "reason"), [(Strange(), "is a "), ([Strange()], "holds a "), (len, "is a ")])
def test_what_cannot_be_compared_has_none(value: Any, reason: str) -> None:
    with pytest.raises(UndigestibleError, match=reason):
        digest(value)


def test_a_value_that_contains_itself_has_none() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UndigestibleError, match="contains itself"):
        digest(value)
    assert not is_small(value)


@pytest.mark.parametrize("value", [None, "a" * 1000, [1] * 1000, {"a": ["b"] * 100}, b"x" * 10_000, Strange()])
def test_small_values_are_small(value: Any) -> None:
    assert is_small(value)


@pytest.mark.parametrize(
    "value",
    [[1] * PARTS, {str(n): n for n in range(PARTS)}, [[0] * 100] * 100, "a" * 10**6, [b"x" * 10**6], [[[]] * 1999] * 2],
)
def test_large_values_are_not(value: Any) -> None:
    assert not is_small(value)
