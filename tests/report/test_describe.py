"""What is told of values that belong to somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from dagtop.observe.describe import describe, describe_all
from dagtop.observe.redact import REDACTED, looks_secret
from dagtop.observe.visible import block, one_line, storable


class Hostile:
    """Every question put to it blows up."""

    def __boom(self, *_: Any) -> NoReturn:
        raise AssertionError("asked")

    __repr__ = __str__ = __len__ = __bool__ = __iter__ = __eq__ = __getattr__ = __boom
    __hash__ = None  # type: ignore[assignment]


class SneakyList(list[int]):
    def __repr__(self) -> str:
        raise AssertionError("asked")

    def __len__(self) -> int:
        raise AssertionError("asked")


class Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise AssertionError("asked")


class Named(metaclass=Meta):
    pass


def make_named() -> Named:
    return Named()


@pytest.mark.parametrize(
    "make", [Hostile, lambda: [Hostile()], lambda: {"a": Hostile()}, lambda: SneakyList([1]), make_named]
)
def test_a_value_is_described_without_running_its_code(make: Callable[[], Any]) -> None:
    assert describe(make()).type


def test_a_container_tells_its_size_and_its_first_items() -> None:
    told = describe(list(range(1_000_000)))
    assert told.size == 1_000_000
    assert told.text == "[0, 1, 2, 3, 4, 5, 6, 7, … 999,992 more]"
    assert describe({"a": (1,), "b": set()}).text == "{'a': (1,), 'b': set()}"


def test_a_container_that_holds_itself_is_described() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert describe(loop).text == "[[[[…]]]]"


def test_a_huge_number_is_not_written_out() -> None:
    assert describe(1 << 4_000_000).text == "<int of 4,000,001 bits>"


def test_a_description_is_bounded() -> None:
    deep: Any = "x" * 10_000
    for _ in range(50):
        deep = [deep] * 50
    assert len(describe(deep).text) < 400


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "passwd",
        "apiKey",
        "api_key",
        "key",
        "AUTH_TOKEN",
        "accessToken",
        "client-secret",
        "pwd",
        "private_key",
        "credentials",
        "authorization",
        "signing.key",
        "pin",
        "sessionCookie",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["keyboard", "monkey", "author", "passenger", "compass", "path", "spin", "n", "key_count"]
)
def test_other_names_are_not_taken_for_secrets(name: str) -> None:
    assert not looks_secret(name)


class SecretStr:
    def __init__(self, text: str) -> None:
        self.text = text


def test_secrets_are_not_told_wherever_they_are() -> None:
    told = describe_all(
        {
            "api_token": "hunter2",
            "options": {"user": "me", "password": "hunter2", "nested": {"secret": "hunter2"}},
            "wrapped": SecretStr("hunter2"),
            "address": "postgres://me:hunter2@db/orders",
        }
    )
    assert "hunter2" not in repr(told)
    assert told["api_token"].text == REDACTED
    assert told["options"].text == f"{{'user': 'me', 'password': {REDACTED}, 'nested': {{'secret': {REDACTED}}}}}"
    assert "db/orders" in told["address"].text


def test_what_is_invisible_becomes_visible() -> None:
    assert (
        one_line("a\x1b[31mb\nc\x00d\x9be\u200bf\u202eg\udc80h\x7f")
        == "a␛[31mb␊c␀d⟨U+009B⟩e⟨U+200B⟩f⟨U+202E⟩g⟨U+DC80⟩h␡"
    )
    assert one_line("naïve 日本 ✔️") == "naïve 日本 ✔️"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert one_line("x" * 10_000, 10) == "xxxxxxxxxx… (9,990 more characters)"
    assert block("a" * 50 + "b" * 50, 20) == "a" * 10 + "\n… 80 characters left out …\n" + "b" * 10


def test_a_block_keeps_its_lines_and_tabs() -> None:
    assert block("a\r\n\tb\x1b") == "a\n\tb␛"


def test_a_lone_surrogate_can_be_stored() -> None:
    assert storable("a\udc80ü").encode() == b"a\\udc80\xc3\xbc"
