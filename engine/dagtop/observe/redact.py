"""Secrets: the one place that says what looks like one, and that takes them out of texts before they are told or stored.

Three things are found: what stands under a name that says so (`looks_secret`), what looks like one by its form or by the word
before it, and values that are known to be secret, wherever they stand. None of it is a promise: a text may tell a secret in
words that nobody can know.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Final

from dagtop.observe.known import LEAST, found_in

REDACTED: Final = "«redacted»"

_STRONG = (
    r"pass(word|wd|phrase|code)|pwd|secret|token|credential|bearer|cookie|authori[sz]ation|(^|[^a-z])(otp|dsn)(?![a-z])"
    r"|(api|access|private|signing|encryption|account|ssh)[^a-z0-9]*key"
)
#: Short words that often mean something else: of what stands under them only what looks random is looked for elsewhere.
_WEAK = r"(^|[^a-z])(pass|auth|pat|pin)(?![a-z])|(^|[^a-z])keys?$"
#: How many tokens there are is no secret.
_COUNT = re.compile(
    r"(^|[^a-z])(max|min|num|n|total|prompt|completion|input|output|used)[_-]?tokens?$"
    r"|tokens?[_-]?(count|limit|budget|used|usage|length)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Variables of the environment that look secret, of values that are not.
_HARMLESS = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY"})
#: How far a name goes on around such a word is bounded: a hostile text must not take time that grows with its square.
_AROUND = r"[\w.-]{0,40}"
_NAMED = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key"
)
#: What each of them has in it, in lower case; told apart by single letters, since most texts have none of it.
_HINT = (
    r"p(?=assw|assp|assc|wd|rivate)|s(?=ecret|k-|igning)|t(?=oken)|c(?=redential|ookie)|a(?=pi[_-]?key|ccess[_-]?key|uthorization|kia"
    r"|sia|iza)|k(?=_live)|b(?=earer\s|asic\s)|g(?=h[pousr]_|ithub_pat|lpat)|x(?=ox)|e(?=yj|ncryption[_-]?key)"
)
#: The same as plain words, which are found faster in a long text.
_WORDS = (
    *(
        "passw",
        "passp",
        "passc",
        "pwd",
        "private",
        "secret",
        "sk-",
        "signing",
        "token",
        "credential",
        "cookie",
        "k_live",
    ),
    *(
        "api_key",
        "api-key",
        "apikey",
        "access_key",
        "access-key",
        "accesskey",
        "encryption",
        "authorization",
        "bearer",
        "basic",
    ),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat", "xox", "akia", "asia", "aiza", "eyj"),
)
_LONG = 2_000
#: Values behind such a word that tell nothing.
_TELLS_NOTHING = frozenset({"none", "null", "true", "false", "redacted", "***", "is", "was", "not", "the", "a"})

Redactor = Callable[[str], str]


class _Vocabulary:
    """What counts as a secret's name, compiled. Replaced as a whole."""

    def __init__(
        self, names: frozenset[str] = frozenset(), values: frozenset[str] = frozenset(), on: bool = True
    ) -> None:
        self.names, self.values, self.on = names, values, on
        own = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
        self._own = f"|{own}" if own else ""
        self._words = (*_WORDS, *(name.lower() for name in names))
        self.looks_secret = lru_cache(maxsize=4096)(self._looks_secret)

    @cached_property
    def _secret(self) -> re.Pattern[str]:
        return re.compile(f"{_STRONG}|{_WEAK}{self._own}", re.IGNORECASE)

    @cached_property
    def _strong(self) -> re.Pattern[str]:
        return re.compile(_STRONG + self._own, re.IGNORECASE)

    @cached_property
    def _hint(self) -> re.Pattern[str]:
        return re.compile(_HINT + self._own.lower())

    @cached_property
    def _forms(self) -> re.Pattern[str]:
        return _forms(_NAMED + self._own)

    def is_strong(self, name: str) -> bool:
        """Whether a name that looks secret can hardly mean anything else."""
        return self._strong.search(name) is not None or self._strong.search(_CAMEL.sub("_", name)) is not None

    def _looks_secret(self, name: str) -> bool:
        if _COUNT.search(name):
            return False
        return self._secret.search(name) is not None or self._secret.search(_CAMEL.sub("_", name)) is not None

    def hidden(self, text: str) -> str:
        """The text without what looks like a secret by its form or by the word before it."""
        lower = text.lower()
        if self._hint.search(lower) if len(lower) < _LONG else any(word in lower for word in self._words):
            return self._forms.sub(_hidden, text)
        return _ADDRESS.sub(_hidden_in_address, text) if "@" in text and "://" in text else text


