"""Secrets taken out of texts that leave the run: what errors, logs, names and answers tell by accident.

Two things are found: values that are known to be secret, wherever they stand, and what looks like a secret by its form or by the
word before it. Neither is a promise: a text may tell a secret in words that nobody can know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from dagtop.observe.describe import REDACTED, looks_secret

#: A shorter one would be found in the middle of words.
LEAST = 6
#: A longer one is told by its beginning, in case a text has only a part of it.
_LONGEST = 4_000
_DEPTH = 6
#: Names that look secret, of values that are not.
_KNOWN = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY"})
#: How far a name goes on around such a word is bounded: a hostile text must not take time that grows with its square.
_NAMED = (
    r"[\w.-]{0,40}(?:passw(?:or)?d|passphrase|passcode|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key)[\w.-]{0,40}"
)
_FORMS = re.compile(
    # user:password@ in an address
    r"(?P<before_url>://[^/@\s:]*:)(?P<url>[^/@\s]+)(?=@)"
    # password=…, "token": "…", --api-key …, Authorization: Bearer …
    rf"|(?P<before_named>\b{_NAMED}[\"']?\s*(?:=>|[=:])\s*|--{_NAMED}\s+)(?P<named>\"[^\"\n]+\"|'[^'\n]+'|[^\s,;&)\]}}\"'<>]+)"
    r"|(?P<before_auth>\b(?:authorization|proxy-authorization|cookie|set-cookie)[\"']?\s*[=:]\s*)(?P<auth>[^\r\n\"']+)"
    r"|(?P<before_bearer>\b(?:bearer|basic)\s+)(?P<bearer>[A-Za-z0-9+/._~=-]{12,})"
    # private keys, tokens of well-known services, JSON web tokens
    r"|(?P<form>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{16,}|[sr]k_live_\w{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,2000}\.eyJ[\w-]{8,}\.[\w-]*))",
    re.IGNORECASE | re.DOTALL,
)
#: Values behind such a word that tell nothing.
_TELLS_NOTHING = frozenset({"none", "null", "true", "false", "redacted", "***", "is", "was", "not", "the", "a"})
_HINT = re.compile(
    r"://|pass|pwd|secret|token|credential|key|auth|cookie|bearer|basic|gh[pousr]_|github_pat|glpat|xox|sk-|k_live|AKIA|ASIA|AIza|eyJ",
    re.IGNORECASE,
)


def redactor(known: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that takes secrets out of a text: `known` values, and what looks like one."""
    values = sorted({value[:_LONGEST] for value in known if len(value) >= LEAST}, key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, values))) if values else None

    @lru_cache(maxsize=4096)
    def redacted(text: str) -> str:
        if found is not None:
            text = found.sub(REDACTED, text)
        return _FORMS.sub(_hidden, text) if _HINT.search(text) else text

    return redacted


def _hidden(match: re.Match[str]) -> str:
    for kind in ("url", "named", "auth", "bearer"):
        value = match.group(kind)
        if value is None:
            continue
        bare = value.strip("\"'")
        if bare.startswith(REDACTED) or (kind == "named" and bare.lower() in _TELLS_NOTHING):
            return match.group()
        if kind == "bearer" and bare.isalpha() and bare.islower():  # a word: "basic authentication"
            return match.group()
        if kind == "named" and match.group("before_named").rstrip().endswith(":") and not _could_be(value):
            return match.group()
        return f"{match.group(f'before_{kind}')}{REDACTED}"
    return REDACTED


def _could_be(value: str) -> bool:
    """Whether what stands behind "token: " may be a value, and is no word of a sentence such as "token: expired"."""
    return value[0] in "\"'" or not value.isalpha() or len(value) > 20


def secrets_in(values: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> set[str]:
    """The texts in `values` and in the environment whose names say that they are secret."""
    found = {text for name, value in values.items() for text in _texts(value, secret=looks_secret(name), depth=_DEPTH)}
    for name, text in (environ or {}).items():
        if name not in _KNOWN and looks_secret(name) and not text.startswith("/"):
            found.add(text)
    return {text for text in found if len(text) >= LEAST}


def _texts(value: Any, *, secret: bool, depth: int) -> Iterator[str]:
    """Only the standard types are looked into: nothing of the value's own code runs."""
    kind = type(value)
    if kind is str:
        if secret:
            yield value
    elif kind is dict and depth:
        for name, inner in list(value.items())[:1000]:
            yield from _texts(inner, secret=secret or looks_secret(name), depth=depth - 1)
    elif kind in {list, tuple} and depth:
        for inner in value[:1000]:
            yield from _texts(inner, secret=secret, depth=depth - 1)
    elif secret and kind in {int, bytes}:
        yield (
            str(value)
            if kind is int and value.bit_length() < 512
            else value.decode("utf-8", "replace")[:_LONGEST]
            if kind is bytes
            else ""
        )
