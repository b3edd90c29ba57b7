"""Which values are known to be secret, and how they are found in a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import pytest
from dagtop.observe.describe import describe, describe_named
from dagtop.observe.known import MOST
from dagtop.observe.redact import REDACTED, hide_secrets, looks_secret, redactor, seen, use_vocabulary, vocabulary
from dagtop.observe.secrets import secrets_in

SECRET = "s3same-0pen"


@pytest.fixture(autouse=True)
def as_before() -> Any:
    before = vocabulary()
    yield
    use_vocabulary(before)


@dataclass
class Login:
    user: str
    password: str


@dataclass(slots=True)
class Slots:
    api_token: str
    left_out: str = "nothing of note"


class Struct(msgspec.Struct):
    secret: str


class Named(NamedTuple):
    user: str
    credential: str


class SecretStr:
    """As pydantic has it."""

    def __init__(self, value: str) -> None:
        self._secret_value = value

    def get_secret_value(self) -> str:
        raise AssertionError("the value's own code ran")

    def __repr__(self) -> str:
        raise AssertionError("the value's own code ran")


class Own(SecretStr):
    """By another name."""


class Hostile:
    """Nothing of it may be asked."""

    password = "of the class, for everybody"

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __len__ = __iter__ = __hash__ = __eq__ = __repr__  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        {"rows": [{"deep": {"apiKey": SECRET}}]},
        {"given": ({"auth": [SECRET]},)},
        {"login": Login("ana", SECRET)},
        {"slots": Slots(SECRET)},
        {"struct": Struct(SECRET)},
        {"named": Named("ana", SECRET)},
        {"hidden": SecretStr(SECRET)},
        {"hidden": [Own(SECRET)]},
        {"token": SECRET.encode()},
        {"secrets": {SECRET}},
        {"AUTHORIZATION": SECRET},
        {"": {"passwd": SECRET}},
    ],
    ids=lambda value: str(next(iter(value))) or "spec",
)
def test_a_value_under_a_secret_name_or_of_a_secret_type_is_known(value: dict[str, Any]) -> None:
    assert secrets_in(value) == {SECRET}


@pytest.mark.parametrize("kind", [dict, list, set])
def test_each_of_ten_thousand_values_under_one_secret_name_is_known(kind: type) -> None:
    """Only the first thousand were."""
    texts = [f"value-{number:05}" for number in range(10_000)]
    assert secrets_in({"credentials": dict(enumerate(texts)) if kind is dict else kind(texts)}) == set(texts)


def test_what_is_not_secret_is_not_known() -> None:
    value = {
        "user": "ana-of-orders",
        "password": "secret",  # a word for one
        "token": "abc",
        "key": "customer_id",  # a key of another kind
        "tokens": 12,
        "none_token": None,
        "secret_flag": True,
        "slots": Slots(SECRET[:3]),
        "monkey": "bananas-are-good",
    }
    assert secrets_in(value) == set()
    assert secrets_in({"key": "A1b2C3d4"}) == {"A1b2C3d4"}
    assert secrets_in({"ssh_key": "abcdefgh"}) == {"abcdefgh"}


def test_no_code_of_a_value_runs() -> None:
    class Property:
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            raise SystemExit

    assert secrets_in({"x": Hostile(), "password": [Hostile(), Property()]}) == set()
    loop: list[Any] = []
    loop.append(loop)
    assert secrets_in({"password": loop}) == set()
    assert describe(SecretStr(SECRET)).text == REDACTED
    assert describe([Own(SECRET)]).text == f"[{REDACTED}]"
    assert describe_named("password", SECRET).text == REDACTED
    assert describe({"note": f"token={SECRET}"}).text == f"{{'note': 'token={REDACTED}'}}"


@pytest.mark.parametrize(
    ("known", "text", "left"),
    [
        ("monday", "on monday, not on mondays", f"on {REDACTED}, not on mondays"),
        ("123456", "id 123456 of 9123456", f"id {REDACTED} of 9123456"),
        (SECRET, f"x{SECRET}y", f"x{REDACTED}y"),
        ("a.*+[b", "found a.*+[b here", f"found {REDACTED} here"),
        ("line one of it\nline two of it", "… line two of it …", f"… {REDACTED} …"),
        (SECRET, f"{'x' * 493}{SECRET}"[:500], f"{'x' * 493}{REDACTED}"),
        (SECRET, f"{SECRET}{'x' * 2_000}{SECRET}"[: 11 + 1_982 + 7], f"{REDACTED}{'x' * 1_989}"),
        (SECRET, f"begins {SECRET[:8]}\n… 3 characters left out …\n{SECRET[4:]} ends", None),
        (SECRET, f"printed {SECRET[:9]} … 1,234 bytes cut", f"printed {REDACTED} … 1,234 bytes cut"),
        (SECRET, f"only {SECRET[:8]} of it", f"only {SECRET[:8]} of it"),
    ],
)
def test_a_known_value_is_found_wherever_it_stands(known: str, text: str, left: str | None) -> None:
    found = redactor({known})(text)
    assert found == (left or f"begins {REDACTED}\n… 3 characters left out …\n{REDACTED} ends")


def test_very_many_values_are_found_as_few_are() -> None:
    many = [f"secret-number-{number:06}-x" for number in range(MOST)]
    redact = redactor(many)
    assert redact(f"{many[0]} and {many[-1]}, not secret-number-") == f"{REDACTED} and {REDACTED}, not secret-number-"
    assert redactor([*many[:60], "monday"])("mondays monday") == f"mondays {REDACTED}"


def test_names_and_values_of_ones_own() -> None:
    assert not looks_secret("iban")
    hide_secrets(names=["iban", "Kunden.Nr"], values=[SECRET, "short"])
    assert looks_secret("IBAN")
    assert looks_secret("customerIban")
    assert looks_secret("kunden.nr")
    assert not looks_secret("kundenxnr")
    assert secrets_in({"iban": "DE0212030000"}) == {"DE0212030000"}
    assert seen(f"iban=DE02 of {SECRET}, short") == f"iban={REDACTED} of {REDACTED}, short"
    assert looks_secret("password")
    hide_secrets(on=False)
    assert not looks_secret("password")
    assert seen(f"password={SECRET}") == redactor({SECRET})(f"password={SECRET}") == f"password={SECRET}"
    hide_secrets(on=True)
    assert seen(f"Iban: x1, {SECRET}") == f"Iban: {REDACTED}, {REDACTED}"
    with pytest.raises(ValueError, match="must not be empty"):
        hide_secrets(names=[" "])


def test_the_environment_counts_where_no_run_says_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "env-s3cret-1")
    assert seen("in a title: env-s3cret-1!") == f"in a title: {REDACTED}!"