#: user:password@ in an address
_IN_ADDRESS = r"(?P<before_url>://[^/@\s:]*:)(?P<url>[^/@\s]+)(?=@)"
_ADDRESS = re.compile(_IN_ADDRESS)


def _hidden_in_address(match: re.Match[str]) -> str:
    return f"{match.group('before_url')}{REDACTED}"


def _forms(named: str) -> re.Pattern[str]:
    named = f"{_AROUND}(?:{named}){_AROUND}"
    value = r"\"[^\"\n]+\"|'[^'\n]+'|[^\s,;&)\]}\"'<>]+"
    return re.compile(
        _IN_ADDRESS
        # password=…, "token": "…", --api-key …, Authorization: Bearer …
        + rf"|(?P<before_named>\b{named}[\"']?\s*(?:=>|[=:])\s*|--{named}\s+)(?P<named>{value})"
        r"|(?P<before_auth>\b(?:authorization|proxy-authorization|cookie|set-cookie)[\"']?\s*[=:]\s*)(?P<auth>[^\r\n\"']+)"
        r"|(?P<before_bearer>\b(?:bearer|basic)\s+)(?P<bearer>[A-Za-z0-9+/._~=-]{12,})"
        # private keys, tokens of well-known services, JSON web tokens
        r"|(?P<form>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        r"|\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{16,}|[sr]k_live_\w{16,}"
        r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,2000}\.eyJ[\w-]{8,}\.[\w-]*))",
        re.IGNORECASE | re.DOTALL,
    )


#: A line of a file whose name looks secret: "secrets.py:11".
_PLACE = re.compile(r"\.[A-Za-z]\w{0,4}:\d{1,5}(?::\d{1,4})?:?\Z")


def _hidden(match: re.Match[str]) -> str:
    for kind in ("url", "named", "auth", "bearer"):
        value = match.group(kind)
        if value is None:
            continue
        bare = value.strip("\"'")
        if bare.startswith(REDACTED) or (kind == "named" and bare.lower() in _TELLS_NOTHING):
            return match.group()
        if kind == "named" and bare.isdigit() and _counts(match.group("before_named")):
            return match.group()
        if kind == "named" and _PLACE.search(match.group()):
            return match.group()
        if kind == "bearer" and bare.isalpha() and bare.islower():  # a word: "basic authentication"
            return match.group()
        if kind == "named" and match.group("before_named").rstrip().endswith(":") and not _could_be(value):
            return match.group()
        return f"{match.group(f'before_{kind}')}{REDACTED}"
    return REDACTED


def _counts(before: str) -> bool:
    """Whether it is a number of tokens that stands behind this: "prompt tokens: 1532"."""
    name = before.rstrip("\"' \t:=>")
    return name.lower().endswith("tokens") or _COUNT.search(name) is not None


def _could_be(value: str) -> bool:
    """Whether what stands behind "token: " may be a value, and is no word of a sentence such as "token: expired"."""
    return value[0] in "\"'" or not value.isalpha() or len(value) > 20


_lock = threading.Lock()
_vocabulary = _Vocabulary()


