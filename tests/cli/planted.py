"""A graph file with a secret of its own in each place where one may get to, and what looks for them."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing, suppress
from pathlib import Path

#: By place: what must be told nowhere. Each is in that place only, or is known from there.
PLANTED = {
    "graph": "pw-of-the-graph-1",
    "name": "pw-in-a-name-2",
    "description": "pw-described-3",
    "tag": "pw-as-a-tag-4",
    "input": "pw-given-as-input-5",
    "inner": "pw-deep-in-an-input-6",
    "environment": "pw-of-the-environment-7",
    "output": "pw-in-an-output-8",
    "message": "pw-in-a-message-9",
    "note": "pw-in-a-note-10",
    "cause": "pw-of-a-cause-11",
    "group": "pw-in-a-group-12",
    "print": "pw-that-was-printed-13",
    "logged": "pw-that-was-logged-14",
    "address": "pw-in-an-address-15",
    "child": "pw-in-a-child-16",
    "skip": "pw-of-a-skip-17",
    "progress": "pw-of-progress-18",
    "bound": "pw-that-was-bound-19",
    "form": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "secret-str": "pw-in-a-secretstr-20",
    "key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
}
#: A run that is gone on with needs these, whole: they stay in the journal, which only its owner can read.
KEPT = frozenset({"input", "inner", "output"})

GRAPH = """
import functools, logging, os
from dagtop import Graph, Retry, Skip

graph = Graph("orders token={graph}")


@graph.task(
    name="load postgres://ana:{name}@db/orders", description="log in with password={description}", tags=["token={tag}"]
)
def load(password, settings):
    print("logging in with", password, "or", settings["auth"]["token"])
    print("password={print}")
    print("-----BEGIN PRIVATE KEY-----")
    print("{key}")
    print("-----END PRIVATE KEY-----")
    logging.getLogger("orders").warning("api_key: {logged}0 %s", os.environ["ORDERS_API_TOKEN"])
    return dict(password="{output}", rows=3)


@graph.task(depends_on=[load])
def talk(ctx):
    ctx.progress(1, 2, "half with token={progress}")
    ctx.log.info("connecting to https://ana:{address}@api/v1 with {form}")


@graph.task
def skipped():
    raise Skip("no need, secret={skip}")


class SecretStr:
    def __init__(self, value):
        self._secret_value = value


def bound(access, api_key):
    raise ValueError("refused: " + api_key + " and " + access._secret_value)


graph.add("bound", functools.partial(bound, access=SecretStr("{secret-str}"), api_key="{bound}"))


@graph.task(backend="process")
def child(password):
    print("in a child: password={child}")
    raise RuntimeError("a child with token={child}, " + password)


@graph.task(retries=Retry(2, base=0.0), depends_on=[load])
def bad(ctx, password):
    (load,) = ctx.upstream.values()
    error = ConnectionError("password={message}")
    error.add_note("with secret={note}, " + load["password"])
    try:
        raise KeyError("token={cause}, " + os.environ["ORDERS_API_TOKEN"])
    except KeyError as cause:
        raise ExceptionGroup("all of it", [error, OSError("pwd={group}, " + password)]) from cause


@graph.task(depends_on=[bad])
def after():
    pass
"""
PARAMETERS = ("-p", f"password={PLANTED['input']}", "-p", f'settings={{"auth": {{"token": "{PLANTED["inner"]}"}}}}')
ENVIRON = {"ORDERS_API_TOKEN": PLANTED["environment"]}


def graph_text() -> str:
    """The graph file."""
    text = GRAPH
    for place, secret in PLANTED.items():
        text = text.replace(f"{{{place}}}", secret)
    return text


def found(text: str, *, but: frozenset[str] = frozenset()) -> dict[str, str]:
    """Planted secrets in a text, by place, each with what stands around it."""
    return {
        place: text[max(0, text.index(secret) - 80) : text.index(secret) + 80]
        for place, secret in PLANTED.items()
        if place not in but and secret in text
    }


def everything_in(journal: Path) -> str:
    """All that a journal holds, row by row, unpacked; and the bytes of its files."""
    told: list[str] = []
    with closing(sqlite3.connect(journal)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                told += [f"{table}: ", *map(_unpacked, row)]
    told += [path.read_bytes().decode("utf-8", "replace") for path in journal.parent.glob(f"{journal.name}*")]
    return "\n".join(told)


def _unpacked(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    with suppress(zlib.error):
        value = zlib.decompress(value)
    return value.decode("utf-8", "replace")