def hide_secrets(*, names: Iterable[str] = (), values: Iterable[str] = (), on: bool | None = None) -> None:
    """Say what else is secret in this process, for runs that begin from now on.

    Parameters
    ----------
    names: further words that make a name one of a secret, as "iban": of inputs, fields of specs, variables of the environment.
    values: texts that are secret themselves wherever they stand, as from a vault; shorter ones than six characters are left out.
    on: False shows secrets like anything else, True hides them again.

    Raises
    ------
    ValueError: a name is empty.
    """
    global _vocabulary  # noqa: PLW0603 - one process has one notion of what is secret
    names, values = ((names,) if isinstance(names, str) else names), ((values,) if isinstance(values, str) else values)
    added = frozenset(name.strip() for name in names)
    if "" in added:
        raise ValueError("the name of a secret must not be empty")
    with _lock:
        before = _vocabulary
        _vocabulary = _Vocabulary(
            before.names | added,
            before.values | frozenset(value for value in values if len(value) >= LEAST),
            before.on if on is None else on,
        )


def vocabulary() -> object:
    """What is secret in this process now, for `use_vocabulary`."""
    return _vocabulary


def use_vocabulary(before: object | None) -> None:
    """Have this count again; None: what counts in the beginning."""
    global _vocabulary  # noqa: PLW0603 - as above
    with _lock:
        _vocabulary = before if isinstance(before, _Vocabulary) else _Vocabulary()


def seen(text: str) -> str:
    """A text as people may see it, where no run says more of what is secret: without what looks so, or is in the environment."""
    return _seen(text, _vocabulary)


@lru_cache(maxsize=4096)
def _seen(text: str, vocabulary: _Vocabulary) -> str:
    if not vocabulary.on:
        return text
    known = secrets_of_environment(os.environ)
    return redactor(known)(text) if known or vocabulary.values else vocabulary.hidden(text)


def hides_secrets() -> bool:
    """Whether secrets are hidden at all."""
    return _vocabulary.on


def looks_secret(name: object) -> bool:
    """Whether a name says that its value is not for everybody's eyes: password, apiKey, AUTH_TOKEN …"""
    return isinstance(name, str) and _vocabulary.on and _vocabulary.looks_secret(name)


def secrets_of_environment(environ: Mapping[str, str]) -> set[str]:
    """Values of variables whose names say that they are secret; paths are none."""
    return {
        text
        for name, text in environ.items()
        if looks_secret(name) and name not in _HARMLESS and not text.startswith("/") and may_be_known(name, text)
    }


def may_be_known(name: str, text: str) -> bool:
    """Whether a text under such a name is one to look for elsewhere: not so short or so common a word that it means nothing."""
    if len(text) < LEAST or text.isspace() or text.lower() in _COMMON:
        return False
    return (
        _vocabulary.is_strong(name) or any(c.isdigit() for c in text) or (text.lower() != text and text.upper() != text)
    )


#: Words that no one can have meant to hide, though they stand where a secret should.
_COMMON = frozenset(
    {
        *(
            "bearer",
            "default",
            "disabled",
            "enabled",
            "optional",
            "required",
            "private",
            "public",
            "string",
            "username",
        ),
        *(
            "password",
            "passwd",
            "secret",
            "secrets",
            "token",
            "tokens",
            "credential",
            "credentials",
            "api_key",
            "apikey",
        ),
    }
)


def redactor(known: Iterable[str] = ()) -> Redactor:
    """A function that takes secrets out of a text: `known` values, and what looks like one."""
    now = _vocabulary
    if not now.on:
        return str  # as it is
    if not known and not now.values:
        return now.hidden
    find, hidden = found_in({*known, *now.values}, REDACTED), now.hidden

    @lru_cache(maxsize=4096)
    def redacted(text: str) -> str:
        return hidden(find(text) if find is not None else text)

    return redacted


def quick_redactor(known: Iterable[str] = ()) -> Redactor:
    """As `redactor`, for texts that seldom come twice, such as lines of logs."""
    now = _vocabulary
    if not now.on:
        return str
    find, hidden = found_in({*known, *now.values}, REDACTED), now.hidden
    return hidden if find is None else lambda text: hidden(find(text))
